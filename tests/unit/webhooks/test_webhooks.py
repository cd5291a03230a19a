from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from ari_assistant.vapi.server import BackoffPlan, Server
from ari_assistant.webhooks.outbox import Outbox
from ari_assistant.webhooks.precedence import first_server
from ari_assistant.webhooks.sender import WebhookFailed, WebhookRejected, WebhookSender, WebhookUnreadable
from tests.support.webhook import Webhook, webhook_server

ASK = {"message": {"type": "assistant-request"}}


@pytest.fixture
async def sender() -> AsyncGenerator[WebhookSender, None]:
    async with aiohttp.ClientSession() as session:
        yield WebhookSender(session)


@pytest.fixture
async def webhook() -> AsyncGenerator[Webhook, None]:
    async with webhook_server() as receiver:
        yield receiver


async def test_secret_headers_and_call_id_are_sent(sender: WebhookSender, webhook: Webhook) -> None:
    webhook.answers({"assistantId": "a"}, status=201)
    server = Server(url=webhook.url, secret="s", headers={"X-Own": "1"})
    assert await sender.post(server, ASK, call_id="c1") == {"assistantId": "a"}
    headers, _ = webhook.requests[0]
    assert (headers["X-Vapi-Secret"], headers["X-Own"], headers["X-Call-Id"]) == ("s", "1", "c1")


async def slow(_: dict[str, Any]) -> web.StreamResponse:
    await asyncio.sleep(2)
    return web.Response()


async def text(_: dict[str, Any]) -> web.StreamResponse:
    return web.Response(text="<html>")


async def huge(_: dict[str, Any]) -> web.StreamResponse:
    return web.Response(body=b" " * (2 << 20))


async def moved(_: dict[str, Any]) -> web.StreamResponse:
    raise web.HTTPFound("http://127.0.0.1:9/")


@pytest.mark.parametrize(
    ("answer", "fault"),
    [(slow, WebhookFailed), (text, WebhookUnreadable), (huge, WebhookUnreadable), (moved, WebhookRejected)],
)
async def test_what_cannot_be_used_is_a_named_fault(
    sender: WebhookSender, webhook: Webhook, answer: Any, fault: type[WebhookFailed]
) -> None:
    webhook.answer = answer
    with pytest.raises(fault):
        await sender.post(Server(url=webhook.url), ASK, call_id="c", timeout_seconds=0.2)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "not a url", "", "ftp://x/"])
async def test_what_cannot_be_reached_is_a_named_fault(sender: WebhookSender, url: str) -> None:
    with pytest.raises(WebhookFailed):
        await sender.post(Server(url=url), ASK, call_id="c", timeout_seconds=0.5)


async def test_delivery_is_tried_again_as_the_plan_says(sender: WebhookSender, webhook: Webhook) -> None:
    webhook.answers({}, status=503)
    plan = BackoffPlan(type="fixed", max_retries=2, base_delay_seconds=0)
    with pytest.raises(WebhookRejected):
        await sender.deliver(Server(url=webhook.url, backoff_plan=plan), ASK, call_id="c")
    assert len(webhook.requests) == 3
    with pytest.raises(WebhookRejected):
        await sender.deliver(Server(url=webhook.url), ASK, call_id="c")
    assert len(webhook.requests) == 4


async def test_messages_of_a_call_keep_their_order_and_the_queue_is_bounded(
    sender: WebhookSender, webhook: Webhook
) -> None:
    outbox = Outbox(sender, call_id="c", limit=3)
    for number in range(5):
        outbox.put(Server(url=webhook.url), {"message": {"type": "status-update", "number": number}})
    outbox.put(None, ASK)
    outbox.close()
    await outbox.run()
    assert [m["number"] for m in webhook.messages("status-update")] == [2, 3, 4]
    assert outbox.dropped == 2


async def test_a_receiver_that_fails_is_logged_and_left(sender: WebhookSender, log_lines: list[Any]) -> None:
    outbox = Outbox(sender, call_id="c")
    outbox.put(Server(url="http://127.0.0.1:9/"), {"message": {"type": "status-update"}})
    outbox.close()
    await outbox.run()
    assert outbox.failed == 1
    assert log_lines[-1]["event"] == "webhook_failed"


def test_the_first_server_with_a_url_gets_the_message() -> None:
    a, b = Server(url="http://a"), Server(url="http://b")
    assert first_server(None, Server(), b, a) is b
    assert first_server(None, Server()) is None

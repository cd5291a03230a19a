from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from ari_assistant.vapi.credential import AuthenticationPlan, BearerPlan, OAuth2Plan
from ari_assistant.vapi.server import BackoffPlan, Server, first_server
from ari_assistant.webhooks.outbox import Outbox
from ari_assistant.webhooks.sender import WebhookFailed, WebhookRejected, WebhookSender, WebhookUnreadable
from tests.support.serving import served
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
    assert sender.counters.failed == 1
    assert log_lines[-1]["event"] == "webhook_failed"


def test_the_first_server_with_a_url_gets_the_message() -> None:
    a, b = Server(url="http://a"), Server(url="http://b")
    assert first_server(None, Server(), b, a) is b
    assert first_server(None, Server()) is None


async def test_a_slow_receiver_loses_what_passes_and_keeps_what_lasts(
    sender: WebhookSender, webhook: Webhook
) -> None:
    outbox = Outbox(sender, call_id="c", limit=3)
    for number, kind in enumerate(
        ("status-update", "speech-update", "speech-update", "hang", "end-of-call-report")
    ):
        outbox.put(Server(url=webhook.url), {"message": {"type": kind, "number": number}})
    outbox.close()
    await outbox.run()
    assert [body["message"]["number"] for _, body in webhook.requests] == [0, 3, 4]
    assert (sender.counters.dropped, sender.counters.delivered, sender.counters.waiting) == (2, 3, 0)


async def test_old_news_is_not_sent_behind_a_receiver_that_hung(sender: WebhookSender, webhook: Webhook) -> None:
    outbox = Outbox(sender, call_id="c", stale_seconds=-1)
    for kind in ("speech-update", "end-of-call-report"):
        outbox.put(Server(url=webhook.url), {"message": {"type": kind}})
    outbox.close()
    await outbox.run()
    assert [body["message"]["type"] for _, body in webhook.requests] == ["end-of-call-report"]
    assert sender.counters.dropped == 1


async def test_a_server_with_a_secret_gets_a_signature_that_it_can_check(webhook: Webhook) -> None:
    async with aiohttp.ClientSession() as session:
        await WebhookSender(session).post(Server(url=webhook.url, secret="s"), ASK, call_id="c")
        await WebhookSender(session, sign_by_default=False).post(
            Server(url=webhook.url, secret="s"), ASK, call_id="c"
        )
    signed, unsigned = (headers for headers, _ in webhook.requests)
    payload = f"{signed['x-timestamp']}.".encode() + webhook.raw[0]
    assert signed["x-signature"] == hmac.new(b"s", payload, hashlib.sha256).hexdigest()
    assert signed["X-Vapi-Secret"] == unsigned["X-Vapi-Secret"] == "s"
    assert "x-signature" not in unsigned


async def test_a_credential_signs_and_its_own_headers_win(webhook: Webhook) -> None:
    async def find(credential_id: str) -> AuthenticationPlan | None:
        return {"bearer": BearerPlan(type="bearer", token="t")}.get(credential_id)

    async with aiohttp.ClientSession() as session:
        sender = WebhookSender(session, find_credential=find)
        await sender.post(Server(url=webhook.url, credential_id="bearer"), ASK, call_id="c")
        own = Server(url=webhook.url, credential_id="bearer", headers={"authorization": "Basic x"})
        await sender.post(own, ASK, call_id="c")
        with pytest.raises(WebhookFailed, match="does not exist"):
            await sender.post(Server(url=webhook.url, credential_id="gone"), ASK, call_id="c")
    assert [headers["Authorization"] for headers, _ in webhook.requests] == ["Bearer t", "Basic x"]


async def test_an_oauth2_token_is_asked_for_once_and_again_when_it_has_expired(webhook: Webhook) -> None:
    forms: list[dict[str, Any]] = []
    seconds = 3600.0

    async def token(request: web.Request) -> web.Response:
        forms.append(dict(await request.post()))
        return web.json_response({"access_token": f"t{len(forms)}", "expires_in": seconds})

    app = web.Application()
    app.router.add_post("/token", token)
    async with served(app) as url, aiohttp.ClientSession() as session:
        plan = OAuth2Plan(type="oauth2", url=f"{url}/token", client_id="i", client_secret="s", scope="a b")

        async def find(_: str) -> AuthenticationPlan | None:
            return plan

        sender = WebhookSender(session, find_credential=find)
        server = Server(url=webhook.url, credential_id="c")
        for _ in range(2):
            await sender.post(server, ASK, call_id="c")
        assert forms == [
            {"grant_type": "client_credentials", "client_id": "i", "client_secret": "s", "scope": "a b"}
        ]
        seconds = 0.0
        sender._tokens.clear()
        for _ in range(2):
            await sender.post(server, ASK, call_id="c")
        assert len(forms) == 3
        assert [h["Authorization"] for h, _ in webhook.requests] == [
            "Bearer t1",
            "Bearer t1",
            "Bearer t2",
            "Bearer t3",
        ]


async def test_an_api_request_goes_out_as_the_tool_says(sender: WebhookSender, webhook: Webhook) -> None:
    seen: list[tuple[str, str, bytes]] = []

    async def receive(request: web.Request) -> web.Response:
        seen.append((request.method, request.query_string, await request.read()))
        return web.Response(status=200 if len(seen) != 2 else 503, text="result")

    app = web.Application()
    app.router.add_route("*", "/x", receive)
    async with served(app) as url:
        server = Server(url=f"{url}/x", backoff_plan=BackoffPlan(max_retries=1, base_delay_seconds=0))
        assert await sender.request(server, "GET", {"city": "Rome", "n": 2}, call_id="c") == (200, "result")
        assert await sender.request(server, "PUT", {"city": "Rome"}, call_id="c") == (200, "result")
    assert seen[0] == ("GET", "city=Rome&n=2", b"")
    assert seen[1] == seen[2] == ("PUT", "", b'{"city": "Rome"}')

"""`assistantId: null` and a server URL: the server decides who speaks (contract §7.5)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ari_assistant.phone.line import place_call
from tests.support.caller_voice import CallerVoice, sounds_like
from tests.support.listening import heard_something
from tests.support.running_server import RunningServer
from tests.support.webhook import Webhook

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(120)]

POLITE = "nobody can take your call right now"


async def number(running: RunningServer, webhook: Webhook, **more: Any) -> str:
    """A new number that asks the webhook; returns its user."""
    return await running.new_number(serverUrl=webhook.url, **more)


async def test_a_transient_assistant_answers_with_the_variables_of_the_headers(
    running: RunningServer, voices: CallerVoice, webhook: Webhook, heard: Path
) -> None:
    webhook.answers(
        {
            "assistant": {"firstMessage": "Good morning {{first_name}}, welcome to {{company}}."},
            "assistantOverrides": {"variableValues": {"company": "the garden centre"}},
        },
        status=201,
    )
    user = await number(running, webhook, serverUrlSecret="s3cret")
    async with place_call(
        running.uri(user), headers=["X-First_Name: John", "X-Our-Call-ID: 42"], record=heard
    ) as call:
        assert (await call.wait_for("ringing"))["code"] == 180
        await call.wait_for("media")
        await heard_something(heard)
    words = voices.hear(heard)
    assert sounds_like(words, "good morning john welcome to the garden")
    assert "john" in words or "jon" in words
    report = await webhook.wait_for("end-of-call-report")
    headers, body = webhook.requests[0]
    message = body["message"]
    assert headers["X-Vapi-Secret"] == "s3cret"
    assert message["type"] == "assistant-request"
    values = message["call"]["assistantOverrides"]["variableValues"]
    assert values["first_name"] == "John"
    assert values["our-call-id"] == "42"
    assert values["cid"] == message["call"]["transport"]["sbcCallSid"]
    assert message["call"]["status"] == "ringing"
    assert message["call"]["assistantId"] is None
    assert message["phoneNumber"]["sipUri"] == f"sip:{user}@localhost"
    assert "s3cret" not in str(message)
    assert [m["status"] for m in webhook.messages("status-update")] == ["in-progress", "ended"]
    assert report["endedReason"] == "customer-ended-call"
    assert "Good morning John" in report["artifact"]["transcript"]


async def test_a_saved_assistant_answers(
    running: RunningServer, voices: CallerVoice, webhook: Webhook, heard: Path
) -> None:
    saved = await running.created("/assistant", {"firstMessage": "This is the green parrot hotel."})
    webhook.answers({"assistantId": saved["id"]})
    user = await number(running, webhook)
    async with place_call(running.uri(user), record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
    assert sounds_like(voices.hear(heard), "green parrot hotel")
    assert (await running.ended_call(user))["assistantId"] == saved["id"]


async def test_an_error_text_is_spoken_and_the_call_ends(
    running: RunningServer, voices: CallerVoice, webhook: Webhook, heard: Path
) -> None:
    webhook.answers({"error": "The office is closed on Sundays."})
    user = await number(running, webhook)
    async with place_call(running.uri(user), record=heard) as call:
        await call.wait_over()
    assert sounds_like(voices.hear(heard), "the office is closed on sunday")
    assert (await running.ended_call(user))["endedReason"] == "assistant-request-returned-error"


async def test_a_destination_redirects_the_caller(running: RunningServer, webhook: Webhook) -> None:
    webhook.answers({"destination": {"type": "sip", "sipUri": "sip:operator@192.0.2.77"}})
    user = await number(running, webhook)
    async with place_call(running.uri(user)) as call:
        redirected = await call.wait_for("redirected", "ended")
        await call.wait_over()
    assert "sip:operator@192.0.2.77" in redirected["contact"]
    record = await running.ended_call(user)
    assert record["endedReason"] == "assistant-request-returned-forwarding-phone-number"
    assert record["destination"]["sipUri"] == "sip:operator@192.0.2.77"


async def hangs(_: dict[str, Any]) -> web.StreamResponse:
    await asyncio.sleep(5)
    return web.json_response({})


async def huge(_: dict[str, Any]) -> web.StreamResponse:
    return web.Response(body=b'{"assistant": "' + b"x" * (10 << 20) + b'"}', content_type="application/json")


async def html(_: dict[str, Any]) -> web.StreamResponse:
    return web.Response(text="<html><h1>Internal error: Traceback</h1></html>", content_type="text/html")


def answering(body: Any, status: int = 200) -> Any:
    async def answer(_: dict[str, Any]) -> web.StreamResponse:
        return web.json_response(body, status=status)

    return answer


FAILURES = {
    "time-out": (hangs, "assistant-request-failed"),
    "500": (answering({"error": "Traceback (most recent call last)"}, 500), "assistant-request-returned-error"),
    "html": (html, "assistant-request-returned-no-assistant"),
    "10 MB": (huge, "assistant-request-returned-no-assistant"),
    "a list": (answering([1]), "assistant-request-returned-no-assistant"),
    "nothing": (answering({}), "assistant-request-returned-no-assistant"),
    "unknown property": (
        answering({"assistant": {"firstMesage": "Hello"}}),
        "assistant-request-returned-invalid-assistant",
    ),
    "bad facts": (
        answering({"assistant": {"model": {"provider": "built-in", "facts": [{"say": "x"}]}}}),
        "assistant-request-returned-invalid-assistant",
    ),
    "unknown id": (answering({"assistantId": "00000000-0000-4000-8000-000000000000"}), "assistant-not-found"),
    "unspeakable": (answering({"error": {"code": 7}}), "assistant-request-returned-unspeakable-error"),
}


@pytest.mark.parametrize("fault", FAILURES)
async def test_a_failure_is_told_politely_and_never_in_internal_words(
    running: RunningServer, voices: CallerVoice, webhook: Webhook, heard: Path, fault: str
) -> None:
    webhook.answer, reason = FAILURES[fault]
    user = await number(running, webhook)
    async with place_call(running.uri(user), record=heard) as call:
        await call.wait_over()
    words = voices.hear(heard)
    assert sounds_like(words, POLITE)
    assert "traceback" not in words
    assert (await running.ended_call(user))["endedReason"] == reason
    ended = await webhook.wait_for("status-update", count=2)
    assert ended["endedReason"] == reason
    assert ended["inboundPhoneCallDebuggingArtifacts"]["assistantRequestError"] == reason


async def test_a_server_that_cannot_be_reached_and_a_fallback_destination(
    running: RunningServer, webhook: Webhook
) -> None:
    fallback = {"type": "sip", "sipUri": "sip:fallback@192.0.2.78"}
    user = await number(running, webhook, fallbackDestination=fallback)
    webhook.answers({"oops": True}, status=503)
    async with place_call(running.uri(user)) as call:
        redirected = await call.wait_for("redirected", "ended")
        await call.wait_over()
    assert "sip:fallback@192.0.2.78" in redirected["contact"]


async def test_a_caller_who_gives_up_while_it_rings(running: RunningServer, webhook: Webhook) -> None:
    webhook.answer = hangs
    user = await number(running, webhook)
    async with place_call(running.uri(user)) as call:
        await call.wait_for("ringing")
    record = await running.ended_call(user)
    assert record["endedReason"] == "call.ringing.sip-inbound-caller-hungup-before-call-connect"
    assert record["startedAt"] is None


async def test_without_assistant_and_without_server_the_caller_is_told(
    running: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    await running.created("/phone-number", {"provider": "vapi", "sipUri": "sip:orphan@localhost"})
    async with place_call(running.uri("orphan"), record=heard) as call:
        await call.wait_over()
    assert sounds_like(voices.hear(heard), POLITE)
    ended = await running.ended_call("orphan")
    assert ended["endedReason"] == "call-start-error-neither-assistant-nor-server-set"

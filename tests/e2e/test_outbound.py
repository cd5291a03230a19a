"""Calls that the API places."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.caller_voice import CallerVoice
from tests.support.raw_sip import forwarding_phone, refusing_phone
from tests.support.running_server import RunningServer
from tests.support.webhook import Webhook

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(120)]


async def test_post_call_dials_a_sip_uri_and_talks(
    running: RunningServer, voices: CallerVoice, webhook: Webhook
) -> None:
    assistant = await running.created(
        "/assistant",
        {
            "firstMessage": "When are you open, {{customer.name}}?",
            "server": {"url": webhook.url},
            "model": {"provider": "built-in", "fallback": "Goodbye."},
            "endCallPhrases": ["goodbye"],
        },
    )
    user = await running.new_number({"firstMessage": "Not used."})
    _, found = await running.api("GET", f"/v2/phone-number?search={user}")
    body = {
        "assistantId": assistant["id"],
        "phoneNumberId": found["results"][0]["id"],
        "customer": {"sipUri": running.uri("banana"), "name": "Bob"},
    }
    status, call = await running.api("POST", "/call", body)
    assert status == 201
    assert (call["type"], call["status"]) == ("outboundPhoneCall", "queued")
    report = await webhook.wait_for("end-of-call-report", timeout=40)
    assert report["endedReason"] in ("assistant-said-end-call-phrase", "customer-ended-call")
    statuses = [m["status"] for m in webhook.messages("status-update")]
    assert statuses == ["ringing", "in-progress", "ended"]
    assert report["artifact"]["messages"][0]["message"] == "When are you open, Bob?"
    _, record = await running.api("GET", f"/call/{call['id']}")
    assert record["customer"] == {"sipUri": running.uri("banana"), "name": "Bob"}
    assert any(m["role"] == "user" for m in record["artifact"]["messages"]), "both assistants heard each other"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (b"486 Busy Here", "customer-busy"),
        (b"403 Forbidden", "call.in-progress.error-providerfault-outbound-sip-403-forbidden"),
        (b"503 Unavailable", "call.in-progress.error-providerfault-outbound-sip-503-service-unavailable"),
    ],
)
async def test_an_outbound_call_that_is_refused_ends_with_the_sip_cause(
    running: RunningServer, status: bytes, reason: str
) -> None:
    async with refusing_phone(status) as phone:
        _, numbers = await running.api("GET", "/phone-number?limit=1")
        body = {
            "assistant": {"firstMessage": "Hi."},
            "phoneNumberId": numbers[0]["id"],
            "customer": {"sipUri": phone},
        }
        code, call = await running.api("POST", "/call", body)
        assert code == 201
        async with asyncio.timeout(10):
            while call["status"] != "ended":
                _, call = await running.api("GET", f"/call/{call['id']}")
                await asyncio.sleep(0.05)
    assert call["endedReason"] == reason


async def test_a_called_party_that_forwards_its_calls_is_not_followed(running: RunningServer) -> None:
    """It names one of our own numbers: two assistants would talk to each other."""
    user = await running.new_number({"firstMessage": "Not used."})
    _, found = await running.api("GET", f"/v2/phone-number?search={user}")
    before = await running.calls_to("banana")
    async with forwarding_phone(running.uri("banana")) as phone:
        body = {
            "assistant": {"firstMessage": "Hello."},
            "phoneNumberId": found["results"][0]["id"],
            "customer": {"sipUri": phone},
        }
        code, call = await running.api("POST", "/call", body)
        assert code == 201
        record = call
        async with asyncio.timeout(10):
            while record["status"] != "ended":
                _, record = await running.api("GET", f"/call/{call['id']}")
                await asyncio.sleep(0.05)
    assert record["endedReason"] == "call.in-progress.error-sip-outbound-call-failed-to-connect"
    assert "forwards its calls" in record["endedMessage"]
    assert "SIP 302" in record["endedMessage"]
    assert await running.calls_to("banana") == before

"""Callers who are sent on: what the far end does is what the record says, and our clocks are ours alone."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ari_assistant.phone.line import place_call
from tests.support.caller_voice import CallerVoice, sounds_like
from tests.support.chat_server import ChatServer, chunk, stream
from tests.support.listening import ask, heard_something
from tests.support.raw_sip import RawCall, forwarding_phone, raw_call
from tests.support.running_server import RunningServer
from tests.support.webhook import Webhook

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(120)]

STAYS = {"message": "Nobody is there.", "endCallEnabled": False}


async def transfers(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """The model sends every caller on at once."""
    if "tools" not in body:  # the analysis of the call that is over
        return await stream(request, [chunk(content="{}"), b"data: [DONE]\n\n"])
    tool = body["tools"][0]["function"]
    text = json.dumps({"destination": tool["parameters"]["properties"]["destination"]["enum"][0]})
    part = {"index": 0, "id": "c", "type": "function", "function": {"name": tool["name"], "arguments": text}}
    return await stream(request, [chunk(tool_calls=[part]), b"data: [DONE]\n\n"])


async def number(
    running: RunningServer, chat: ChatServer, webhook: Webhook, uri: str, *, idle: bool = False, **plan: Any
) -> str:
    """A new number whose assistant sends its callers on to `uri` as soon as it has answered."""
    destination = {
        "type": "sip",
        "sipUri": uri,
        "message": "",
        "transferPlan": {"mode": "blind-transfer", **plan},
    }
    assistant = {
        "firstMessageMode": "assistant-speaks-first-with-model-generated-message",
        "server": {"url": webhook.url},
        "silenceTimeoutSeconds": 5,
        "maxDurationSeconds": 10,
        "messagePlan": {"idleMessages": ["Are you still there?"], "idleTimeoutSeconds": 1} if idle else None,
        "model": chat.model(tools=[{"type": "transferCall", "destinations": [destination]}]),
    }
    chat.behaviour = transfers
    return await running.new_number(assistant)


def notify(call: RawCall, cseq: int, sipfrag: bytes, *, last: bool = True) -> None:
    """What became of a REFER (RFC 3515 §2.4.5)."""
    state = b"terminated;reason=noresource" if last else b"active;expires=60"
    headers = (
        b"Event: refer\r\nSubscription-State: " + state + b"\r\nContent-Type: message/sipfrag;version=2.0\r\n"
    )
    call.send(call.request("NOTIFY", cseq, headers, b"SIP/2.0 " + sipfrag + b"\r\n"))


def said(report: dict[str, Any]) -> list[str]:
    return [m["message"] for m in report["artifact"]["messages"] if m["role"] == "bot"]


async def test_a_refer_that_the_telephone_refuses_is_a_failed_transfer_and_the_call_goes_on(
    running: RunningServer, chat: ChatServer, webhook: Webhook
) -> None:
    user = await number(running, chat, webhook, "sip:op@pbx.example", fallbackPlan=STAYS)
    async with raw_call(user, running.sip_port) as call:
        assert await call.final() == 200
        call.acknowledge()
        call.answer(await call.received(b"REFER"), b"603 Decline")
        await call.received(b"BYE")  # the silence after the fallback message
        report = await webhook.wait_for("end-of-call-report")
    assert report["artifact"]["transfers"][0]["status"] == "failed"
    assert report["endedReason"] == "silence-timed-out"
    assert said(report)[0] == "Nobody is there."
    statuses = [m["status"] for m in webhook.messages("status-update")]
    assert statuses[-3:] == ["forwarding", "in-progress", "ended"]


async def test_a_destination_that_is_busy_ends_the_call_as_the_plan_says(
    running: RunningServer, chat: ChatServer, webhook: Webhook
) -> None:
    user = await number(running, chat, webhook, "sip:op@pbx.example")
    async with raw_call(user, running.sip_port) as call:
        assert await call.final() == 200
        call.acknowledge()
        call.answer(await call.received(b"REFER"), b"202 Accepted")
        notify(call, 2, b"100 Trying", last=False)
        notify(call, 3, b"486 Busy Here")
        await call.received(b"BYE")
        report = await webhook.wait_for("end-of-call-report")
    assert report["artifact"]["transfers"][0]["status"] == "busy"
    assert report["endedReason"] == "call.forwarding.operator-busy"
    assert said(report) == ["I'm sorry, the transfer did not work."]


async def test_a_transfer_is_completed_when_the_telephone_says_so(
    running: RunningServer, chat: ChatServer, webhook: Webhook
) -> None:
    user = await number(running, chat, webhook, "sip:op@pbx.example")
    async with raw_call(user, running.sip_port) as call:
        assert await call.final() == 200
        call.acknowledge()
        call.answer(await call.received(b"REFER"), b"202 Accepted")
        notify(call, 2, b"200 OK")
        await call.received(b"BYE")
        report = await webhook.wait_for("end-of-call-report")
    assert report["artifact"]["transfers"][0]["status"] == "completed"
    assert report["endedReason"] == "assistant-forwarded-call"


async def test_of_a_caller_who_leaves_without_a_word_nothing_is_claimed(
    running: RunningServer, chat: ChatServer, webhook: Webhook
) -> None:
    user = await number(running, chat, webhook, "sip:op@pbx.example")
    async with raw_call(user, running.sip_port) as call:
        assert await call.final() == 200
        call.acknowledge()
        call.answer(await call.received(b"REFER"), b"202 Accepted")
        call.send(call.request("BYE", 2, b"", b""))
        report = await webhook.wait_for("end-of-call-report")
        notify(call, 3, b"200 OK")  # too late for us; but until then Asterisk keeps the channel's shadow
    assert "status" not in report["artifact"]["transfers"][0]
    assert report["endedReason"] == "assistant-forwarded-call"
    await running.assert_clean()


class Operator(asyncio.DatagramProtocol):
    """Somebody who is dialled: their telephone rings until the test picks up or refuses."""

    def __init__(self) -> None:
        self.invite: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.over = asyncio.Event()
        self._from: tuple[str, int] = ("", 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._from = addr
        if data.startswith(b"INVITE") and not self.invite.done():
            self.invite.set_result(data)
            self.answers(data, b"180 Ringing")
        elif data.startswith(b"BYE"):
            self.answers(data, b"200 OK")
            self.over.set()

    def answers(self, request: bytes, status: bytes, sdp: bytes = b"") -> None:
        own = self.transport.get_extra_info("sockname")[1]
        kept = [line for line in request.split(b"\r\n") if re.match(rb"(Via|From|To|Call-ID|CSeq):", line)]
        kept = [line + b";tag=op" if line.startswith(b"To:") and b"tag=" not in line else line for line in kept]
        kept += [b"Contact: <sip:op@127.0.0.1:%d>" % own, b"Content-Type: application/sdp"]
        head = b"SIP/2.0 " + status + b"\r\n" + b"\r\n".join(kept)
        self.transport.sendto(head + b"\r\nContent-Length: %d\r\n\r\n" % len(sdp) + sdp, self._from)

    def picks_up(self) -> None:
        sdp = (
            b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            b"m=audio 40002 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        )
        self.answers(self.invite.result(), b"200 OK", sdp)


@asynccontextmanager
async def operator() -> AsyncGenerator[tuple[Operator, str], None]:
    loop = asyncio.get_running_loop()
    transport, phone = await loop.create_datagram_endpoint(Operator, local_addr=("127.0.0.1", 0))
    try:
        yield phone, f"sip:op@127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()


async def test_the_assistants_clocks_end_no_call_in_which_two_people_talk(
    running: RunningServer, chat: ChatServer, webhook: Webhook
) -> None:
    async with operator() as (phone, uri):
        user = await number(running, chat, webhook, uri, sipVerb="dial", idle=True)
        async with raw_call(user, running.sip_port) as call:
            assert await call.final() == 200
            call.acknowledge()
            await asyncio.wait_for(phone.invite, 10)
            await asyncio.sleep(6)  # longer than the longest silence
            phone.picks_up()
            with pytest.raises(TimeoutError):  # longer than the longest call
                await call.received(b"BYE", timeout=12)
            call.send(call.request("BYE", 2, b"", b""))
            await asyncio.wait_for(phone.over.wait(), 5)
            report = await webhook.wait_for("end-of-call-report")
    assert report["artifact"]["transfers"][0]["status"] == "completed"
    assert report["endedReason"] == "assistant-forwarded-call"
    assert said(report) == []
    await running.assert_clean()


async def test_when_nobody_picks_up_the_conversation_goes_on_with_its_clocks_from_the_beginning(
    running: RunningServer, chat: ChatServer, webhook: Webhook
) -> None:
    async with operator() as (phone, uri):
        user = await number(running, chat, webhook, uri, sipVerb="dial", idle=True, fallbackPlan=STAYS)
        async with raw_call(user, running.sip_port) as call:
            assert await call.final() == 200
            call.acknowledge()
            await asyncio.wait_for(phone.invite, 10)
            await asyncio.sleep(11)  # longer than the longest call
            phone.answers(phone.invite.result(), b"486 Busy Here")
            await call.received(b"BYE")
            report = await webhook.wait_for("end-of-call-report")
    assert report["artifact"]["transfers"][0]["status"] == "busy"
    assert said(report)[0].startswith("Nobody is there. Are you still there?")
    assert report["endedReason"] in ("silence-timed-out", "exceeded-max-duration")


async def test_a_transfer_to_a_party_that_forwards_its_calls_has_failed_and_says_so(
    running: RunningServer, voices: CallerVoice, chat: ChatServer, webhook: Webhook, heard: Path
) -> None:
    before = await running.calls_to("banana")
    async with forwarding_phone(running.uri("banana")) as phone:
        destination = {
            "type": "sip",
            "sipUri": phone,
            "message": "I connect you now.",
            "transferPlan": {"mode": "blind-transfer", "sipVerb": "dial"},
        }
        chat.behaviour = chat.calls_tool("transferCall", {"destination": phone}, "Never.")
        tools = [{"type": "transferCall", "destinations": [destination]}]
        user = await running.new_number(
            {"firstMessage": "Hello.", "server": {"url": webhook.url}, "model": chat.model(tools=tools)}
        )
        async with place_call(running.uri(user), record=heard) as call:
            await call.wait_for("media")
            await heard_something(heard)
            await ask(call, voices.say("I want to speak with a human."))
            report = await webhook.wait_for("end-of-call-report", timeout=40)
    assert report["artifact"]["transfers"][0]["status"] == "redirected"
    assert report["endedReason"] == "call.in-progress.error-transfer-failed"
    assert sounds_like(voices.hear(heard), "the transfer did not work")
    assert await running.calls_to("banana") == before


async def test_a_transfer_dials_the_destination_and_joins_both(
    running: RunningServer, voices: CallerVoice, chat: ChatServer, webhook: Webhook, heard: Path
) -> None:
    destination = {
        "type": "sip",
        "sipUri": running.uri("banana"),
        "message": "I connect you now.",
        "transferPlan": {"mode": "blind-transfer", "sipVerb": "dial"},
    }
    chat.behaviour = chat.calls_tool("transferCall", {"destination": running.uri("banana")}, "Never.")
    tools = [{"type": "transferCall", "destinations": [destination]}]
    user = await running.new_number(
        {"firstMessage": "Hello.", "server": {"url": webhook.url}, "model": chat.model(tools=tools)}
    )
    async with place_call(running.uri(user), record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
        await ask(call, voices.say("I want to speak with a human."))
        await heard_something(heard, quiet=2.0)
        await ask(call, voices.say("When are you open?"))
        await heard_something(heard, quiet=2.0)
    words = voices.hear(heard)
    assert sounds_like(words, "i connect you now")
    assert sounds_like(words, "welcome to the yellow banana company")
    assert sounds_like(words, "from nine to five")
    report = await webhook.wait_for("end-of-call-report")
    assert report["artifact"]["transfers"][0]["status"] in ("completed", "connected")
    forwarding = next(m for m in webhook.messages("status-update") if m["status"] == "forwarding")
    assert forwarding["destination"]["sipUri"] == running.uri("banana")


async def test_a_refer_goes_to_the_caller_with_the_headers_in_its_target(
    running: RunningServer, chat: ChatServer, webhook: Webhook
) -> None:
    async def transfers(request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
        text = json.dumps({"destination": "sip:op@pbx.example"})
        part = {"index": 0, "id": "c", "type": "function", "function": {"name": "transferCall", "arguments": text}}
        return await stream(request, [chunk(tool_calls=[part]), b"data: [DONE]\n\n"])

    chat.behaviour = transfers
    destination = {
        "type": "sip",
        "sipUri": "sip:op@pbx.example",
        "message": "",
        "sipHeaders": {"X-Ticket": "4 2"},
        "transferPlan": {"mode": "blind-transfer", "sipHeadersInReferToEnabled": True},
    }
    user = await running.new_number(
        {
            "firstMessageMode": "assistant-speaks-first-with-model-generated-message",
            "server": {"url": webhook.url},
            "model": chat.model(tools=[{"type": "transferCall", "destinations": [destination]}]),
        },
    )
    async with raw_call(user, running.sip_port) as call:
        assert await call.final() == 200
        call.acknowledge()
        async with asyncio.timeout(10):
            while not (request := await call.responses.get()).startswith(b"REFER"):
                pass
        assert b"sip:op@pbx.example?X-Ticket=4%202" in request
        accepted = [line for line in request.split(b"\r\n") if re.match(rb"(Via|From|To|Call-ID|CSeq):", line)]
        call.send(b"SIP/2.0 202 Accepted\r\n" + b"\r\n".join(accepted) + b"\r\nContent-Length: 0\r\n\r\n")
        # The far end followed, and says so (RFC 3515 §2.4.5); then it hangs up.
        call.send(call.request("NOTIFY", 2, b"Event: refer\r\nSubscription-State: terminated;reason=noresource\r\n"
                               b"Content-Type: message/sipfrag;version=2.0\r\n", b"SIP/2.0 200 OK\r\n"))  # fmt: skip
        report = await webhook.wait_for("end-of-call-report")
    assert report["endedReason"] == "assistant-forwarded-call"

"""A caller who hangs up at once, and one who puts the assistant on hold: re-INVITEs and BYEs byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from ari_assistant.audio.frame import Pcm
from ari_assistant.audio.g711 import ULAW
from tests.support.caller_voice import CallerVoice, read_wav
from tests.support.raw_sip import RawCall, raw_call
from tests.support.running_server import RunningServer
from tests.support.webhook import Webhook

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(120)]

LONG = (
    "Welcome to our office, this is a very long greeting that goes on and on because nobody has ever shortened it,"
    " and that a caller may well put on hold before it has come to its end."
)


async def number(running: RunningServer, webhook: Webhook, **assistant: Any) -> str:
    return await running.new_number({"firstMessage": LONG, "server": {"url": webhook.url}, **assistant})


class Ear(asyncio.DatagramProtocol):
    """Where the call's RTP goes: the loudest sample since it was asked last, and packets of our own."""

    def __init__(self) -> None:
        self.loudest = 0
        self._number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.loudest = max(self.loudest, int(np.abs(ULAW.decode(data[12:]).astype(np.int32)).max(initial=0)))

    async def becomes(self, loud: bool, *, timeout: float = 10) -> None:
        """Wait until half a second was loud, or quiet."""
        async with asyncio.timeout(timeout):
            while True:
                self.loudest = 0
                await asyncio.sleep(0.5)
                if (self.loudest > 1500) is loud:
                    return

    async def send(self, pcm: Pcm, port: int) -> None:
        """Say something, in real time."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for at in range(0, pcm.size - 159, 160):
            self._number += 1
            head = b"\x80\x00" + self._number.to_bytes(2) + (self._number * 160).to_bytes(4) + b"\x00\x00\x00\x07"
            self.transport.sendto(head + ULAW.encode(pcm[at : at + 160]), ("127.0.0.1", port))
            await asyncio.sleep(max(0.0, began + at / 8000 - loop.time()))


def sdp(port: int, direction: str) -> bytes:
    return (
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na={direction}\r\n"
    ).encode()


@asynccontextmanager
async def answered(running: RunningServer, user: str) -> AsyncGenerator[tuple[RawCall, Ear, int], None]:
    loop = asyncio.get_running_loop()
    transport, ear = await loop.create_datagram_endpoint(Ear, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    try:
        async with raw_call(user, running.sip_port, sdp=sdp(port, "sendrecv")) as call:
            assert await call.final() == 200
            call.acknowledge()
            yield call, ear, port
    finally:
        transport.close()


async def reinvite(call: RawCall, cseq: int, body: bytes) -> None:
    """RFC 3264 §8.4: the same session, another direction."""
    call.send(call.request("INVITE", cseq, b"Content-Type: application/sdp\r\n", body))
    assert await call.final() == 200
    call.acknowledge_again(cseq)


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
async def test_on_hold_nothing_is_said_and_afterwards_the_sentence_is_said_again(
    running: RunningServer, webhook: Webhook, voices: CallerVoice, direction: str
) -> None:
    user = await number(running, webhook, silenceTimeoutSeconds=5)
    music = read_wav(voices.say("Please hold the line, somebody will be with you shortly."))
    async with answered(running, user) as (call, ear, port):
        await ear.becomes(True)
        await reinvite(call, 2, sdp(port, direction))
        await ear.becomes(False)
        for _ in range(2):  # longer than the longest silence
            await ear.send(music, call.media_port)
        assert ear.loudest < 1500
        await reinvite(call, 3, sdp(port, "sendrecv"))
        await ear.becomes(True)
        await call.received(b"BYE", timeout=40)
        report = await webhook.wait_for("end-of-call-report")
    assert report["endedReason"] == "silence-timed-out", "and not before the greeting was over"
    messages = report["artifact"]["messages"]
    assert [m["role"] for m in messages if m["role"] != "system"] == ["bot"], "the music was no question"
    assert messages[-1]["message"].endswith("come to its end."), "the greeting was heard to its end"


async def test_who_hangs_up_right_after_the_ack_has_been_connected(
    running: RunningServer, webhook: Webhook
) -> None:
    user = await number(running, webhook)
    for attempt in range(20):
        async with raw_call(user, running.sip_port) as call:
            assert await call.final() == 200
            call.acknowledge()
            call.send(call.request("BYE", 2, b"", b""))
            assert await call.final() == 200
        report = await webhook.wait_for("end-of-call-report", count=attempt + 1)
        assert report["endedReason"] == "customer-ended-call"
        assert report["startedAt"]
    record = await running.ended_call(user)
    assert record["endedReason"] == "customer-ended-call"
    assert record["startedAt"] <= record["endedAt"]
    assert [m["status"] for m in webhook.messages("status-update")][:2] == ["in-progress", "ended"]
    await running.assert_clean()

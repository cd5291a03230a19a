"""A SIP caller that measures: raw RTP, paced by absolute deadlines, every packet with its time of arrival."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import numpy as np

from ari_assistant.audio.frame import FRAME_SAMPLES, PTIME_SECONDS, SILENCE, Pcm
from ari_assistant.audio.g711 import ULAW
from ari_assistant.media.rtp.packet import MalformedPacket, RtpPacket
from tests.support.raw_sip import raw_call
from tests.support.rtp_sender import RtpSender

LOUD = 500
"""A sample beyond this is sound."""


class Caller(asyncio.DatagramProtocol):
    """Sends silence, or what it is given to say, and keeps the times at which it hears sound."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.DatagramTransport | None = None
        self._far: tuple[str, int] | None = None
        self._queue: list[Pcm] = []
        self._sender = RtpSender(payload_type=0, ssrc=77, sequence_number=1, timestamp=0)
        self.invited = 0.0
        self.sound: list[float] = []
        """When packets with sound came (seconds, the loop's clock)."""
        self.packets: list[float] = []
        self.said_until = 0.0
        """When the last packet with our own sound was sent."""
        self.said_from = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        now = self._loop.time()
        try:
            packet = RtpPacket.parse(data)
        except MalformedPacket:
            return
        self._far = addr
        self.packets.append(now)
        if np.abs(ULAW.decode(packet.payload)).max(initial=0) > LOUD:
            self.sound.append(now)

    @property
    def port(self) -> int:
        """The UDP port for the SDP."""
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    def send_to(self, address: tuple[str, int]) -> None:
        """Where the far end's SDP wants RTP."""
        self._far = address

    def say(self, pcm: Pcm) -> None:
        """Say `pcm` from the next frame on."""
        frames = -(-pcm.size // FRAME_SAMPLES)
        padded = np.concatenate([pcm, np.zeros(frames * FRAME_SAMPLES - pcm.size, np.int16)])
        self._queue += list(padded.reshape(-1, FRAME_SAMPLES))

    async def pace(self) -> None:
        """Send a frame every 20 ms until cancelled."""
        start = self._loop.time()
        count = 0
        while True:
            await asyncio.sleep(max(0.0, start + count * PTIME_SECONDS - self._loop.time()))
            count += 1
            frame = self._queue.pop(0) if self._queue else SILENCE
            if np.abs(frame).max() > LOUD:
                now = self._loop.time()
                if now - self.said_until > 1.0:
                    self.said_from = now
                self.said_until = now
            if self._transport is not None and self._far is not None:
                self._transport.sendto(self._sender.packet(ULAW.encode(frame)), self._far)

    async def hears_sound(self, after: float, *, timeout: float = 20.0) -> float:
        """When the first sound after `after` came."""
        async with asyncio.timeout(timeout):
            while not self.sound or self.sound[-1] <= after:
                await asyncio.sleep(0.002)
        return next(at for at in self.sound if at > after)

    async def hears_quiet(self, seconds: float, *, timeout: float = 30.0) -> float:
        """Wait until there was no sound for `seconds`; when the last one came."""
        async with asyncio.timeout(timeout):
            while self._loop.time() - (self.sound[-1] if self.sound else 0.0) < seconds:
                await asyncio.sleep(0.01)
        return self.sound[-1]


@asynccontextmanager
async def measured_call(user: str, sip_port: int, headers: bytes = b"") -> AsyncGenerator[Caller, None]:
    """A call in progress; raises RuntimeError when it was not answered."""
    loop = asyncio.get_running_loop()
    transport, caller = await loop.create_datagram_endpoint(Caller, local_addr=("127.0.0.1", 0))
    sdp = (
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=audio {caller.port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\n"
    ).encode()
    pacing = asyncio.create_task(caller.pace())
    caller.invited = loop.time()
    try:
        async with raw_call(user, sip_port, headers, sdp=sdp) as call:
            if await call.final() != 200:
                raise RuntimeError(f"not answered: {call.status}")
            caller.send_to(("127.0.0.1", call.media_port))
            call.acknowledge()
            yield caller
    finally:
        pacing.cancel()
        await asyncio.gather(pacing, return_exceptions=True)
        transport.close()

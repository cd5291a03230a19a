"""The audio of one call: RTP in and out, playout, both sides on the recording's time line."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable

import numpy as np

from ari_assistant.media.background import Background
from ari_assistant.media.frame import FRAME_SAMPLES, PTIME_SECONDS, Pcm
from ari_assistant.media.g711 import Law
from ari_assistant.media.playout import Playout
from ari_assistant.media.port import MediaPort
from ari_assistant.media.recording import Recording
from ari_assistant.media.reorder import Reorder
from ari_assistant.media.rtp import RtpPacket, RtpSender
from ari_assistant.media.stereo import ASSISTANT, CALLER, StereoTimeline
from ari_assistant.vapi.base import JsonObject

__all__ = ["Line"]

_LAG_SAMPLES = 4_000
"""The recording is written half a second behind, so that late packets still find their place."""
_MAX_DRIFT_SAMPLES = 4_000
_SILENT_FRAME: Pcm = np.zeros(FRAME_SAMPLES, np.int16)
_MAX_CONCEALED_SAMPLES = 10 * FRAME_SAMPLES


class Line:
    """Joins the pure parts of the media plane. Everything runs in the event loop and returns at once.

    Silence is sent when the assistant is quiet, so that no NAT or carrier takes the call for dead.
    """

    def __init__(
        self,
        law: Law,
        *,
        recording: Recording | None,
        heard: Callable[[Pcm, float], None],
        reply_began: Callable[[int, float], None],
    ) -> None:
        """`heard(frame, now)` gets each 160 samples of the caller in order; `reply_began(turn, now)` is called
        when the first frame of a reply is sent."""
        self.playout = Playout()
        self._law = law
        self._recording = recording
        self._heard = heard
        self._reply_began = reply_began
        self._silence = bytes([law.silence]) * FRAME_SAMPLES
        self._reorder = Reorder()
        self._sender = RtpSender(
            payload_type=law.payload_type,
            ssrc=secrets.randbits(32),
            sequence_number=secrets.randbits(15),
            timestamp=secrets.randbits(31),
        )
        self._port: MediaPort | None = None
        self._timeline = StereoTimeline()
        self._position = 0
        """Samples sent since the line was opened: the clock of the recording."""
        self._anchor: tuple[int, int] | None = None
        """RTP timestamp and position of a packet of the caller's stream."""
        self._expected: int | None = None
        self._pending: Pcm = np.zeros(0, np.int16)
        self._replying: int | None = None
        self._interjection: deque[Pcm] = deque()
        self.background: Background | None = None
        """A sound behind the voice, also while it is silent."""
        self.last_sent: Pcm = _SILENT_FRAME
        """The frame that was sent last, decoded."""
        self.sent = 0
        self.concealed = 0
        """Samples of silence put in where packets were lost."""

    def attach(self, port: MediaPort) -> None:
        """Send through `port` from now on."""
        self._port = port

    def receive(self, packet: RtpPacket, now: float) -> None:
        """A packet of the caller came."""
        for ready in self._reorder.push(packet, now=now):
            self._hear(ready, now)

    def tick(self, now: float, skipped: int) -> None:
        """Send the next frame: the reply's, or silence. `skipped` frames before it were too late to be sent."""
        for ready in self._reorder.handle_deadline(now):
            self._hear(ready, now)
        if skipped:
            self._sender.skip(skipped * FRAME_SAMPLES)
            self._position += skipped * FRAME_SAMPLES
        spoken = self.playout.pop()
        frame = spoken
        if frame is None and self._interjection and not self.playout.held:
            frame = self._interjection.popleft()
        if self.background is not None:
            frame = self.background.under(frame)
        if frame is None:
            payload = self._silence
            self.last_sent = _SILENT_FRAME
        else:
            self.last_sent = frame
            payload = self._law.encode(frame)
            self._timeline.put(ASSISTANT, self._position, frame)
        if self._port is not None:
            self._port.send(self._sender.packet(payload))
            self.sent += 1
        self._position += FRAME_SAMPLES
        turn = self.playout.turn
        if spoken is not None and turn is not None and turn != self._replying:
            self._replying = turn
            self._reply_began(turn, now)

    def interject(self, pcm: Pcm) -> None:
        """Say something short beside all replies ("mm-hmm"), where none is heard. int16, 8 kHz."""
        whole = -(-pcm.size // FRAME_SAMPLES) * FRAME_SAMPLES
        self._interjection.extend(np.pad(pcm, (0, whole - pcm.size)).reshape(-1, FRAME_SAMPLES))

    async def record(self) -> None:
        """Write what has been said up to half a second ago. Raises OSError."""
        if self._recording is not None:
            self._recording.append(self._timeline.take(self._position - _LAG_SAMPLES))
            await self._recording.flush()

    async def aclose(self) -> None:
        """Write the rest of the recording and close it. Raises OSError."""
        if self._recording is not None:
            self._recording.append(self._timeline.take(self._position))
            await self._recording.aclose()

    def statistics(self) -> JsonObject:
        """What the media plane counted."""
        counters = self._reorder.counters
        result: JsonObject = {
            "packetsSent": self.sent,
            "packetsReceived": counters.received,
            "packetsLost": counters.lost,
            "packetsLate": counters.late,
            "packetsDuplicated": counters.duplicated,
            "packetsReordered": counters.reordered,
            "concealedSeconds": round(self.concealed / FRAME_SAMPLES * PTIME_SECONDS, 2),
        }
        if self._port is not None:
            port = self._port.counters
            result |= {
                "packetsMalformed": port.malformed,
                "packetsFromUnknownSource": port.unknown_source,
                "packetsOfWrongType": port.wrong_payload_type,
            }
        return result

    def _hear(self, packet: RtpPacket, now: float) -> None:
        pcm = self._law.decode(packet.payload)
        if self._expected is not None:
            gap = _signed(packet.timestamp - self._expected)
            if 0 < gap <= _MAX_CONCEALED_SAMPLES:
                self.concealed += gap
                self._frames(np.zeros(gap, np.int16), now)
            elif gap != 0:
                self._pending = self._pending[:0]
        self._expected = (packet.timestamp + pcm.size) & 0xFFFFFFFF
        self._timeline.put(CALLER, self._place(packet.timestamp), pcm)
        self._frames(pcm, now)

    def _frames(self, pcm: Pcm, now: float) -> None:
        if self._pending.size:
            pcm = np.concatenate([self._pending, pcm])
        whole = pcm.size - pcm.size % FRAME_SAMPLES
        for start in range(0, whole, FRAME_SAMPLES):
            self._heard(pcm[start : start + FRAME_SAMPLES], now)
        self._pending = pcm[whole:]

    def _place(self, timestamp: int) -> int:
        """Where on the recording's time line a packet belongs: by its own clock, while that keeps step."""
        if self._anchor is not None:
            at, position = self._anchor
            placed = position + _signed(timestamp - at)
            if abs(placed - self._position) <= _MAX_DRIFT_SAMPLES:
                return placed
        self._anchor = (timestamp, self._position)
        return self._position


def _signed(difference: int) -> int:
    """A difference of 32-bit timestamps as −2³¹ … 2³¹−1."""
    return ((difference + 0x80000000) & 0xFFFFFFFF) - 0x80000000

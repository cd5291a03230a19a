"""One call's audio within the media plane: what comes, in order and whole, and what goes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from ari_assistant.audio.codec import Codec
from ari_assistant.audio.concealment import comfort_noise, conceal, join
from ari_assistant.audio.frame import FRAME_SAMPLES, PTIME_SECONDS, SAMPLE_RATE, Pcm
from ari_assistant.audio.stereo import ASSISTANT, CALLER
from ari_assistant.media.rtp.jitter_buffer import JitterBuffer
from ari_assistant.media.rtp.packet import MalformedPacket, RtpPacket, timestamp_delta
from ari_assistant.media.rtp.recording_queue import RecordingQueue
from ari_assistant.media.rtp.send_queue import SendQueue

__all__ = ["COMFORT_NOISE", "Stream"]

COMFORT_NOISE = 13
"""The payload type of RFC 3389."""
_MAX_CONCEALED_TICKS = 10 * FRAME_SAMPLES
"""A longer gap is filled with nothing: whoever listens measures the silence by the clock."""
_MAX_DRIFT_TICKS = 4_000
_HISTORY_FRAMES = 3

Emit = Callable[["Stream", Pcm], None]
"""Takes 20 ms of the caller's audio (int16 at the codec's rate)."""


class Stream:
    """Joins the pure parts for one call. Owned by the plane, which knows of sockets and rows no more than this does."""

    __slots__ = (
        "_anchor", "_comfort", "_concealed", "_decoder", "_expected", "_frame", "_pending", "_recent", "_recording",
        "_scale", "codec", "concealed_ticks", "extra", "jitter", "leads", "malformed", "number", "opened", "reported",
        "row", "send_queue", "source", "speaks", "wrong_type",
    )  # fmt: skip

    def __init__(self, number: int, codec: Codec, *, recording: RecordingQueue | None) -> None:
        """`number` names the stream between the processes."""
        self.number = number
        self.codec = codec
        self._recording = recording
        self.send_queue = SendQueue(codec)
        self.jitter = JitterBuffer()
        self.row = 0
        self.source = b""
        self.opened = 0
        """The plane's clock when the stream began, in ticks of 1/8000 s."""
        self.leads = False
        """One frame more than the clock says has been sent, because the first of a reply did not wait for it."""
        self.speaks = False
        """The row holds something else than silence."""
        self.reported = 0
        """Samples of the queue that have been reported as played."""
        self.extra = 0
        """Packets sent beside those of the tick, less those left out."""
        self.malformed = 0
        self.wrong_type = 0
        self.concealed_ticks = 0
        """How much audio was lost and made up."""
        self._decoder = codec.decoder()
        self._scale = codec.rate // SAMPLE_RATE
        self._frame = FRAME_SAMPLES * self._scale
        self._anchor: tuple[int, int] | None = None
        self._expected: int | None = None
        self._pending: Pcm | None = None
        """Samples that do not fill a frame yet."""
        self._recent: deque[bytes | Pcm] = deque(maxlen=_HISTORY_FRAMES)
        self._concealed: Pcm | None = None
        """What was made up just before the audio that comes next."""
        self._comfort: bytes | None = None

    # -- what comes -----------------------------------------------------------------------------------------

    def takes(self, payload: bytes, number: int, timestamp: int, ssrc: int, arrival: float, clock: int) -> bool:
        """The way of almost every packet of a stateless codec, of 20 ms: True when it is in order and nothing is
        pending. Then it has been taken, and the plane decodes it with many others; else it has to be pushed."""
        if timestamp != self._expected or self._pending is not None or self._concealed is not None:
            return False
        if not self.jitter.passes(number, timestamp, ssrc, arrival):
            return False
        self._expected = (timestamp + FRAME_SAMPLES) & 0xFFFFFFFF
        self._recent.append(payload)
        if self._recording is not None:
            self._recording.put(CALLER, self._place(timestamp, clock), payload)
        return True

    def push(self, datagram: bytes, arrival: float, clock: int, emit: Emit) -> None:
        """Any datagram from the stream's source. `clock` is the plane's, in ticks."""
        try:
            packet = RtpPacket.parse(datagram)
        except MalformedPacket:
            self.malformed += 1
            return
        if packet.payload_type not in (self.codec.payload_type, COMFORT_NOISE):
            self.wrong_type += 1
            return
        for ready in self.jitter.push(packet, now=arrival):
            self._hear(ready, clock, emit)

    def handle_deadline(self, now: float, clock: int, emit: Emit) -> None:
        """Go on without what is missing for too long."""
        for ready in self.jitter.handle_deadline(now):
            self._hear(ready, clock, emit)

    def _hear(self, packet: RtpPacket, clock: int, emit: Emit) -> None:
        if packet.payload_type == COMFORT_NOISE:
            self._comfort = packet.payload
            return
        if not packet.payload:
            return
        if self._expected is not None:
            gap = timestamp_delta(packet.timestamp, self._expected)
            if 0 < gap <= _MAX_CONCEALED_TICKS:
                self._fill(gap, clock, emit)
            elif gap != 0:
                self._pending = self._concealed = None
        self._comfort = None
        self._expected = (packet.timestamp + len(packet.payload)) & 0xFFFFFFFF
        pcm = self._decoder.decode(packet.payload)
        if self._concealed is not None:
            pcm = join(self._concealed, pcm, self.codec.rate)
            self._concealed = None
        self._recent.append(pcm)
        if self._recording is not None:
            self._recording.put(CALLER, self._place(packet.timestamp, clock), pcm)
        self._frames(pcm, emit)

    def _fill(self, ticks: int, clock: int, emit: Emit) -> None:
        """Make up the audio of a gap."""
        assert self._expected is not None
        count = ticks * self._scale
        if self._comfort is not None:
            pcm = comfort_noise(self._comfort, count, seed=self._expected)
        else:
            parts = [self._decoder.decode(part) if isinstance(part, bytes) else part for part in self._recent]
            history = np.concatenate(parts) if parts else np.zeros(0, np.int16)
            pcm = conceal(history[-_HISTORY_FRAMES * self._frame :], count, self.codec.rate)
            self.concealed_ticks += ticks
            self._concealed = pcm
        if self._recording is not None:
            self._recording.put(CALLER, self._place(self._expected, clock), pcm)
        self._frames(pcm, emit)

    def _frames(self, pcm: Pcm, emit: Emit) -> None:
        if self._pending is not None:
            pcm = np.concatenate([self._pending, pcm])
        whole = pcm.size - pcm.size % self._frame
        for start in range(0, whole, self._frame):
            emit(self, pcm[start : start + self._frame])
        self._pending = pcm[whole:] if whole < pcm.size else None

    def _place(self, timestamp: int, clock: int) -> int:
        """Where on the recording's time line a packet belongs: by its own clock, while that keeps step."""
        now = clock - self.opened
        if self._anchor is not None:
            at, position = self._anchor
            placed = position + timestamp_delta(timestamp, at)
            if abs(placed - now) <= _MAX_DRIFT_TICKS:
                return placed
        self._anchor = (timestamp, now)
        return now

    # -- what goes ------------------------------------------------------------------------------------------

    def next_payload(self, clock: int) -> bytes | None:
        """What is sent next, None for silence; it is recorded where the clock is."""
        payload = self.send_queue.pop()
        if self._recording is not None and (last := self.send_queue.last) is not None:
            ahead = FRAME_SAMPLES if self.leads else 0
            self._recording.put(ASSISTANT, clock - self.opened + ahead, last)
        return payload

    def statistics(self, clock: int) -> dict[str, int | float]:
        """What was counted until now; the keys are those of the call's record."""
        counters = self.jitter.counters
        held = counters.held_seconds / counters.held if counters.held else 0.0
        return {
            "packetsSent": (clock - self.opened) // FRAME_SAMPLES + self.extra,
            "packetsReceived": counters.received,
            "packetsLost": counters.lost,
            "packetsLate": counters.late,
            "packetsDuplicated": counters.duplicated,
            "packetsReordered": counters.reordered,
            "packetsMalformed": self.malformed,
            "packetsOfWrongType": self.wrong_type,
            "streamRestarts": counters.restarts,
            "jitterMs": round(self.jitter.jitter_ticks / SAMPLE_RATE * 1000, 2),
            "jitterBufferPackets": counters.held,
            "jitterBufferMs": round(held * 1000, 1),
            "jitterBufferMaxMs": round(counters.longest_seconds * 1000, 1),
            "concealedSeconds": round(self.concealed_ticks / FRAME_SAMPLES * PTIME_SECONDS, 2),
        }

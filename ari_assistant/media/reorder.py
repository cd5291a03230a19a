"""Putting received RTP packets back in order, with a bounded wait for the missing ones."""

from __future__ import annotations

from dataclasses import dataclass

from ari_assistant.media.rtp import RtpPacket, sequence_delta

__all__ = ["Reorder", "ReorderCounters"]


@dataclass(slots=True)
class ReorderCounters:
    """What happened to the packets of one stream."""

    received: int = 0
    lost: int = 0
    """Numbers that were skipped because their packet did not come in time."""
    late: int = 0
    """Packets that came after their number had been skipped."""
    duplicated: int = 0
    reordered: int = 0
    restarts: int = 0
    """New SSRCs, and jumps too large to be loss: the stream began anew."""


class Reorder:
    """Releases packets in the order of their sequence numbers.

    A packet in order is released at once. One that is ahead waits until the gap is filled, until `depth`
    packets wait, or until `wait_seconds` have passed since it came; then the missing numbers are counted as
    lost. Memory is bounded by `depth`.
    """

    def __init__(self, *, depth: int = 4, wait_seconds: float = 0.06) -> None:
        self.counters = ReorderCounters()
        self._depth = depth
        self._wait_seconds = wait_seconds
        self._ssrc: int | None = None
        self._next = 0
        self._waiting: dict[int, tuple[RtpPacket, float]] = {}

    def push(self, packet: RtpPacket, *, now: float) -> list[RtpPacket]:
        """Take a packet at `now` (seconds, monotonic); return those that are due, in order."""
        self.counters.received += 1
        released: list[RtpPacket] = []
        ahead = sequence_delta(packet.sequence_number, self._next)
        if packet.ssrc != self._ssrc or not -1_000 < ahead < 1_000:
            released = self._release_all()
            if self._ssrc is not None:
                self.counters.restarts += 1
            self._ssrc = packet.ssrc
            self._next = packet.sequence_number
            ahead = 0
        if ahead < 0:
            self.counters.late += 1
            return released
        if packet.sequence_number in self._waiting:
            self.counters.duplicated += 1
            return released
        self._waiting[packet.sequence_number] = (packet, now)
        if ahead > 0:
            self.counters.reordered += 1
        released += self._in_order()
        while len(self._waiting) >= self._depth:
            released += self._skip_gap()
        return released + self.handle_deadline(now)

    def handle_deadline(self, now: float) -> list[RtpPacket]:
        """Give up on gaps whose first waiting packet has waited too long; return what is released."""
        released: list[RtpPacket] = []
        while self._waiting and min(at for _, at in self._waiting.values()) + self._wait_seconds <= now:
            released += self._skip_gap()
        return released

    def _in_order(self) -> list[RtpPacket]:
        released = []
        while (entry := self._waiting.pop(self._next, None)) is not None:
            released.append(entry[0])
            self._next = (self._next + 1) & 0xFFFF
        return released

    def _skip_gap(self) -> list[RtpPacket]:
        nearest = min(self._waiting, key=lambda number: sequence_delta(number, self._next))
        self.counters.lost += sequence_delta(nearest, self._next)
        self._next = nearest
        return self._in_order()

    def _release_all(self) -> list[RtpPacket]:
        released: list[RtpPacket] = []
        while self._waiting:
            released += self._skip_gap()
        return released

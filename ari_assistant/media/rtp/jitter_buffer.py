"""Received RTP packets in order: none waits when none is missing, and no longer than the stream's own jitter says.

Nobody listens to this audio with an ear: it goes to detectors and recognisers, which want every packet as soon as it is
there and do not mind that the next one is late. So the buffer does not delay the stream by a fixed time, as that of a
telephone does. It holds packets back only while one before them is missing, and what it learns is how long that is
worth it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ari_assistant.audio.frame import SAMPLE_RATE
from ari_assistant.media.rtp.packet import RtpPacket, sequence_delta

__all__ = ["JitterBuffer", "JitterCounters"]

_RESTART = 1_000
"""A jump of so many sequence numbers is a new stream, not loss."""
_FORGET_SECONDS = 30.0
"""Half of what was learnt about late packets is forgotten in so long."""


@dataclass(slots=True)
class JitterCounters:
    """What happened to the packets of one stream."""

    received: int = 0
    lost: int = 0
    """Numbers that were given up because their packet did not come in time."""
    late: int = 0
    """Packets that came after their number had been given up."""
    duplicated: int = 0
    reordered: int = 0
    restarts: int = 0
    """New SSRCs, and jumps too large to be loss: the stream began anew."""
    held: int = 0
    """Packets that had to wait for one before them."""
    held_seconds: float = 0.0
    """How long they waited, in all."""
    longest_seconds: float = 0.0


class JitterBuffer:
    """One stream's packets in the order of their sequence numbers.

    Memory is bounded by `depth` packets. Times are in seconds of one monotonic clock, which may jump.
    """

    __slots__ = (
        "_depth", "_given_up", "_late", "_late_at", "_least", "_most", "_next", "_ssrc", "_transit", "_waiting",
        "counters", "jitter_ticks",
    )  # fmt: skip

    def __init__(self, *, least_seconds: float = 0.02, most_seconds: float = 0.2, depth: int = 25) -> None:
        """A missing packet is waited for between `least_seconds` and `most_seconds`."""
        self.counters = JitterCounters()
        self.jitter_ticks = 0.0
        """Interarrival jitter in ticks of 1/8000 s (RFC 3550 §6.4.1)."""
        self._least = least_seconds
        self._most = most_seconds
        self._depth = depth
        self._ssrc: int | None = None
        self._next = 0
        self._transit: float | None = None
        self._waiting: dict[int, tuple[RtpPacket, float]] = {}
        self._given_up: tuple[int, int, float] | None = None
        """First and last number of the gap that was given up last, and since when it had been waited for."""
        self._late = 0.0
        self._late_at = 0.0

    @property
    def waits(self) -> bool:
        """Packets are being held back: call `handle_deadline`."""
        return bool(self._waiting)

    def wait_seconds(self, now: float) -> float:
        """How long a missing packet is waited for now: four times the jitter, or as late as packets have been."""
        age = max(0.0, now - self._late_at)
        late = self._late * 0.5 ** (age / _FORGET_SECONDS) if self._late else 0.0
        return min(self._most, max(self._least, 4 * self.jitter_ticks / SAMPLE_RATE, 1.2 * late))

    def passes(self, number: int, timestamp: int, ssrc: int, arrival: float) -> bool:
        """The way of almost every packet: True when it is the expected one and nothing waits. It is taken then."""
        if number != self._next or ssrc != self._ssrc or self._waiting:
            return False
        self._next = (number + 1) & 0xFFFF
        self.counters.received += 1
        transit = arrival * SAMPLE_RATE - timestamp
        if self._transit is not None:
            difference = abs(transit - self._transit)
            if difference < SAMPLE_RATE:  # else the timestamps have wrapped, or begun anew
                self.jitter_ticks += (difference - self.jitter_ticks) / 16
        self._transit = transit
        return True

    def push(self, packet: RtpPacket, *, now: float) -> list[RtpPacket]:
        """Take any packet; return those that are due, in order."""
        released: list[RtpPacket] = []
        ahead = sequence_delta(packet.sequence_number, self._next)
        if packet.ssrc != self._ssrc or not -_RESTART < ahead < _RESTART:
            released = self._release_all(now)
            if self._ssrc is not None:
                self.counters.restarts += 1
            self._ssrc, self._next = packet.ssrc, packet.sequence_number
            self._transit = self._given_up = None
            ahead = 0
        if ahead < 0:
            self.counters.received += 1
            self._behind(packet.sequence_number, now)
            return released
        if self.passes(packet.sequence_number, packet.timestamp, packet.ssrc, now):
            return [*released, packet]
        self.counters.received += 1
        if packet.sequence_number in self._waiting:
            self.counters.duplicated += 1
            return released
        self._waiting[packet.sequence_number] = (packet, now)
        if ahead > 0:
            self.counters.reordered += 1
        released += self._in_order(now)
        while len(self._waiting) >= self._depth:
            released += self._give_up_gap(now)
        return released + self.handle_deadline(now)

    def handle_deadline(self, now: float) -> list[RtpPacket]:
        """Give up on gaps that have been waited for long enough; return what is released."""
        released: list[RtpPacket] = []
        while self._waiting and min(at for _, at in self._waiting.values()) + self.wait_seconds(now) <= now:
            released += self._give_up_gap(now)
        return released

    def _behind(self, number: int, now: float) -> None:
        """A packet whose number has gone by."""
        gap = self._given_up
        if gap is None or sequence_delta(number, gap[0]) < 0 or sequence_delta(number, gap[1]) > 0:
            self.counters.duplicated += 1
            return
        self.counters.late += 1
        self._late, self._late_at = min(self._most, max(self._late, now - gap[2])), now

    def _in_order(self, now: float) -> list[RtpPacket]:
        released = []
        counters = self.counters
        while (entry := self._waiting.pop(self._next, None)) is not None:
            packet, since = entry
            released.append(packet)
            self._next = (self._next + 1) & 0xFFFF
            waited = max(0.0, now - since)
            if waited:
                counters.held += 1
                counters.held_seconds += waited
                counters.longest_seconds = max(counters.longest_seconds, waited)
        return released

    def _give_up_gap(self, now: float) -> list[RtpPacket]:
        nearest = min(self._waiting, key=lambda number: sequence_delta(number, self._next))
        missing = sequence_delta(nearest, self._next)
        if missing:
            self.counters.lost += missing
            since = min(at for _, at in self._waiting.values())
            self._given_up = (self._next, (nearest - 1) & 0xFFFF, since)
        self._next = nearest
        return self._in_order(now)

    def _release_all(self, now: float) -> list[RtpPacket]:
        released: list[RtpPacket] = []
        while self._waiting:
            released += self._give_up_gap(now)
        return released

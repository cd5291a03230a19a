"""When the first word may be said: a telephone that was just called does not play yet what it is sent.

From the 200 on a softphone opens its sound device and primes its jitter buffer; what comes meanwhile is thrown away
(Linphone 5.1: 150 ms, measured by `python -m benchmarks first-word`). That it sends says that it is coming up, so the
first word is said `lead_seconds` after its first RTP packet. Who sends nothing (muted, DTX, waiting to hear where to
send to) is not waited for longer than `longest_seconds` after the answer.

The ACK itself is not to be seen by an ARI application. It is not needed: the 200 and our first packet travel the same
way, so between them the telephone has as much time as we leave between sending them, however far away it is.

The machine owns no clock: `now` is in seconds, monotonic.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Opening", "OpeningOptions"]


@dataclass(frozen=True, slots=True)
class OpeningOptions:
    """Durations in seconds."""

    lead_seconds: float = 0.15
    """From the first packet of the far end to the first word."""
    longest_seconds: float = 0.25
    """From the answer to the first word, whatever comes."""


class Opening:
    """Of one call, from its answer at `now` on."""

    def __init__(self, options: OpeningOptions | None = None, *, now: float) -> None:
        options = options or OpeningOptions()
        self._lead = options.lead_seconds
        self._at = now + options.longest_seconds
        self._heard = False
        self.over = False
        """The first word may be said."""

    def receive_packet(self, *, now: float) -> None:
        """The far end sends."""
        if not self._heard:
            self._heard = True
            self._at = min(self._at, now + self._lead)

    def handle_deadline(self, now: float) -> bool:
        """Time has passed; True once, when the first word may be said."""
        if self.over or now < self._at:
            return False
        self.over = True
        return True

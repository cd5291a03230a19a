"""Absolute deadlines for the tick: frame n is due at `start + n · interval`, never "20 ms after the last"."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Due", "Pacer"]


@dataclass(frozen=True, slots=True)
class Due:
    """What has to be done now."""

    frames: int
    """Frames to send: 0 when it is too early, more than 1 to catch up."""
    skipped: int
    """Frames whose time has passed by so far that sending them would be a burst: the clock goes on without
    them."""


class Pacer:
    """Tells when the next frame is due. Seconds of one monotonic clock.

    A delay of up to `catch_up` frames is made good by sending them together (they are due: the far end's
    jitter buffer waits for them). Anything beyond is skipped.
    """

    def __init__(self, *, start: float, interval: float, catch_up: int = 3) -> None:
        self._start = start
        self._interval = interval
        self._catch_up = catch_up
        self._count = 0

    @property
    def deadline(self) -> float:
        """When the next frame is due."""
        return self._start + self._count * self._interval

    def due(self, now: float) -> Due:
        """Take what is due at `now`. A clock that jumped back makes nothing due."""
        behind = now - self.deadline
        if behind < 0:
            return Due(0, 0)
        frames = int(behind / self._interval) + 1
        self._count += frames
        sent = min(frames, self._catch_up)
        return Due(sent, frames - sent)

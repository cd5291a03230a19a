"""May another call come in? A call that cannot be served well is refused before it is answered, never half-served."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["Admission", "Load"]

_BUSY_SHARE: Final = 0.85
"""A media process that works so much of the time has no room for a burst."""
_LATE_MS: Final = 10.0
_LAG_MS: Final = 250.0
_QUEUED_REQUESTS: Final = 24


@dataclass(frozen=True, slots=True)
class Load:
    """How the machine is doing, over the last second."""

    media_busy: float = 0.0
    """Share of the time that the media process works (0 … 1)."""
    media_late_ms: float = 0.0
    """By how much its ticks are late: the 99th percentile, in milliseconds."""
    server_late_ms: float = 0.0
    """How long the server takes to look at what was heard: the 99th percentile, in milliseconds."""
    engine_queue: int = 0
    """Requests that wait for the busiest local speech engine."""


class Admission:
    """Counts the calls, and knows why another one must not come in.

    There are two limits: the one that the operator configured, and what the machine shows: packets that are late, a
    server that lags, speech engines with a queue. The second needs no measuring beforehand and holds for any hardware;
    `capacity` is what it would come to, by the work that the present calls make.
    """

    def __init__(self, *, max_calls: int = 0, load: Callable[[], Load] = Load) -> None:
        """`max_calls` 0: as many as the machine serves well."""
        self._max_calls = max_calls
        self._load = load
        self.calls = 0
        self.refused = 0

    def enter(self) -> None:
        """A call has begun."""
        self.calls += 1

    def leave(self) -> None:
        """A call is over."""
        self.calls -= 1

    def refusal(self, *, new: bool = False) -> str | None:
        """Why the call that has just entered must be refused, or None: it may stay. `new`: it has not entered yet."""
        reason = self._reason(self._load(), self.calls + new)
        if reason is not None:
            self.refused += 1
        return reason

    def _reason(self, load: Load, calls: int) -> str | None:
        if self._max_calls and calls > self._max_calls:
            return f"{self._max_calls} calls are up, the configured limit"
        if calls <= 1:
            return None  # whatever keeps the machine busy, it is not calls
        if load.media_busy > _BUSY_SHARE:
            return f"the media process works {load.media_busy:.0%} of the time"
        if load.media_late_ms > _LATE_MS:
            return f"packets leave {load.media_late_ms:g} ms late"
        if load.server_late_ms > _LAG_MS:
            return f"the server lags {load.server_late_ms:g} ms behind"
        if load.engine_queue > _QUEUED_REQUESTS:
            return f"{load.engine_queue} requests wait for a speech engine"
        return None

    def wire(self) -> dict[str, int | float | None]:
        """For `/health`: calls now, refused since the start, the configured limit, and the estimated capacity."""
        return {
            "calls": self.calls,
            "refused": self.refused,
            "limit": self._max_calls or None,
            "capacity": self.capacity(),
        }

    def capacity(self) -> int | None:
        """How many calls the media process would carry, by what the present ones cost; None while there are too few to
        tell."""
        busy = self._load().media_busy
        if self.calls < 10 or busy < 0.02:
            return None
        return round(self.calls * _BUSY_SHARE / busy)

"""May another call come in? A call that cannot be served well is refused before it is answered, never half-served."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["Admission", "Load"]

_WINDOW_SECONDS: Final = 10.0
_WINDOW_PACKETS: Final = 500
"""Of one call in the window: after a moment without calls a single late packet is not a percentile."""
_GAP_SHARE: Final = 0.01
_BUSY_SHARE: Final = 0.9
"""A media process that works so much of the time has none left."""
_LAG_MS: Final = 250.0
_QUEUED_REQUESTS: Final = 24
_BAD_SECONDS: Final = 3


@dataclass(frozen=True, slots=True)
class Load:
    """How the machine did over one second."""

    packets: int = 0
    """How many packets each call was sent …"""
    over_40: int = 0
    """… of them more than 40 ms after the one before: a caller may hear that …"""
    over_50: int = 0
    """… and more than 50 ms."""
    media_busy: float = 0.0
    """Share of the time that the media process works (0 … 1)."""
    server_late_ms: float = 0.0
    """How long the server takes to look at what was heard: the median, in milliseconds."""
    engine_queue: int = 0
    """Requests that wait for the busiest local speech engine."""


class Admission:
    """Counts the calls, and knows why another one must not come in.

    There are two limits: the one that the operator configured, and what the machine shows over the last ten seconds.
    Its measure is what callers hear: nobody is refused for the media process's sake while 99 % of the packets leave no
    more than 40 ms after the one before. It begins when more than 1 % leave later than 50 ms, or later than 40 ms by a
    process that has no time left, and is over when no more than 1 % are later than 40 ms. Beside it, a server or a
    speech engine that is behind in three seconds of the ten means silence before every reply; that is over when it has
    kept up for ten. The second limit needs no measuring beforehand and holds for any hardware; `capacity` is what it
    would come to, by the work that the present calls make.
    """

    def __init__(self, *, max_calls: int = 0) -> None:
        """`max_calls` 0: as many as the machine serves well."""
        self._max_calls = max_calls
        self._seconds: deque[tuple[float, Load]] = deque()
        self._overload: str | None = None
        self.calls = 0
        self.refused = 0

    def enter(self) -> None:
        """A call has begun."""
        self.calls += 1

    def leave(self) -> None:
        """A call is over."""
        self.calls -= 1

    def observe(self, load: Load, *, now: float) -> None:
        """How the last second was. Call it once a second; `now` in seconds."""
        self._seconds.append((now, load))
        while self._seconds[0][0] <= now - _WINDOW_SECONDS:
            self._seconds.popleft()
        self._overload = self._gaps() or self._late()

    def refusal(self, *, new: bool = False) -> str | None:
        """Why the call that has just entered must be refused, or None: it may stay. `new`: it has not entered yet."""
        calls = self.calls + new
        reason = self._overload if calls > 1 else None  # whatever keeps the machine busy, it is not calls
        if self._max_calls and calls > self._max_calls:
            reason = f"{self._max_calls} calls are up, the configured limit"
        if reason is not None:
            self.refused += 1
        return reason

    def _gaps(self) -> str | None:
        packets = max(_WINDOW_PACKETS, self._sum(lambda load: load.packets))
        over_40 = self._sum(lambda load: load.over_40) / packets
        over_50 = self._sum(lambda load: load.over_50) / packets
        begins = over_50 > _GAP_SHARE or self._busy() > _BUSY_SHARE
        if over_40 > _GAP_SHARE and (begins or self._overload is not None):
            return f"{over_40:.1%} of the packets leave more than 40 ms after the one before"
        return None

    def _late(self) -> str | None:
        for what, bad in (
            (f"the server lags more than {_LAG_MS:g} ms behind", lambda load: load.server_late_ms > _LAG_MS),
            (f"more than {_QUEUED_REQUESTS} requests wait for a speech engine", _queues),
        ):
            seconds = self._sum(bad)
            if seconds >= _BAD_SECONDS or (seconds and self._overload == what):
                return what
        return None

    def _sum(self, of: Callable[[Load], int]) -> int:
        return sum(of(load) for _, load in self._seconds)

    def _busy(self) -> float:
        return sum(load.media_busy for _, load in self._seconds) / max(1, len(self._seconds))

    def wire(self) -> dict[str, int | float | str | None]:
        """For `/health`: calls now, refused since the start, why a further one would be, the configured limit, and the
        estimated capacity."""
        return {
            "calls": self.calls,
            "refused": self.refused,
            "overload": self._overload,
            "limit": self._max_calls or None,
            "capacity": self.capacity(),
        }

    def capacity(self) -> int | None:
        """How many calls the media process would carry, by what the present ones cost; None while there are too few to
        tell."""
        busy = self._busy()
        if self.calls < 10 or busy < 0.02:
            return None
        return round(self.calls * _BUSY_SHARE / busy)


def _queues(load: Load) -> bool:
    return load.engine_queue > _QUEUED_REQUESTS

"""How late things were: histograms of bounded size."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

__all__ = ["Gaps", "LatencyHistogram"]

_HEARD_MS = 40
"""A telephone that holds two packets back has nothing left to play."""
_BROKEN_MS = 50

_LIMITS_MS = (
    0.1,
    0.2,
    0.3,
    0.5,
    0.75,
    1.0,
    1.5,
    2.0,
    3.0,
    5.0,
    7.5,
    10.0,
    15.0,
    20.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
)


class LatencyHistogram:
    """Counts durations; knows their percentiles to the next limit."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_LIMITS_MS) + 1)

    def add(self, seconds: float) -> None:
        """One duration."""
        self._counts[bisect_left(_LIMITS_MS, seconds * 1000)] += 1

    def take(self) -> dict[str, float]:
        """`p50`, `p99` and `max` in milliseconds (the upper limit of their class) since this was called last."""
        total = sum(self._counts)
        sums = list(accumulate(self._counts))
        self._counts = [0] * len(self._counts)
        if not total:
            return {"p50": 0.0, "p99": 0.0, "max": 0.0}

        def reached(share: float) -> float:
            index = next(i for i, count in enumerate(sums) if count >= share * total)
            return _LIMITS_MS[min(index, len(_LIMITS_MS) - 1)]

        return {"p50": reached(0.5), "p99": reached(0.99), "max": reached(1.0)}


class Gaps:
    """How far apart the packets of a call leave: what its caller would hear, were the network perfect."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._packets = self._heard = self._broken = 0
        self._longest = 0.0

    def sent(self, now: float, *, packets: int = 1) -> None:
        """So many packets left together."""
        if self._last is not None:
            gap = (now - self._last) * 1000
            self._packets += packets
            self._heard += gap > _HEARD_MS
            self._broken += gap > _BROKEN_MS
            self._longest = max(self._longest, gap)
        self._last = now

    def pause(self) -> None:
        """Nothing is sent: there are no calls."""
        self._last = None

    def take(self) -> dict[str, float]:
        """Since this was called last: `packets`, how many of them came more than 40 ms (`over40`) and 50 ms (`over50`)
        after the one before, and the longest gap (`max`, ms)."""
        told = {
            "packets": self._packets,
            "over40": self._heard,
            "over50": self._broken,
            "max": round(self._longest, 1),
        }
        self._packets = self._heard = self._broken = 0
        self._longest = 0.0
        return told

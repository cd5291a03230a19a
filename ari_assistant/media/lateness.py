"""How late things were: a histogram of bounded size."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

__all__ = ["Lateness"]

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


class Lateness:
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

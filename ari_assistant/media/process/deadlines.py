"""What is to be done when: the nearest deadline first, so that nothing that comes often keeps anything else waiting."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from itertools import count
from typing import Generic, TypeVar

__all__ = ["Deadlines"]

T = TypeVar("T", bound=Hashable)


class Deadlines(Generic[T]):
    """One deadline each, in seconds of one clock."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._current: dict[T, int] = {}
        """The valid entry of each: an older one stays in the heap until its time, and is skipped then."""
        self._numbers = count()

    @property
    def earliest(self) -> float | None:
        """When `pop` has something to give."""
        self._skip()
        return self._heap[0][0] if self._heap else None

    def put(self, work: T, due: float) -> None:
        """`work` is due then, and not at the time that was said before."""
        number = next(self._numbers)
        self._current[work] = number
        heapq.heappush(self._heap, (due, number, work))

    def pop(self, now: float) -> T | None:
        """What has waited longest beyond its deadline, and is not known here any more; None: nothing is due."""
        self._skip()
        if not self._heap or self._heap[0][0] > now:
            return None
        work = heapq.heappop(self._heap)[2]
        del self._current[work]
        return work

    def _skip(self) -> None:
        while self._heap and self._current.get(self._heap[0][2]) != self._heap[0][1]:
            heapq.heappop(self._heap)

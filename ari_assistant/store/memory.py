"""What was read lately, so that thirty calls to one number do not read the same rows thirty times.

Only where this process is the only writer (SQLite: the data directory is locked): every write of a repository forgets
all that it has read. With PostgreSQL other workers write too, and every read is a query.
"""

from __future__ import annotations

import asyncio
import copy
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar

__all__ = ["ReadMemory"]

_LIMIT = 1_000

T = TypeVar("T")


class ReadMemory:
    """Answers of queries by a key; the one that was used longest ago goes first."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self._answers: OrderedDict[str, object] = OrderedDict()
        self._asking: dict[str, asyncio.Lock] = {}
        self._writes = 0

    async def answer(self, key: str, query: Callable[[], Awaitable[T]]) -> T:
        """The answer of `query`, from memory if it is known; the caller may change what it gets."""
        if not self._enabled:
            return await query()
        known = self._answers.get(key)
        if known is not None:
            self._answers.move_to_end(key)
            return copy.deepcopy(known)  # type: ignore[return-value]
        writes = self._writes
        async with self._asking.setdefault(key, asyncio.Lock()):  # thirty at once ask once
            if key in self._answers:
                return copy.deepcopy(self._answers[key])  # type: ignore[return-value]
            try:
                found = await query()
            finally:
                self._asking.pop(key, None)
            if found is not None and writes == self._writes:  # else it may be what was there before the write
                self._answers[key] = copy.deepcopy(found)
                while len(self._answers) > _LIMIT:
                    self._answers.popitem(last=False)
            return found

    def forget(self) -> None:
        """Something has been written, or is about to be."""
        self._writes += 1
        self._answers.clear()

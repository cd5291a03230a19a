"""The clock of a conversation."""

from __future__ import annotations

import asyncio

__all__ = ["CallClock"]


class CallClock:
    """The event loop's monotonic clock, and how long ago the call was answered. All in seconds."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.answered_at = self.now()
        """By this clock. Until the call is answered: when the clock was made."""

    def now(self) -> float:
        """Moments that can be compared with each other."""
        return self._loop.time()

    def answered(self) -> None:
        """The call is answered now."""
        self.answered_at = self.now()

    def seconds(self) -> float:
        """Since the answer."""
        return self.now() - self.answered_at

"""Keeps a child process running: the media process, the speech engines, our own Asterisk.

When it is started again is policy (`Backoff`, which reads no clock and does not wait); `Supervisor` performs it. What a
start is, and what an end means, each kind of child knows itself (`Child`).
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

__all__ = ["Backoff", "Child", "EventLog", "Supervisor", "child_environment", "ended", "unlogged"]


@dataclass(slots=True)
class Backoff:
    """How long to wait before a process that has ended is started again: each time twice as long, until it has had a
    good life. Then what was wrong is over, and the pauses begin anew."""

    good_seconds: float = 10.0
    """A life in which the process was ready is a good one when it was longer than this …"""
    after_good_seconds: float = 0.1
    """… and what comes after it begins so soon."""
    first_seconds: float = 0.1
    most_seconds: float = 10.0
    _pause: float = 0.0

    def after(self, *, lived_seconds: float, ready: bool) -> float:
        """The pause after a life of `lived_seconds`, in which the process was `ready` or never was, in seconds."""
        if ready and lived_seconds > self.good_seconds:
            self._pause = self.after_good_seconds
        else:
            self._pause = min(self.most_seconds, max(self.first_seconds, self._pause * 2))
        return self._pause


EndT = TypeVar("EndT")


class Child(Protocol[EndT]):
    """A kind of process."""

    async def live(self) -> EndT:
        """One life: start the process, call `Supervisor.up` when it is ready, `Supervisor.down` when it is not any
        more; when it has ended, return what is to be told of that. Nothing is left behind, whatever ends this: a
        cancellation too."""

    def restarting(self, end: EndT, pause: float) -> None:
        """A life has ended so, and the next begins in `pause` seconds: to be logged."""


class Supervisor:
    """Starts a child, and starts it again whenever it has ended."""

    def __init__(self, backoff: Backoff) -> None:
        self.restarts = 0
        self._backoff = backoff
        self._ready = asyncio.Event()
        self._was_ready = False
        self._first_outcome = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Is the process there, and does what it is for?"""
        return self._ready.is_set()

    def up(self) -> None:
        """The process is ready."""
        self._was_ready = True
        self._ready.set()
        self._first_outcome.set()

    def down(self) -> None:
        """It is not any more."""
        self._ready.clear()

    async def wait_ready(self) -> bool:
        """Return when the first start has come to something: whether the process is ready."""
        await self._first_outcome.wait()
        return self.ready

    async def run(self, child: Child[EndT]) -> None:
        """Keep `child` running until cancelled."""
        while True:
            began = time.monotonic()
            self._was_ready = False
            end = await child.live()
            self._first_outcome.set()
            self.restarts += 1
            pause = self._backoff.after(lived_seconds=time.monotonic() - began, ready=self._was_ready)
            child.restarting(end, pause)
            await asyncio.sleep(pause)


async def ended(process: asyncio.subprocess.Process, *, within_seconds: float) -> None:
    """Return when a process that was told to end has ended; it is killed when it takes longer."""
    try:
        async with asyncio.timeout(within_seconds):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def child_environment(**more: str) -> dict[str, str]:
    """Our own environment for a child; its mathematics take one thread, for there are as many children as cores."""
    return {**os.environ, "OMP_NUM_THREADS": "1", **more}


class EventLog(Protocol):
    """Takes what is to be told of a process (a structlog logger does)."""

    def info(self, event: str, /, **fields: Any) -> object: ...
    def error(self, event: str, /, **fields: Any) -> object: ...


class _Unlogged:
    def info(self, event: str, /, **fields: Any) -> None:
        """Nobody wants to know."""

    def error(self, event: str, /, **fields: Any) -> None:
        """Nobody wants to know."""


unlogged: EventLog = _Unlogged()

"""Does the event loop stand? Every call waits while it does, so it is watched as long as the server runs."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from ari_assistant.telemetry import get_logger

__all__ = ["LIMIT_SECONDS", "LoopWatch", "Stall", "standstill"]

log = get_logger("loop")

LIMIT_SECONDS: Final = 0.05
"""The loop may not stand for longer: two and a half packets of a call (ptime 20 ms)."""
_BEAT_SECONDS = 0.01
_LOOK_SECONDS = 0.02
_FRAMES = 8
_OURS = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Stall:
    """The loop stood for `seconds`; `where` is what it did then (the innermost call first),
    if somebody saw it."""

    seconds: float
    where: tuple[str, ...] = ()


def standstill(*, elapsed: float, waited_for_cpu: float) -> float:
    """How long the loop stood, in seconds: by how much a beat was late, without the time in which the machine gave
    the thread no CPU (run-queue delay). `elapsed` is the time since the beat before."""
    return max(0.0, elapsed - _BEAT_SECONDS - max(0.0, waited_for_cpu))


class LoopWatch:
    """Counts the stalls of the running loop. A timer of the loop's own measures them; a thread beside it looks what
    the loop is doing when a beat stays away. Costs some 0.3 % of one core."""

    def __init__(self, told: Callable[[Stall], None] | None = None) -> None:
        """`told` hears of every stall; None logs it."""
        self._told = told if told is not None else _log_stall
        self._beat = 0.0
        self._seen: tuple[str, ...] = ()
        self._done = threading.Event()
        self.stalls = 0
        self.longest = 0.0

    def wire(self) -> dict[str, float]:
        """For `/health`: how often the loop stood for more than 50 ms since the start, and for how long at most."""
        return {"stalls": self.stalls, "longestMs": round(self.longest * 1000, 1)}

    @asynccontextmanager
    async def watching(self) -> AsyncGenerator[None, None]:
        """Watch the running loop for the length of the block."""
        self._beat = time.monotonic()
        beating = asyncio.create_task(self._beats(), name="loop-watch")
        looking = threading.Thread(
            target=self._look, args=(threading.get_ident(),), name="loop-watch", daemon=True
        )
        looking.start()
        try:
            yield
        finally:
            self._done.set()
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            looking.join()

    async def _beats(self) -> None:
        with _RunQueue() as run_queue:
            waited = run_queue.seconds()
            while True:
                await asyncio.sleep(_BEAT_SECONDS)
                now = time.monotonic()
                waited_now = run_queue.seconds()
                stood = standstill(elapsed=now - self._beat, waited_for_cpu=waited_now - waited)
                seen, self._seen = self._seen, ()
                self._beat, waited = now, waited_now
                if stood > LIMIT_SECONDS:
                    self.stalls += 1
                    self.longest = max(self.longest, stood)
                    self._told(Stall(stood, seen))

    def _look(self, loop_thread: int) -> None:
        while not self._done.wait(_LOOK_SECONDS):
            if time.monotonic() - self._beat > LIMIT_SECONDS and not self._seen:
                self._seen = _calls(sys._current_frames().get(loop_thread))


def _calls(frame: FrameType | None) -> tuple[str, ...]:
    """Where a thread is: the innermost call, and those of our own that led there."""
    found: list[str] = []
    while frame is not None and len(found) < _FRAMES:
        file = Path(frame.f_code.co_filename)
        if not found or _OURS in file.parents:
            found.append(f"{file.name}:{frame.f_lineno} {frame.f_code.co_name}")
        frame = frame.f_back
    return tuple(found)


def _log_stall(stall: Stall) -> None:
    log.warning("loop_stood", ms=round(stall.seconds * 1000, 1), where=list(stall.where))


class _RunQueue:
    """How long this thread was ready to run and had no CPU: the second field of Linux's `schedstat`, in ns."""

    def __init__(self) -> None:
        try:
            self._file = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)
        except OSError:  # not Linux, or not told: then waiting for a CPU counts as standing
            self._file = -1

    def __enter__(self) -> _RunQueue:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file >= 0:
            os.close(self._file)

    def seconds(self) -> float:
        return int(os.pread(self._file, 64, 0).split()[1]) / 1e9 if self._file >= 0 else 0.0

"""The server's own tasks: who owns them, how they end, and what they wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ari_assistant.telemetry import get_logger

__all__ = ["BackgroundTasks", "background_tasks", "log_tasks", "start_threads"]

log = get_logger("server")

_THREADS = 8
"""For files, name resolution and the built-in dialogue."""


class BackgroundTasks:
    """Tasks that last as long as the server (`start`), and those that outlive a call (`spawn`; a
    `session.interfaces.TaskOwner`)."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._all: set[asyncio.Task[None]] = set()
        self._of_calls: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Begin a task that the server cannot do without: what it raises ends the server."""
        task = self._group.create_task(work, name=name)
        self._all.add(task)
        task.add_done_callback(self._all.discard)
        return task

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        """Begin a task that outlives a call. What it raises is logged, never fatal."""
        task = self.start(_guarded(work, name), name=name)
        self._of_calls.add(task)
        task.add_done_callback(self._of_calls.discard)

    async def drain(self, *, within_seconds: float) -> None:
        """Give what outlives the calls a while: their last messages."""
        if self._of_calls:
            _, pending = await asyncio.wait(self._of_calls, timeout=within_seconds)
            if pending:
                log.warning("messages_not_delivered", count=len(pending))

    def cancel(self) -> None:
        """End all of them."""
        for task in self._all:
            task.cancel()


async def _guarded(work: Coroutine[Any, Any, Any], name: str) -> None:
    try:
        await work
    except Exception:
        log.exception("background_failed", task=name)


@asynccontextmanager
async def background_tasks() -> AsyncGenerator[BackgroundTasks, None]:
    """Tasks that run for as long as the block does; one that fails ends the block."""
    async with asyncio.TaskGroup() as group:
        tasks = BackgroundTasks(group)
        try:
            yield tasks
        finally:
            tasks.cancel()


async def start_threads() -> None:
    """Start the threads of `asyncio.to_thread`: who starts one waits until it runs, and that must not be a call."""
    threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="asyncio")
    asyncio.get_running_loop().set_default_executor(threads)
    together = threading.Barrier(_THREADS)
    await asyncio.gather(*(asyncio.to_thread(together.wait) for _ in range(_THREADS)))


def log_tasks() -> None:
    """SIGUSR1: what every task waits for, for the operator of a server that seems stuck."""
    for task in asyncio.all_tasks():
        waits_at = []
        step: Any = task.get_coro()
        while step is not None and (frame := getattr(step, "cr_frame", None) or getattr(step, "ag_frame", None)):
            waits_at.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}")
            step = getattr(step, "cr_await", None) or getattr(step, "ag_await", None)
        log.info("task", name=task.get_name(), waits_at=waits_at)

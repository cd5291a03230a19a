"""The tasks of one conversation: each has this owner, which cancels and awaits it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

__all__ = ["ConversationTasks"]


class ConversationTasks:
    """An async context manager: inside it tasks can be begun, and on exit none is left. A task that raises ends the
    block, as in a TaskGroup."""

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._open = False

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Begin a task. Raises CancelledError when the conversation is over: whoever asks is over, too."""
        if not self._open:
            work.close()
            raise asyncio.CancelledError("the conversation is over")
        task = self._group.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        for task in self._tasks:
            task.cancel()
        await self._group.__aexit__(kind, fault, trace)

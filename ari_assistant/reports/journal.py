"""What is stored of a call: its record, as it is now, every time after what was stored before."""

from __future__ import annotations

import asyncio

from ari_assistant.reports.messages import CallMessages
from ari_assistant.reports.record import CallRecord
from ari_assistant.session.interfaces import TaskOwner
from ari_assistant.store.repositories import Calls

__all__ = ["Journal"]

_SAVE_SECONDS = 0.3
"""Several changes within this time are one write: a busy second begins many calls."""


class Journal:
    """Saves one call's record, in order."""

    def __init__(self, calls: Calls, record: CallRecord, messages: CallMessages, background: TaskOwner) -> None:
        self._calls = calls
        self._record = record
        self._messages = messages
        self._background = background
        self._in_order = asyncio.Lock()
        self._due = False

    def save_soon(self) -> None:
        """Store the record soon, as it is then: nobody waits for it, and the caller waits for everything else."""
        if not self._due:
            self._due = True
            self._background.spawn(self._save_soon(), f"store-{self._record.id}")

    async def _save_soon(self) -> None:
        told = self._messages.server is not None
        await asyncio.sleep(0 if told else _SAVE_SECONDS)  # a server that hears of a call may look it up at once
        self._due = False
        if self._record.ending is None:  # else it is saved by who ended it
            await self.save()

    async def save(self) -> None:
        """Store the record as it is now, after those saved before it (the lock is fair)."""
        document = self._record.wire()
        async with self._in_order:
            await self._calls.save(document)

    async def is_kept(self) -> bool:
        """The call is stored, and has not been erased."""
        async with self._in_order:
            return await self._calls.get(self._record.id) is not None

    async def complete(self) -> None:
        """Store the record for the last time. One that has been erased stays erased."""
        document = self._record.wire()
        async with self._in_order:
            await self._calls.save(document, if_there=True)

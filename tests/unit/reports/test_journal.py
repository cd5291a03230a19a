"""A call's record is stored as it is, in order, and never again when it is over."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from ari_assistant.conversation.ending import CALLER_HUNG_UP
from ari_assistant.reports.call_state import CallEvent
from ari_assistant.reports.journal import Journal
from ari_assistant.reports.record import CallRecord, Dialled, Installation
from tests.support.telephony import Background, FakeCalls


class Desk:
    """A journal of one call."""

    def __init__(self) -> None:
        self.calls = FakeCalls()
        self.background = Background()
        self.record = CallRecord(Installation("o", "http://h"), {"id": "n1"}, Dialled({}))
        messages: Any = self
        self.journal = Journal(cast(Any, self.calls), self.record, messages, self.background)

    server = object()
    """Somebody is told of the call."""

    @property
    def statuses(self) -> list[str]:
        return [document["status"] for document in self.calls.saved]


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_several_changes_in_a_row_are_one_write_of_the_last(desk: Desk) -> None:
    desk.journal.save_soon()
    desk.record.happened(CallEvent.DIALLED)
    desk.journal.save_soon()
    desk.record.happened(CallEvent.ANSWERED)
    await desk.background.done()
    assert desk.statuses == ["in-progress"]


async def test_a_change_after_the_write_has_begun_is_written_too_and_after_it(desk: Desk) -> None:
    desk.calls.held = asyncio.Event()
    desk.journal.save_soon()
    await desk.calls.waiting.wait()
    desk.record.happened(CallEvent.DIALLED)
    desk.journal.save_soon()
    desk.record.happened(CallEvent.ANSWERED)
    saving = asyncio.create_task(desk.journal.save())
    desk.calls.held.set()
    await desk.background.done()
    await saving
    assert desk.statuses == ["queued", "in-progress", "in-progress"]


async def test_what_was_to_be_saved_soon_does_not_overwrite_the_end(desk: Desk) -> None:
    desk.journal.save_soon()
    desk.record.ending = CALLER_HUNG_UP
    desk.record.happened(CallEvent.ENDED)
    await desk.journal.save()
    await desk.background.done()
    assert desk.statuses == ["ended"]


async def test_the_last_write_waits_for_those_before_it(desk: Desk) -> None:
    desk.calls.held = asyncio.Event()
    first = asyncio.create_task(desk.journal.save())
    await desk.calls.waiting.wait()
    desk.record.happened(CallEvent.ENDED)
    kept = asyncio.create_task(desk.journal.is_kept())
    last = asyncio.create_task(desk.journal.complete())
    desk.calls.held.set()
    await asyncio.gather(first, last)
    assert await kept, "it is asked after the write that was under way"
    assert desk.statuses == ["queued", "ended"]


async def test_a_call_that_was_erased_stays_erased(desk: Desk) -> None:
    await desk.journal.save()
    assert await desk.journal.is_kept()
    desk.calls.erased = True
    assert not await desk.journal.is_kept()
    await desk.journal.complete()
    assert len(desk.calls.saved) == 1


async def test_a_call_that_nobody_is_told_of_is_stored_a_moment_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    sleep = asyncio.sleep

    async def no_time_passes(seconds: float) -> None:
        waited.append(seconds)
        await sleep(0)

    monkeypatch.setattr("ari_assistant.reports.journal.asyncio.sleep", no_time_passes)
    desk.journal.save_soon()
    await desk.background.done()
    monkeypatch.setattr(Desk, "server", None)
    desk.journal.save_soon()
    await desk.background.done()
    assert waited[0] == 0 < waited[1]
    assert len(desk.calls.saved) == 2

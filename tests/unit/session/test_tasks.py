"""No task of a conversation outlives it."""

from __future__ import annotations

import asyncio

import pytest

from ari_assistant.session.tasks import ConversationTasks


async def never() -> None:
    await asyncio.get_running_loop().create_future()


async def test_a_conversation_that_ends_ends_its_tasks() -> None:
    async with ConversationTasks() as tasks:
        running = tasks.spawn(never(), "never")
    assert running.cancelled()


@pytest.mark.parametrize("entered", [False, True])
async def test_outside_of_it_none_begins_and_whoever_asks_is_over_too(entered: bool) -> None:
    tasks = ConversationTasks()
    if entered:
        async with tasks:
            pass
    with pytest.raises(asyncio.CancelledError):
        tasks.spawn(never(), "never")


async def test_a_task_that_breaks_ends_the_conversation_with_its_fault() -> None:
    async def breaks() -> None:
        raise OSError("broken")

    async def converse() -> None:
        async with ConversationTasks() as tasks:
            tasks.spawn(breaks(), "breaks")
            await never()

    with pytest.raises(ExceptionGroup) as raised:
        await converse()
    assert raised.group_contains(OSError)

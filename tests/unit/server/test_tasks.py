"""The server's tasks: they end with it, and what outlives a call has its while."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ari_assistant.fault import Fault, faults_in
from ari_assistant.server.tasks import background_tasks, log_tasks


async def for_ever() -> None:
    await asyncio.Event().wait()


async def fails() -> None:
    raise Fault("it is broken")


async def test_tasks_end_with_the_block() -> None:
    async with background_tasks() as tasks:
        lasting = tasks.start(for_ever(), name="lasting")
        tasks.spawn(for_ever(), "of-a-call")
        await asyncio.sleep(0)  # they have begun
    assert lasting.cancelled()


async def test_a_task_that_fails_ends_the_block() -> None:
    async def serve() -> None:
        async with background_tasks() as tasks:
            tasks.start(fails(), name="fails")
            await for_ever()

    with pytest.raises(BaseExceptionGroup) as raised:
        await serve()
    assert [str(fault) for fault in faults_in(raised.value)] == ["it is broken"]


async def test_what_outlives_a_call_may_fail_and_is_told(log_lines: list[Any]) -> None:
    async with background_tasks() as tasks:
        tasks.spawn(fails(), "outbox-1")
        await tasks.drain(within_seconds=10)
    assert [(line["event"], line["task"]) for line in log_lines] == [("background_failed", "outbox-1")]


async def test_the_last_messages_are_waited_for() -> None:
    sent: list[str] = []
    may_go = asyncio.Event()

    async def send() -> None:
        await may_go.wait()
        sent.append("report")

    async with background_tasks() as tasks:
        tasks.start(for_ever(), name="not waited for")
        tasks.spawn(send(), "outbox-1")
        asyncio.get_running_loop().call_soon(may_go.set)
        await tasks.drain(within_seconds=10)
        assert sent == ["report"]


async def test_but_not_for_ever(log_lines: list[Any]) -> None:
    async with background_tasks() as tasks:
        tasks.spawn(for_ever(), "outbox-1")
        tasks.spawn(for_ever(), "outbox-2")
        await tasks.drain(within_seconds=0)
    assert [(line["event"], line["count"]) for line in log_lines] == [("messages_not_delivered", 2)]


async def test_a_drain_with_nothing_to_wait_for_is_over() -> None:
    async with background_tasks() as tasks:
        await tasks.drain(within_seconds=0)


async def test_every_task_tells_what_it_waits_for(log_lines: list[Any]) -> None:
    async with background_tasks() as tasks:
        tasks.start(for_ever(), name="stuck")
        await asyncio.sleep(0)
        log_tasks()
    told = {line["name"]: line["waits_at"] for line in log_lines if line["event"] == "task"}
    assert "for_ever" in told["stuck"][0]
    assert "wait" in told["stuck"][-1]

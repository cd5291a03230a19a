from __future__ import annotations

import asyncio

from ari_assistant.store.memory import ReadMemory


async def test_thirty_at_once_ask_once_and_each_may_change_what_it_gets() -> None:
    memory = ReadMemory(enabled=True)
    asked = 0

    async def query() -> dict[str, list[int]]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return {"a": [1]}

    found = await asyncio.gather(*(memory.answer("key", query) for _ in range(30)))
    found[0]["a"].append(2)
    assert (await memory.answer("key", query)) == {"a": [1]}
    assert asked == 1


async def test_a_write_forgets_also_what_was_being_read_before_it() -> None:
    memory = ReadMemory(enabled=True)
    go_on = asyncio.Event()
    answers = iter(["old", "new"])

    async def query() -> str:
        answer = next(answers)
        await go_on.wait()
        return answer

    reading = asyncio.create_task(memory.answer("key", query))
    await asyncio.sleep(0)
    memory.forget()
    go_on.set()
    assert await reading == "old"
    assert await memory.answer("key", query) == "new"
    assert await memory.answer("key", query) == "new"


async def test_where_others_write_too_nothing_is_remembered() -> None:
    memory = ReadMemory(enabled=False)
    answers = iter(["one", "two"])

    async def query() -> str:
        return next(answers)

    assert [await memory.answer("key", query) for _ in range(2)] == ["one", "two"]


async def test_what_is_not_there_is_asked_for_again() -> None:
    memory = ReadMemory(enabled=True)
    answers = iter([None, "there"])

    async def query() -> str | None:
        return next(answers)

    assert [await memory.answer("key", query) for _ in range(2)] == [None, "there"]

"""The tools of hooks never end a conversation by a fault of theirs."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from ari_assistant.dialogue.history import History
from ari_assistant.dialogue.variables import Variables
from ari_assistant.session.hook_tools import HookTools
from ari_assistant.session.tasks import ConversationTasks
from ari_assistant.session.tool_outcome import Outcome
from ari_assistant.telemetry import Private, get_logger
from ari_assistant.vapi.hook import HookAction
from tests.support.conversation import FakeMessages, fake_surroundings

BOOK = {"type": "function", "function": {"name": "book"}}


class StoredTools:
    async def get(self, resource_id: str, /) -> Any:
        if resource_id == "broken":
            raise OSError("the database is gone")
        return SimpleNamespace(document={"type": "endCall"}) if resource_id == "hang-up" else None


async def ran(action: dict[str, Any], messages: FakeMessages | None = None) -> list[Outcome]:
    variables = Variables({}, History(), log=get_logger("test"))
    surroundings = fake_surroundings(messages=messages or FakeMessages(tool_calls={"result": "Booked."}))
    tools = HookTools(StoredTools(), variables, surroundings, call_id="call")
    async with ConversationTasks() as tasks:
        return await tools.run(HookAction.model_validate(action), tasks)


async def test_a_tool_runs_that_the_hook_describes_or_that_is_stored() -> None:
    (outcome,) = await ran({"type": "tool", "tool": BOOK})
    assert (outcome.call.name, outcome.result) == ("book", "Booked.")
    (outcome,) = await ran({"type": "tool", "toolId": "hang-up", "tool": BOOK})
    assert outcome.ends_call


async def test_the_older_function_is_asked_by_function_call() -> None:
    messages = FakeMessages(function_call={"result": "Done."})
    (outcome,) = await ran({"type": "function", "function": {"name": "log"}}, messages)
    assert outcome.result == "Done."
    assert [kind for kind, _ in messages.asked] == ["function-call"]


async def test_a_hooks_transfer_goes_where_the_tool_says() -> None:
    tool = {"type": "transferCall", "destinations": [{"type": "sip", "sipUri": "sip:bob@example.org"}]}
    (outcome,) = await ran({"type": "tool", "tool": tool})
    assert outcome.transfer is not None
    assert outcome.transfer.sip_uri == "sip:bob@example.org"


async def test_a_result_is_logged_for_the_call_alone(log_lines: list[dict[str, Any]]) -> None:
    await ran({"type": "tool", "tool": BOOK})
    (line,) = (line for line in log_lines if line["event"] == "hook_tool")
    assert (line["call_id"], line["tool"], line["failed"]) == ("call", "book", False)
    assert isinstance(line["result"], Private)


async def test_a_tool_that_is_missing_or_breaks_fails_nothing(log_lines: list[dict[str, Any]]) -> None:
    assert await ran({"type": "tool", "toolId": "nowhere"}) == []
    assert await ran({"type": "tool", "toolId": "broken"}) == []
    assert [line["event"] for line in log_lines] == ["hook_tool_missing", "hook_failed"]


async def test_a_hook_that_is_cancelled_is_no_fault(log_lines: list[dict[str, Any]]) -> None:
    messages = FakeMessages()

    async def never() -> Any:
        await asyncio.get_running_loop().create_future()

    messages.answers["tool-calls"] = never
    running = asyncio.create_task(ran({"type": "tool", "tool": BOOK}, messages))
    while not messages.asked:
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()
    assert log_lines == []

"""Hooks act on a conversation, and never end it by a fault of theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ari_assistant.conversation.hook_actions import HookActions
from ari_assistant.conversation.tool_runner import Outcome
from ari_assistant.dialogue.callers_text import FromCaller
from ari_assistant.dialogue.destination import filled_destination
from ari_assistant.providers.model import ToolCall
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.hook import HookAction


class Conversation:
    """Notes what is done to it."""

    def __init__(self) -> None:
        self.done: list[Any] = []

    def say_soon(self, text: str, *, preface: bool) -> None:
        self.done.append(("say", text, preface))

    def speak_by_prompt(self, prompts: list[str]) -> None:
        self.done.append(("prompt", prompts))

    def caller_wrote(self, text: str) -> None:
        self.done.append(("caller", text))

    def add_message(self, role: str, text: str) -> None:
        self.done.append(("message", role, text))

    async def send_on(self, destination: Destination) -> None:
        self.done.append(("transfer", destination.sip_uri))

    def hang_up(self) -> None:
        self.done.append("hang up")


def fill(template: str, _: Mapping[str, Any]) -> str:
    return template.replace("{{name}}", "Ada")


class Tools:
    async def get(self, tool_id: str) -> None:
        if tool_id == "broken":
            raise OSError("the database is gone")


class Catalogue:
    tools = Tools()


async def done(*actions: dict[str, Any], preface: bool = False) -> list[Any]:
    conversation = Conversation()
    tasks: list[asyncio.Task[Any]] = []

    async def run(tools: Any, calls: list[ToolCall]) -> list[Outcome]:
        return [Outcome(call, "x", ends_call=call.name == "endCall") for call in calls]

    catalogue: Any = Catalogue()
    made = HookActions(
        conversation,
        fill=fill,
        filled=lambda destination: filled_destination(
            destination, fill, {"name": "Ada", "ext": FromCaller("x@evil;")}
        ),
        stored_tools=catalogue.tools,
        run=run,
        spawn=lambda work, name: tasks.append(asyncio.create_task(work, name=name)),
        log=get_logger("test"),
    )
    made.act([HookAction.model_validate(action) for action in actions], preface=preface)
    await asyncio.gather(*tasks)
    return conversation.done


async def test_what_is_said_is_filled_and_may_wait_for_the_caller() -> None:
    say = {"type": "say", "exact": "Hello {{name}}"}
    assert await done(say) == [("say", "Hello Ada", False)]
    assert await done(say, preface=True) == [("say", "Hello Ada", True)]
    assert await done({"type": "say", "prompt": "Greet {{name}}"}) == [("prompt", ["Greet Ada"])]


async def test_messages_are_answered_unless_that_is_not_wanted() -> None:
    def add(role: str, **more: Any) -> dict[str, Any]:
        return {"type": "message.add", "message": {"role": role, "content": "x"}, **more}

    assert await done(add("user")) == [("caller", "x")]
    assert await done(add("user", triggerResponseEnabled=False)) == [("message", "user", "x")]
    assert await done(add("system")) == [("message", "system", "x"), ("prompt", ["x"])]
    assert await done(add("system", triggerResponseEnabled=False)) == [("message", "system", "x")]


async def test_tools_run_and_may_hang_up() -> None:
    assert await done({"type": "tool", "tool": {"type": "endCall"}}) == ["hang up"]
    target = {"type": "sip", "sipUri": "sip:bob@example.org"}
    assert await done({"type": "transfer", "destination": target}) == [("transfer", "sip:bob@example.org")]


async def test_a_tool_that_is_missing_or_breaks_fails_nothing(log_lines: list[dict[str, Any]]) -> None:
    assert await done({"type": "tool", "toolId": "nowhere"}, {"type": "tool", "toolId": "broken"}) == []
    assert {line["event"] for line in log_lines} >= {"hook_tool_missing", "hook_failed"}


async def test_a_transfer_goes_where_its_template_says_and_a_caller_chooses_no_host() -> None:
    def transfer(uri: str) -> dict[str, Any]:
        return {"type": "transfer", "destination": {"type": "sip", "sipUri": uri}}

    assert await done(transfer("sip:{{name}}@pbx.local")) == [("transfer", "sip:Ada@pbx.local")]
    assert await done(transfer("sip:{{ext}}@pbx.local")) == [("transfer", "sip:x%40evil%3B@pbx.local")]
    assert await done(transfer("sip:{{ext}}")) == []

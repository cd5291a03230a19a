"""Doing what hooks want (contract §10.5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol

from ari_assistant.conversation.hooks import exact_text
from ari_assistant.conversation.interfaces import StoredTools
from ari_assistant.conversation.tool_runner import Outcome
from ari_assistant.dialogue.address import AddressRefused
from ari_assistant.dialogue.template import TemplateRenderer, fill_for_speech
from ari_assistant.dialogue.tools import Offered, offered_tools
from ari_assistant.providers.model import ToolCall
from ari_assistant.telemetry import Private
from ari_assistant.vapi.base import new_id
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.hook import HookAction
from ari_assistant.vapi.model import Model

__all__ = ["ConversationControl", "HookActions"]


class ConversationControl(Protocol):
    """What a hook may do to a conversation."""

    def say_soon(self, text: str, *, preface: bool) -> None:
        """Say it now, or before the next answer when the caller speaks (`preface`) or something is being said."""

    def speak_by_prompt(self, prompts: list[str]) -> None:
        """Have the model speak, with these further instructions."""

    def caller_wrote(self, text: str) -> None:
        """Answer `text` as if the caller had said it."""

    def add_message(self, role: str, text: str) -> None:
        """Put a message into the history."""

    def send_on(self, destination: Destination) -> Awaitable[None]:
        """Transfer the caller."""

    def hang_up(self) -> None:
        """End the call from our side."""


class HookActions:
    """Runs actions; none of them ever fails the call."""

    def __init__(
        self,
        conductor: ConversationControl,
        *,
        fill: TemplateRenderer,
        filled: Callable[[Destination], Destination],
        stored_tools: StoredTools,
        run: Callable[[Mapping[str, Offered], list[ToolCall]], Awaitable[list[Outcome]]],
        spawn: Callable[..., Any],
        log: Any,
    ) -> None:
        """`filled` fills a destination's templates; `run(tools, calls)` runs tools; `spawn(work, name)` starts a task
        of the conversation's."""
        self._conductor = conductor
        self._fill = fill
        self._filled = filled
        self._stored_tools = stored_tools
        self._run = run
        self._spawn = spawn
        self._log = log

    def act(self, actions: Iterable[HookAction], *, preface: bool = False) -> None:
        """Do them in order, without waiting. `preface`: the caller is speaking."""
        for action in actions:
            self._log.info("hook", action=action.type)
            match action.type:
                case "say":
                    self._say(action, preface)
                case "message.add":
                    self._add(action)
                case "transfer":
                    if action.destination is not None:
                        self._spawn(self._send_on(action.destination), "hook-transfer")
                case _:
                    self._spawn(self.use_tool(action), "hook-tool")

    async def _send_on(self, destination: Destination) -> None:
        try:
            target = self._filled(destination)
        except AddressRefused as fault:
            self._log.warning("destination_refused", reason=str(fault))
            return
        await self._conductor.send_on(target)

    def _say(self, action: HookAction, preface: bool) -> None:
        text = exact_text(action)
        if text is not None:
            self._conductor.say_soon(fill_for_speech(self._fill, text, {}), preface=preface)
            return
        given = action.prompt
        prompts = [given] if isinstance(given, str) else [m.content or "" for m in given or ()]
        self._conductor.speak_by_prompt([self._fill(prompt, {}) for prompt in prompts if prompt])

    def _add(self, action: HookAction) -> None:
        if action.message is None:
            return
        text = self._fill(action.message.content or "", {})
        answers = action.trigger_response_enabled is not False
        if action.message.role == "user" and answers:
            self._conductor.caller_wrote(text)
            return
        self._conductor.add_message(action.message.role, text)
        if answers:
            self._conductor.speak_by_prompt([text] if action.message.role in ("system", "developer") else [])

    async def use_tool(self, action: HookAction) -> None:
        """Run a hook's tool. Its result goes into the log; its sentences are not said. Never raises."""
        try:
            await self._use_tool(action)
        except Exception:
            self._log.exception("hook_failed", action=action.type)

    async def _use_tool(self, action: HookAction) -> None:
        if action.type == "function":
            model = Model.model_validate({"provider": "hook", "functions": [action.function or {}]})
        else:
            stored = await self._stored_tools.get(action.tool_id) if action.tool_id else None
            document = stored.document if stored is not None else None
            if document is None and action.tool is not None:
                document = action.tool.wire()
            model = Model.model_validate({"provider": "hook", "tools": [document] if document is not None else []})
        tools = offered_tools(model)
        if not tools:
            self._log.warning("hook_tool_missing", id=action.tool_id)
            return
        for outcome in await self._run(tools, [ToolCall(new_id(), name) for name in tools]):
            result = Private(outcome.result[:200])
            self._log.info("hook_tool", tool=outcome.call.name, failed=outcome.failed, result=result)
            if outcome.transfer is not None:
                await self._conductor.send_on(outcome.transfer)
            elif outcome.ends_call:
                self._conductor.hang_up()

"""Hooks of assistants (§10.5) and of phone numbers (§3.3)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ari_assistant.vapi.base import Contract, JsonObject
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.model import Message
from ari_assistant.vapi.tool import Tool

__all__ = ["AssistantHook", "NumberHook", "NumberHookAction"]

Key = Annotated[str, Field(max_length=1_000)]


class HookAction(Contract):
    """What a hook does: `say`, `tool`, `message.add`; older: `transfer`, `function`."""

    type: Literal["say", "tool", "message.add", "transfer", "function"]
    exact: str | list[str] | None = None
    prompt: str | list[Message] | None = None
    tool: Tool | None = None
    tool_id: str | None = None
    message: Message | None = None
    trigger_response_enabled: bool | None = None
    destination: Destination | None = None
    function: JsonObject | None = None
    is_async: bool | None = Field(default=None, alias="async")
    server: JsonObject | None = None


class HookFilter(Contract):
    """The hook runs when the value at `key` is one of these."""

    type: Literal["oneOf"]
    key: Key
    one_of: list[str]


class AssistantHook(Contract):
    """`on` may carry options in brackets: `customer.speech.timeout[timeoutSeconds=10]`."""

    on: Key
    do: list[HookAction]
    filters: list[HookFilter] | None = None
    options: JsonObject | None = None
    name: Key | None = None


class NumberHookAction(Contract):
    """`say` (`exact`) or `transfer`."""

    type: Literal["say", "transfer"]
    exact: Annotated[str, Field(max_length=4_000)] | None = None
    prompt: str | None = None
    destination: Destination | None = None


class NumberHookFilter(Contract):
    """`startsWith` on the caller's number without its `+`, or `oneOf` on `call.endedReason`."""

    type: Literal["startsWith", "oneOf"]
    key: Literal["number", "call.endedReason"]
    starts_with: list[Annotated[str, Field(max_length=20)]] | None = None
    one_of: list[str] | None = None


class NumberHook(Contract):
    """`call.ringing` (a list of actions of which the first counts) or `call.ending` (one action)."""

    on: Literal["call.ringing", "call.ending"]
    filters: list[NumberHookFilter] | None = None
    do: list[NumberHookAction] | NumberHookAction | None = None

    @property
    def action(self) -> NumberHookAction | None:
        """The one that runs."""
        if isinstance(self.do, list):
            return self.do[0] if self.do else None
        return self.do

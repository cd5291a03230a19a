"""The model protocol: the conversation in, text and wishes out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

__all__ = ["ChatMessage", "Model", "ModelEvent", "ModelRequest", "TextDelta", "ToolCall", "ToolSpec", "Usage"]

MessageRole = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model wants a tool. `arguments` is the text of a JSON object, as the model wrote it."""

    id: str
    name: str
    arguments: str = "{}"

    def wire(self) -> dict[str, Any]:
        """In OpenAI's form."""
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of the conversation."""

    role: MessageRole
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    """Of an assistant's message."""
    tool_call_id: str | None = None
    """Of a tool's message: which call it answers."""

    def wire(self) -> dict[str, Any]:
        """In OpenAI's form."""
        message: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.tool_calls:
            message["tool_calls"] = [call.wire() for call in self.tool_calls]
        if self.tool_call_id is not None:
            message["tool_call_id"] = self.tool_call_id
        return message


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model is offered it. `parameters` is the JSON Schema of an object."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})
    strict: bool | None = None

    def wire(self) -> dict[str, Any]:
        """In OpenAI's form."""
        function: dict[str, Any] = {
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        }
        if self.strict is not None:
            function["strict"] = self.strict
        return {"type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What a model is asked."""

    messages: Sequence[ChatMessage]
    """The whole conversation, the system prompt first, the caller's last words last."""
    temperature: float | None = None
    max_tokens: int = 250
    tools: Sequence[ToolSpec] = ()
    json_schema: dict[str, Any] | None = None
    """The reply must be JSON that fits this schema."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Further keys of the request's body (contract §11.2: `call`, `metadata`, …)."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the reply's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of one request, as the provider counted them."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.prompt + other.prompt, self.completion + other.completion, self.cached + other.cached)


ModelEvent = TextDelta | ToolCall | Usage


class Model(Protocol):
    """Answers in a conversation. One instance serves one call."""

    @property
    def name(self) -> str:
        """For logs and call records."""

    def reply(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """The reply as it is made. Raises ProviderError. Closing the generator cancels the request."""

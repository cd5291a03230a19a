"""The model protocol: the conversation in, text and wishes out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

__all__ = ["ChatMessage", "EndCall", "Model", "ModelEvent", "ModelRequest", "TextDelta"]

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of the conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What a model is asked."""

    messages: Sequence[ChatMessage]
    """The whole conversation, the system prompt first, the caller's last words last."""
    temperature: float | None = None
    max_tokens: int = 250
    may_end_call: bool = False
    """Offer the model the function `endCall`."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Further keys of the request's body (contract §11.2: `call`, `metadata`, …)."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the reply's text."""

    text: str


@dataclass(frozen=True, slots=True)
class EndCall:
    """The model wants to hang up when its reply has been heard."""


ModelEvent = TextDelta | EndCall


class Model(Protocol):
    """Answers in a conversation. One instance serves one call."""

    @property
    def name(self) -> str:
        """For logs and call records."""

    def reply(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """The reply as it is made. Raises ProviderError. Closing the generator cancels the request."""

"""What a conversation has come to: what was said, how long it took, what it used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ari_assistant.conversation.timings import Speculation, TurnTimes
from ari_assistant.conversation.usage import Consumption
from ari_assistant.dialogue.history import History
from ari_assistant.vapi.base import JsonObject

__all__ = ["Conversation"]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A view on a session, running or over."""

    history: History
    openai_messages: list[JsonObject]
    """The system prompt and the history."""
    times: Sequence[TurnTimes]
    speculation: Speculation
    statistics: JsonObject
    """What the media plane counted."""
    used: Consumption
    provider_names: JsonObject
    """Who really worked: `model`, `voice`, `transcriber`."""

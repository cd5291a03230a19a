"""What became of one call of a tool."""

from __future__ import annotations

from dataclasses import dataclass

from ari_assistant.providers.model import ToolCall
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.tool import ToolMessage

__all__ = ["Outcome"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tool has brought, and what the conversation does about it."""

    call: ToolCall
    result: str
    """For the model and the history."""
    failed: bool = False
    message: ToolMessage | None = None
    """What is said, or hinted to the model, about it."""
    ends_call: bool = False
    transfer: Destination | None = None
    silent: bool = False
    """The model need not be asked again because of it."""

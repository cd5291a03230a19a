"""What the installation has chosen for its conversations, and what is known of one before it begins."""

from __future__ import annotations

from dataclasses import dataclass, field

from ari_assistant.turns.endpointing import Waits
from ari_assistant.turns.turn_taking import TurnOptions

__all__ = ["ConversationOptions", "Prompts"]


@dataclass(frozen=True, slots=True)
class Prompts:
    """What the platform itself may say to a caller: short, and never an internal error text."""

    not_understood: str = "I'm sorry, I didn't catch that. Could you say it again?"
    trouble: str = "I'm sorry, something went wrong. Please say that again."
    unavailable: str = "I'm sorry, nobody can take your call right now. Please try again later. Goodbye."

    def all(self) -> tuple[str, ...]:
        """Every prompt, to be synthesised before the first call."""
        return (self.not_understood, self.trouble, self.unavailable)


@dataclass(frozen=True, slots=True)
class ConversationOptions:
    """Of one conversation."""

    call_id: str
    rate: int
    """Samples a second of the caller's codec: 8,000 or 16,000."""
    turns: TurnOptions = field(default_factory=TurnOptions)
    """What an assistant's plans do not say."""
    waits: Waits = field(default_factory=Waits)
    prompts: Prompts = field(default_factory=Prompts)

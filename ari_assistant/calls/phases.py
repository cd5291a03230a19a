"""The phases of a call, as types: what exists from a phase on is a field of it.

Arriving → Recorded → Conversing. A call that nobody can take never leaves the first; one that is sent on before it is
answered, or not answered by whom we dialled, never comes to the last. `status` of the Call object is another matter
(`reports.call_state`): it is what the user is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ari_assistant.calls.legs import Legs
from ari_assistant.reports.recorded import Held, Recorded

__all__ = ["Arriving", "Conversing", "Phase"]


@dataclass(frozen=True, slots=True)
class Arriving:
    """There is a channel, and nothing is kept of the call yet."""

    log: Any


@dataclass(frozen=True, slots=True)
class Conversing:
    """Somebody answers: the legs are there or being opened, the conversation is held or about to begin."""

    recorded: Recorded
    held: Held
    legs: Legs

    @property
    def log(self) -> Any:
        """The call's own."""
        return self.recorded.log


Phase = Arriving | Recorded | Conversing

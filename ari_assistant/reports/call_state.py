"""The life of a call, as its record shows it (`status`, contract §4.2)."""

from __future__ import annotations

from enum import Enum
from typing import Final

__all__ = ["TRANSITIONS", "CallEvent", "CallState", "after"]


class CallState(Enum):
    """`status` of the Call object."""

    QUEUED = "queued"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    FORWARDING = "forwarding"
    ENDED = "ended"


class CallEvent(Enum):
    """What can happen to a call."""

    DIALLED = "dialled"
    ANSWERED = "answered"
    FORWARDED = "forwarded"
    RETURNED = "returned"
    """Nobody has taken the caller."""
    ENDED = "ended"


TRANSITIONS: Final[dict[CallState, dict[CallEvent, CallState]]] = {
    CallState.QUEUED: {CallEvent.DIALLED: CallState.RINGING, CallEvent.ENDED: CallState.ENDED},
    CallState.RINGING: {
        CallEvent.ANSWERED: CallState.IN_PROGRESS,
        CallEvent.FORWARDED: CallState.FORWARDING,
        CallEvent.ENDED: CallState.ENDED,
    },
    CallState.IN_PROGRESS: {CallEvent.FORWARDED: CallState.FORWARDING, CallEvent.ENDED: CallState.ENDED},
    CallState.FORWARDING: {CallEvent.RETURNED: CallState.IN_PROGRESS, CallEvent.ENDED: CallState.ENDED},
    CallState.ENDED: {},
}


def after(state: CallState, event: CallEvent) -> CallState | None:
    """The state that follows, or None when the event changes nothing."""
    return TRANSITIONS[state].get(event)

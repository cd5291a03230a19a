"""The life of one reply: prepared unheard, confirmed, heard; or withdrawn, or cut."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from ari_assistant.conversation.actions import ReplySpec, Text

__all__ = ["REPLY_TRANSITIONS", "LiveReply", "ReplyEvent", "ReplyKind", "ReplyState"]


class ReplyState(Enum):
    """Where a reply is in its life."""

    PREPARING = "preparing"
    EMPTY = "empty"
    CONFIRMED = "confirmed"
    HEARD = "heard"
    OVER = "over"
    CUT = "cut"
    WITHDRAWN = "withdrawn"


class ReplyEvent(Enum):
    """What can happen to it."""

    CONFIRM = "confirm"
    """The caller has finished."""
    NOTHING = "nothing to say"
    """Nothing was understood, or it failed."""
    FIRST_FRAME = "first frame"
    DONE = "done"
    """All of it has been heard."""
    CUT = "cut"
    """Something else takes the floor."""
    WITHDRAW = "withdraw"
    """The caller goes on."""


_R, _E = ReplyState, ReplyEvent
REPLY_TRANSITIONS: Final[dict[ReplyState, dict[ReplyEvent, ReplyState]]] = {
    _R.PREPARING: {_E.CONFIRM: _R.CONFIRMED, _E.NOTHING: _R.EMPTY, _E.WITHDRAW: _R.WITHDRAWN},
    _R.EMPTY: {_E.CONFIRM: _R.OVER, _E.WITHDRAW: _R.WITHDRAWN},
    _R.CONFIRMED: {
        _E.FIRST_FRAME: _R.HEARD,
        _E.NOTHING: _R.OVER,
        _E.DONE: _R.OVER,
        _E.CUT: _R.CUT,
        _E.WITHDRAW: _R.WITHDRAWN,
    },
    _R.HEARD: {_E.NOTHING: _R.OVER, _E.DONE: _R.OVER, _E.CUT: _R.CUT},
    _R.OVER: {},
    _R.CUT: {},
    _R.WITHDRAWN: {},
}


class ReplyKind(Enum):
    """Why it is said."""

    ANSWER = "answer"
    """To what the caller said."""
    PROMPTED = "prompted"
    """The model speaks of its own accord."""
    FIXED = "fixed"
    EXCUSE = "excuse"
    """The caller was not understood."""
    ANNOUNCEMENT = "announcement"
    LAST_WORDS = "last words"


@dataclass(slots=True)
class LiveReply:
    """The reply that is being prepared or said."""

    spec: ReplySpec
    kind: ReplyKind
    state: ReplyState
    awaits_words: bool = False
    voice_ended: float = 0.0
    """When the caller was last heard before it."""
    preface: tuple[Text, ...] = ()
    """What it took along to be said first, and …"""
    prompts: tuple[Text, ...] = ()
    """… as further instructions; given back when it is withdrawn unconfirmed."""

    def step(self, event: ReplyEvent) -> bool:
        """Move to the next state; False when the event changes nothing."""
        target = REPLY_TRANSITIONS[self.state].get(event)
        if target is None:
            return False
        self.state = target
        return True

    @property
    def confirmed(self) -> bool:
        """It may be heard."""
        return self.state in (ReplyState.CONFIRMED, ReplyState.HEARD)

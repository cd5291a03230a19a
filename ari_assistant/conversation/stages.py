"""What a conversation is about: talking, an announcement, its last words, nothing while the caller is elsewhere."""

from __future__ import annotations

from enum import Enum
from typing import Final

__all__ = ["STAGE_TRANSITIONS", "Stage", "StageEvent"]


class Stage(Enum):
    """What the conversation is about."""

    WAITING = "waiting"
    """The call has not been answered."""
    TALKING = "talking"
    ASIDE = "aside"
    """The caller is with somebody else: nothing is said, heard or done here."""
    ANNOUNCING = "announcing"
    """Something is said that cannot be interrupted; afterwards they talk on."""
    CLOSING = "closing"
    """The last words are said."""
    OVER = "over"


class StageEvent(Enum):
    """What can happen to it."""

    ANSWERED = "answered"
    STEP_ASIDE = "step aside"
    COME_BACK = "come back"
    ANNOUNCE = "announce"
    ANNOUNCED = "announced"
    LAST_WORDS = "last words"
    END = "end"


_S, _T = Stage, StageEvent
STAGE_TRANSITIONS: Final[dict[Stage, dict[StageEvent, Stage]]] = {
    _S.WAITING: {_T.ANSWERED: _S.TALKING, _T.END: _S.OVER},
    _S.TALKING: {
        _T.STEP_ASIDE: _S.ASIDE,
        _T.ANNOUNCE: _S.ANNOUNCING,
        _T.LAST_WORDS: _S.CLOSING,
        _T.END: _S.OVER,
    },
    _S.ASIDE: {_T.COME_BACK: _S.TALKING, _T.END: _S.OVER},
    _S.ANNOUNCING: {
        _T.ANNOUNCED: _S.TALKING,
        _T.LAST_WORDS: _S.CLOSING,
        _T.END: _S.OVER,
    },
    _S.CLOSING: {_T.END: _S.OVER},
    _S.OVER: {},
}

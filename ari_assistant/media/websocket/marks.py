"""Where Asterisk is in the audio that it was given: pieces with a mark behind each (chan_websocket, MARK_MEDIA)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from ari_assistant.audio.frame import Pcm

__all__ = ["Marks", "Piece"]

_PIECE_SECONDS = 0.1
"""What was heard is known to a tenth of a second."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Audio that is sent in one message, and the mark that follows it."""

    pcm: Pcm
    mark: str


class Marks:
    """Cuts audio into pieces of whole frames, and reads the marks that come back.

    Asterisk plays what it has in frames of 20 ms; what does not fill one waits for more, or for `rest`.
    """

    def __init__(self, rate: int) -> None:
        self._frame = rate // 50
        self._most = round(rate * _PIECE_SECONDS)
        self._epoch = 0
        self._given = 0
        self._rest: Pcm = np.zeros(0, np.int16)
        self._waiting: OrderedDict[str, Pcm] = OrderedDict()

    @property
    def rest_is_due(self) -> bool:
        """Less than a frame waits, and hardly anything is before it."""
        return bool(self._rest.size) and len(self._waiting) <= 1

    @property
    def idle(self) -> bool:
        """Everything that was given has been played."""
        return not self._waiting

    def push(self, pcm: Pcm) -> list[Piece]:
        """The pieces of `pcm` (int16), and what was left before it."""
        whole = np.concatenate([self._rest, pcm]) if self._rest.size else pcm
        end = whole.size - whole.size % self._frame
        self._rest = whole[end:]
        return [self._piece(whole[at : min(at + self._most, end)]) for at in range(0, end, self._most)]

    def rest(self) -> list[Piece]:
        """The rest, filled up with silence: nothing more comes for now."""
        rest, self._rest = self._rest, self._rest[:0]
        return [self._piece(rest, padded=True)] if rest.size else []

    def processed(self, mark: str) -> tuple[int, Pcm] | None:
        """Asterisk has played up to `mark`: the samples since the last flush, and the audio that is new. None for a
        mark of before it."""
        if mark not in self._waiting:
            return None
        parts: list[Pcm] = []
        while self._waiting:
            name, pcm = self._waiting.popitem(last=False)
            parts.append(pcm)
            if name == mark:
                break
        return int(mark.partition("-")[2]), np.concatenate(parts)

    def flush(self) -> None:
        """What waits is dropped."""
        self._epoch += 1
        self._given = 0
        self._rest = self._rest[:0]
        self._waiting.clear()

    def _piece(self, pcm: Pcm, *, padded: bool = False) -> Piece:
        self._given += pcm.size
        mark = f"{self._epoch}-{self._given}"
        self._waiting[mark] = pcm
        if padded:
            pcm = np.pad(pcm, (0, self._frame - pcm.size))
        return Piece(pcm, mark)

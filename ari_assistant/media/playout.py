"""What the assistant says, frame by frame: it can be cut within one frame, and knows what was heard."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from ari_assistant.media.frame import FRAME_SAMPLES, Pcm

__all__ = ["Playout", "Spoken"]


@dataclass(frozen=True, slots=True)
class Spoken:
    """What left the playout of one reply."""

    turn: int
    text: str
    """The words that were played; the last clause is cut at a word's end by its share of samples."""
    samples: int
    complete: bool
    """Everything that was queued has been played and the reply had been finished."""


@dataclass(slots=True)
class _Clause:
    text: str
    samples: int = 0
    played: int = 0
    chunks: deque[Pcm] = field(default_factory=deque)

    def heard(self) -> str:
        if self.played >= self.samples:
            return self.text if self.samples else ""
        letters = len(self.text) * self.played / self.samples
        words, length = [], 0.0
        for word in self.text.split():
            length += len(word)
            if length > letters:
                break
            words.append(word)
            length += 1
        return " ".join(words)


class Playout:
    """The queue between the voice and the pacer, for one call.

    A reply is opened with its turn's number, clauses are pushed, and it is finished; frames are popped at the
    pace of the clock. Whatever carries another turn's number than the open one is dropped: what arrives late
    from a cancelled reply can never be heard.
    """

    def __init__(self) -> None:
        self._turn: int | None = None
        self._clauses: list[_Clause] = []
        self._playing = 0
        self._finished = False

    @property
    def turn(self) -> int | None:
        """The reply that is open, or None."""
        return self._turn

    def open(self, turn: int) -> None:
        """Begin reply `turn`; an earlier one is dropped with all that it had queued."""
        self._turn = turn
        self._clauses = []
        self._playing = 0
        self._finished = False

    def clause(self, turn: int, text: str) -> None:
        """Begin a clause whose words are `text`; the audio pushed next belongs to it."""
        if turn == self._turn:
            self._clauses.append(_Clause(text))

    def push(self, turn: int, pcm: Pcm) -> bool:
        """Queue audio of the newest clause (int16, 8 kHz, any length). False: the turn is not open."""
        if turn != self._turn or not self._clauses:
            return False
        newest = self._clauses[-1]
        if pcm.size:
            newest.chunks.append(pcm)
            newest.samples += pcm.size
        return True

    def finish(self, turn: int) -> None:
        """Nothing more will be pushed for `turn`."""
        if turn == self._turn:
            self._finished = True

    @property
    def queued(self) -> int:
        """Samples that wait to be played."""
        return sum(clause.samples - clause.played for clause in self._clauses[self._playing :])

    @property
    def text(self) -> str:
        """The words of the open reply so far, heard or not."""
        return " ".join(clause.text for clause in self._clauses)

    @property
    def drained(self) -> bool:
        """The open reply was finished and all of it has been played; also true when none is open."""
        return self._turn is None or (self._finished and self.queued == 0)

    def pop(self) -> Pcm | None:
        """The next frame (int16, 160 samples, the last one padded with silence), or None for silence."""
        parts: list[Pcm] = []
        missing = FRAME_SAMPLES
        while missing and self._playing < len(self._clauses):
            clause = self._clauses[self._playing]
            if not clause.chunks:
                if self._playing == len(self._clauses) - 1:
                    break  # more audio of this clause may come
                self._playing += 1
                continue
            chunk = clause.chunks.popleft()
            if chunk.size > missing:
                clause.chunks.appendleft(chunk[missing:])
                chunk = chunk[:missing]
            clause.played += chunk.size
            missing -= chunk.size
            parts.append(chunk)
        if not parts:
            return None
        if missing == 0 and len(parts) == 1:
            return parts[0]
        return np.concatenate([*parts, np.zeros(missing, np.int16)])

    def spoken(self) -> Spoken | None:
        """What has been heard of the open reply so far, or None when none is open."""
        if self._turn is None:
            return None
        heard = [clause.heard() for clause in self._clauses]
        return Spoken(
            turn=self._turn,
            text=" ".join(text for text in heard if text),
            samples=sum(clause.played for clause in self._clauses),
            complete=self.drained,
        )

    def close(self) -> Spoken | None:
        """End the open reply at once, drop what was queued, and tell what was heard of it."""
        spoken = self.spoken()
        self._turn = None
        self._clauses = []
        self._playing = 0
        self._finished = False
        return spoken

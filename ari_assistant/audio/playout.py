"""What the assistant says: it can be cut or held within one frame, and knows what was heard."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm

__all__ = ["Playout", "Sink", "Spoken", "heard_words"]

_VOWELS = re.compile(r"[aeiouyäöüáéíóúàèìòùâêîôûå]+")
_REWIND_HOPS = 80
"""A held reply goes on at a word's beginning at most 0.8 s before the cut."""


class Sink(Protocol):
    """Where the audio goes: it is sent in real time, and what has been sent comes back to `Playout.played`."""

    def play(self, pcm: Pcm) -> None:
        """Queue audio."""

    def flush(self) -> None:
        """Drop what is queued; what is played counts from zero again."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What left the playout of one reply."""

    turn: int
    text: str
    """The words that were played."""
    samples: int
    complete: bool
    """Everything that was queued has been played and the reply had been finished."""


def _loudness(pcm: Pcm, hop: int) -> NDArray[np.float64]:
    """RMS of every `hop` samples (10 ms)."""
    whole = pcm[: pcm.size - pcm.size % hop].astype(np.float64).reshape(-1, hop)
    rms: NDArray[np.float64] = np.sqrt((whole**2).mean(axis=1))
    return rms


def heard_words(text: str, pcm: Pcm, played: int, rate: int = SAMPLE_RATE) -> str:
    """The words of `text` that were heard when `played` of the samples of `pcm` (at `rate`) had been played.

    No voice tells when it says a word, so the time is shared out: each word takes part of the time that is not silent
    (pauses say nothing), by its letters and its syllables. A word of which most was heard counts. How good this is,
    `python -m benchmarks conversation` tells.
    """
    words = text.split()
    if played >= pcm.size or not words:
        return text if pcm.size else ""
    hop = rate // 100
    loud = _loudness(pcm, hop)
    voiced = np.cumsum(loud > 0.01 * loud.max(initial=0.0)) if loud.size else np.zeros(0)
    total = float(voiced[-1]) if voiced.size else 0.0
    at = min(played // hop, voiced.size) - 1
    share = float(voiced[at]) / total if total and at >= 0 else 0.0
    weights = [_weight(word) for word in words]
    limit = share * sum(weights)
    end = 0.0
    heard = []
    for word, weight in zip(words, weights, strict=True):
        if end + 0.6 * weight > limit:
            break
        end += weight
        heard.append(word)
    return " ".join(heard)


def _weight(word: str) -> float:
    letters = sum(c.isalpha() for c in word)
    digits = sum(c.isdigit() for c in word)  # "5" is said as "five"
    syllables = len(_VOWELS.findall(word.lower())) + digits
    return 1.0 + letters + 4.0 * digits + 2.0 * syllables


@dataclass(slots=True)
class _Clause:
    text: str
    rate: int
    chunks: list[Pcm] = field(default_factory=list)
    samples: int = 0
    played: int = 0
    heard: int = 0
    """The furthest sample that was played: a rewound clause has been heard further than it now plays."""

    @property
    def pcm(self) -> Pcm:
        if len(self.chunks) != 1:
            self.chunks = [np.concatenate(self.chunks)] if self.chunks else [np.zeros(0, np.int16)]
        return self.chunks[0]

    def words(self) -> str:
        if self.heard >= self.samples:
            return self.text if self.samples else ""
        return heard_words(self.text, self.pcm, self.heard, self.rate)

    def take(self, count: int) -> Pcm:
        """Up to `count` samples from the place that is reached."""
        parts: list[Pcm] = []
        start = 0
        for chunk in self.chunks:
            if start + chunk.size > self.played and count:
                part = chunk[self.played - start : self.played - start + count]
                parts.append(part)
                self.played += part.size
                count -= part.size
            start += chunk.size
        self.heard = max(self.heard, self.played)
        return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.zeros(0, np.int16)

    def rewind(self) -> None:
        """Back to where a word begins: behind the quietest 30 ms before the cut."""
        hop = self.rate // 100
        start = max(0, self.played - _REWIND_HOPS * hop)
        if start == 0 and self.played < _REWIND_HOPS * hop // 2:
            self.played = 0
            return
        loud = _loudness(self.pcm[start : self.played], hop)
        if loud.size < 6:
            self.played = start
            return
        smooth = np.convolve(loud, np.ones(3) / 3, "valid")[: loud.size - 5]  # not the cut itself
        quietest = int(smooth.argmin()) + 1
        self.played = start + quietest * hop


class Playout:
    """What is between the voice and the line, for one call.

    A reply is opened with its turn's number, clauses are pushed, and it is finished; the audio goes straight on to the
    sink, which sends it at the pace of its clock and tells how much has gone out. Whatever carries another turn's
    number than the open one is dropped: what arrives late from a cancelled reply can never be heard.
    """

    def __init__(self, sink: Sink, *, rate: int = SAMPLE_RATE) -> None:
        """`rate`: samples a second of what is pushed."""
        self._sink = sink
        self._rate = rate
        self._turn: int | None = None
        self._clauses: list[_Clause] = []
        self._playing = 0
        self._finished = False
        self._held = False
        self._paused = False
        self._told = 0
        """Samples that the sink has told of since it was flushed."""
        self._given = False
        """The sink may have something to drop."""

    @property
    def turn(self) -> int | None:
        """The reply that is open, or None."""
        return self._turn

    @property
    def silent(self) -> bool:
        """Nothing goes out for the time being."""
        return self._held or self._paused

    def open(self, turn: int) -> None:
        """Begin reply `turn`; an earlier one is dropped with all that it had queued."""
        self._reset(turn)

    def clause(self, turn: int, text: str) -> None:
        """Begin a clause whose words are `text`; the audio pushed next belongs to it."""
        if turn == self._turn:
            self._clauses.append(_Clause(text, self._rate))

    def push(self, turn: int, pcm: Pcm) -> bool:
        """Queue audio of the newest clause (int16, any length). False: the turn is not open."""
        if turn != self._turn or not self._clauses:
            return False
        newest = self._clauses[-1]
        if pcm.size:
            newest.chunks.append(pcm)
            newest.samples += pcm.size
            if not self.silent:
                self._given = True
                self._sink.play(pcm)
        return True

    def finish(self, turn: int) -> None:
        """Nothing more will be pushed for `turn`."""
        if turn == self._turn:
            self._finished = True

    def hold(self) -> None:
        """Fall silent from the next frame on; what is queued stays."""
        if self._turn is not None and not self._held:
            self._held = True
            self._flush()

    def resume(self) -> None:
        """Go on with what was held, from the beginning of the word that was cut."""
        if not self._held:
            return
        self._held = False
        rest = self._clauses[self._playing :]
        if rest and 0 < rest[0].played < rest[0].samples:
            rest[0].rewind()
        self._give(rest)

    def pause(self) -> None:
        """Nobody listens: whatever reply is open, and whichever is opened, waits until `unpause`."""
        self._paused = True
        self._flush()

    def unpause(self) -> None:
        """Somebody listens again: go on at the beginning of the clause that was cut."""
        if not self._paused:
            return
        self._paused = False
        rest = self._clauses[self._playing :]
        if rest and rest[0].played < rest[0].samples:
            rest[0].played = 0
        self._give(rest)

    def _give(self, clauses: list[_Clause]) -> None:
        """Have the sink play what is left of them."""
        for clause in clauses:
            if clause.played < clause.samples and not self.silent:
                self._given = True
                self._sink.play(clause.pcm[clause.played :])

    def played(self, samples: int) -> Pcm:
        """The sink has sent `samples` since it was flushed; returns those that are new."""
        parts: list[Pcm] = []
        missing = samples - self._told
        self._told = samples
        while missing > 0 and self._playing < len(self._clauses):
            clause = self._clauses[self._playing]
            if clause.played == clause.samples:
                if self._playing == len(self._clauses) - 1:
                    break
                self._playing += 1
                continue
            part = clause.take(missing)
            missing -= part.size
            parts.append(part)
        return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.zeros(0, np.int16)

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

    def spoken(self) -> Spoken | None:
        """What has been heard of the open reply so far, or None when none is open."""
        if self._turn is None:
            return None
        heard = [clause.words() for clause in self._clauses]
        return Spoken(
            turn=self._turn,
            text=" ".join(text for text in heard if text),
            samples=sum(clause.heard for clause in self._clauses),
            complete=self.drained,
        )

    def close(self) -> Spoken | None:
        """End the open reply at once, drop what was queued, and tell what was heard of it."""
        spoken = self.spoken()
        self._reset(None)
        return spoken

    def _reset(self, turn: int | None) -> None:
        self._flush()
        self._turn = turn
        self._clauses = []
        self._playing = 0
        self._finished = self._held = False

    def _flush(self) -> None:
        if self._given:
            self._given = False
            self._told = 0
            self._sink.flush()

"""What speech over a reply means: does it interrupt (`stopSpeakingPlan`, contract §10.2)?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

__all__ = ["ACKNOWLEDGEMENTS", "INTERRUPTIONS", "InterruptionPlan"]

ACKNOWLEDGEMENTS: Final = (
    "i understand", "i see", "i got it", "i hear you", "im listening", "im with you", "right", "okay", "ok", "sure",
    "alright", "got it", "understood", "yeah", "yes", "uh-huh", "mm-hmm", "gotcha", "mhmm", "ah", "yeah okay",
    "yeah sure",
)  # fmt: skip
"""The contract's `acknowledgementPhrases`."""
INTERRUPTIONS: Final = (
    "stop", "shut", "up", "enough", "quiet", "silence", "but", "dont", "not", "no", "hold", "wait", "cut", "pause",
    "nope", "nah", "nevermind", "never", "bad", "actually",
)  # fmt: skip
"""The contract's `interruptionPhrases`."""

_HUMS: Final = frozenset(
    "mm mhm hm hmm mmm mmhm mmhmm mhmm uhhuh uh huh um er ah oh aha ooh eh mmmm mmhmm hmmm mh umhm ahem".split()  # noqa: SIM905
)
"""How recognisers write a hum, a breath or a cough."""
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def _words(text: str) -> list[str]:
    return [re.sub(r"['’-]", "", word) for word in _WORD.findall(text.lower())]


@dataclass(frozen=True, slots=True)
class InterruptionPlan:
    """`num_words` 0: any words interrupt that are no acknowledgement."""

    num_words: int = 0
    acknowledgements: tuple[str, ...] = ACKNOWLEDGEMENTS
    interruptions: tuple[str, ...] = INTERRUPTIONS

    def interrupts(self, text: str) -> bool:
        """`text`: what was recognised of the speech over the reply."""
        words = _words(text)
        if not words or all(word in _HUMS for word in words):
            return False
        if self._contains(words, self.interruptions):
            return True
        if self._made_of(words, self.acknowledgements):
            return False
        return len(words) >= max(1, self.num_words)

    @staticmethod
    def _contains(words: list[str], phrases: Iterable[str]) -> bool:
        said = f" {' '.join(words)} "
        return any(f" {' '.join(_words(phrase))} " in said for phrase in phrases if _words(phrase))

    @staticmethod
    def _made_of(words: list[str], phrases: Iterable[str]) -> bool:
        """Nothing but acknowledgements and hums, one after the other: `yeah, okay, mm-hm`."""
        known = sorted((tuple(_words(phrase)) for phrase in phrases), key=len, reverse=True)
        at = 0
        while at < len(words):
            step = next((len(p) for p in known if p and tuple(words[at : at + len(p)]) == p), 0)
            if step == 0 and words[at] in _HUMS:
                step = 1
            if step == 0:
                return False
            at += step
        return True

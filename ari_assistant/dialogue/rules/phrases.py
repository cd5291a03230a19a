"""What people say on every telephone: greetings, thanks, leave-takings, `pardon?`, `one moment`.

An utterance is one of these when it is made of such phrases and of nothing else. `Bye` takes leave; `I said goodbye
to my dentist` and `is that all?` do not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ari_assistant.dialogue.rules.english import PHRASES, SOUNDLESS
from ari_assistant.dialogue.rules.words import words_of

__all__ = ["FoundPhrases", "Phrase", "phrases_in"]


class Phrase(StrEnum):
    """What a phrase does. The later one is what an utterance with several is about."""

    FILLER = "filler"
    YES = "yes"
    NO = "no"
    GREETING = "greeting"
    THANKS = "thanks"
    DECLINE = "decline"
    """A refusal: `no, thank you`. After `anything else?` it takes leave."""
    HOW_ARE_YOU = "how-are-you"
    WAIT = "wait"
    PARTING = "parting"
    """`I have to go`: the leave-taking is about to come. Who pauses here may go on with `to the station`."""
    REPEAT = "repeat"
    DROP = "drop"
    """`Never mind`: what is going on is to be dropped."""
    WHO = "who"
    HELP = "help"
    LEAVE = "goodbye"


_KINDS: Final = list(Phrase)
_PATTERNS: Final[Sequence[tuple[int, re.Pattern[str]]]] = [
    (n, re.compile(rf"(?:{phrase})\b")) for n, kind in enumerate(_KINDS) for phrase in PHRASES[kind]
]
_ANY: Final = re.compile("|".join(pattern.pattern for _, pattern in _PATTERNS))
_MOST_WORDS: Final = 40
"""What is longer is no phrase: a speech has a matter of its own."""


@dataclass(frozen=True, slots=True)
class FoundPhrases:
    """An utterance taken apart."""

    kinds: frozenset[Phrase]
    """Of the phrases in it."""
    rest: str
    """Its words that belong to no phrase."""
    question: bool
    """It ends with a question mark."""

    @property
    def kind(self) -> Phrase | None:
        """What the utterance is, when nothing but phrases is in it. A leave-taking asks nothing."""
        said = max(self.kinds, key=_KINDS.index, default=None)
        if said is Phrase.LEAVE:
            return None if self.rest or self.question or not self.kinds <= _LEAVES else said
        return said if all(word in SOUNDLESS for word in self.rest.split()) else None


_LEAVES: Final = frozenset(
    {Phrase.LEAVE, Phrase.FILLER, Phrase.THANKS, Phrase.DECLINE, Phrase.YES, Phrase.NO, Phrase.GREETING}
)  # fmt: skip


def phrases_in(text: str, leaving: tuple[str, ...] = ()) -> FoundPhrases:
    """Find the phrases in an utterance, at each place the longest. `leaving` are more phrases that take leave."""
    more = [(_KINDS.index(Phrase.LEAVE), re.compile(rf"{re.escape(phrase)}\b")) for phrase in leaving if phrase]
    said = words_of(text)
    if said.count(" ") >= _MOST_WORDS:
        return FoundPhrases(frozenset(), said, question=False)
    kinds: set[Phrase] = set()
    rest: list[str] = []
    at = 0
    while at < len(said):
        patterns = (*_PATTERNS, *more) if _ANY.match(said, at) else more
        end, kind = max(
            ((found.end(), n) for n, pattern in patterns if (found := pattern.match(said, at))), default=(0, -1)
        )
        if end:
            kinds.add(_KINDS[kind])
            at = end + 1
            continue
        word, _, _ = said[at:].partition(" ")
        rest.append(word)
        at += len(word) + 1
    return FoundPhrases(frozenset(kinds), " ".join(rest), text.rstrip().endswith("?"))

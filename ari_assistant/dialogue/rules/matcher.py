"""Which of several topics is meant? By what the topics' example phrases share with what was said, both ways.

An example must be in the utterance (recall), and the utterance must be about it (precision): `how much` is not `how
are you`, and who says `cancel` does not want to book. Words that people put in many ways (`what do you charge`, `how
expensive is it`) are one concept. Where the evidence is thin or speaks for several topics, the verdict says so, and
the dialogue asks.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from operator import ge
from typing import Final

from ari_assistant.dialogue.rules.english import CONCEPTS, NAMES, SPELLED, STOP_WORDS
from ari_assistant.dialogue.rules.words import sentences_of, words_of

__all__ = ["Matcher", "Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an utterance is about."""

    sure: tuple[int, ...] = ()
    """Topics that were asked for; several when its sentences are about one each. One that acts is the last."""
    perhaps: tuple[int, ...] = ()
    """When there is none: topics that it may be about, the likeliest first."""
    evidence: float = 0.0
    """How much of the sure topic was said. Two plain words of it are 3."""


# -- words --------------------------------------------------------------------------------------------------------

_VISIT: Final = NAMES["VISIT"]
_WHEN: Final = rf"(?:{NAMES['WHEN']})\b"
"""A day, a time or a number says when, and not what."""
_WHEN_SAID: Final = re.compile(_WHEN + "$")
_CONCEPT: Final = re.compile("|".join(rf"(?P<C{n}>\b(?:{concept.said})\b)" for n, concept in enumerate(CONCEPTS)))
_WEIGHTS: Final = {concept.name: concept.weight for concept in CONCEPTS} | {"MINE": 1.2}
_PLAIN_WORD = 1.5
_FOREIGN_WORD = 0.8
"""Of a word that is in no example: it tells that something else may be meant, but people say much around a wish."""
_QUESTIONS: Final = frozenset({"WHEN", "WHO", "WHY", "WHERE-ELSE", "HOW-MANY"})
_ACTIONS: Final = frozenset({"BOOK", "CANCEL", "MOVE"})
_MINE: Final = re.compile(
    rf"\b(?:my|i (?:already )?have (?:got )?an?|i had an?) (?:\w+ )?(?:{_VISIT})\b|\bthe (?:{_VISIT})\b"
)
_ABOUT_MINE: Final = re.compile(
    r"^(?:are|is|was|were|does|did|do)\b"
    r"(?! (?:there|you (?:have|offer|do|take)|it (?:possible|all ?right|okay|fine))\b)"
    r"|^(?:\w+ )?(?:do|did|have|must|should|was|is|does|are|am) (?:i|my)\b"
    r"|\b(?:if|whether) i (?:need|have)\b|\bwhat (?:happens )?if\b"
)
"""`Do I need an appointment?` and `are visits free?` ask about one, and do not make one."""
_AROUND: Final = re.compile(
    r"^(?:(?:hello|hi|hey|well|so|and|okay|please|excuse me|sorry)\s+)+|(?:\s+(?:please|thanks|thank you|then))+$"
)
_CHANGE: Final = re.compile(r"\b(?:mov|chang|shift|switch)")
_DENIED: Final = re.compile(r"\b(?:not|never|no|nobody|nothing|without|neither|no longer|instead of|stop)\b")
_NOT_DENIED: Final = re.compile(
    r"\b(?:(?:do|did|does) not (?:know|remember|understand|have your|mind)|not (?:sure|quite sure)|(?:can|could) not"
    r" (?:find|remember|see|hear)|why not|or not|no (?:problem|longer need)|(?:why|if) (?:do|can|could) not"
    r"|have not (?:got )?your)\b"
    r"|^(?:do|does|are|is|can|could|would|will|have) not (?:you|we|there|the)\b|^no\b(?! \w+$)"
)


@dataclass(frozen=True, slots=True)
class _Said:
    """An utterance or an example, as what it is weighed by."""

    tokens: frozenset[str]
    denied: bool
    about_mine: bool
    loosely: bool
    """It is to be changed or moved, but nothing says that a visit is."""


def _taken(text: str) -> _Said:
    words = words_of(text)
    tokens = set()
    rest = []
    at = 0
    for found in _CONCEPT.finditer(words):
        tokens.add(CONCEPTS[int((found.lastgroup or "C0")[1:])].name)
        rest.append(words[at : found.start()])
        at = found.end()
    rest.append(words[at:])
    if _MINE.search(words) and not tokens & {"BOOK"}:
        tokens.add("MINE")
    cant = "CANT" in tokens
    plain = [word for part in rest for word in part.split()]
    tokens.update(
        _stem(word)
        for word in plain
        if word not in STOP_WORDS and not _WHEN_SAID.match(word) and word not in ("not", "no", "my", "how")
        and not re.fullmatch(NAMES["PLACE"], word)
    )  # fmt: skip
    denied = not cant and _DENIED.search(_NOT_DENIED.sub(" ", words)) is not None
    loosely = _CHANGE.search(words) is not None and "VISIT" not in tokens and not re.search(rf"\b{_WHEN}", words)
    return _Said(frozenset(tokens), denied, _ABOUT_MINE.search(words) is not None, loosely)


def _bare(text: str) -> str:
    """The words without what people say before and after everything."""
    return _AROUND.sub("", words_of(text))


def _stem(word: str) -> str:
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


# -- topics -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Topic:
    acts: bool
    """It does something for the caller, rather than answering."""
    examples: list[_Said] = field(default_factory=list)
    vocabulary: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Score:
    topic: int
    precision: float
    recall: float
    evidence: float
    doubtful: bool

    @property
    def sure(self) -> bool:
        if self.doubtful or self.evidence < 1:
            return False
        return self.precision >= 0.6 and self.recall >= (0.5 if self.evidence >= 2 else 0.6)

    @property
    def worth(self) -> float:
        return self.precision * self.recall + self.evidence / 100


_WORTH_ASKING: Final = (0.4, 0.5, 1.5)
"""The least precision, recall and evidence of a topic that the caller is asked about."""
_VERBATIM: Final = 10.0
"""Evidence of a topic one of whose examples was said word for word."""
_MOST_CORRECTED: Final = 40
"""Words of an utterance that is corrected: who says more says it more than once."""
_AS_GOOD: Final = 0.93
"""A topic that is so nearly as good as the best is as likely."""


class Matcher:
    """Finds the topic whose example phrases fit what was said."""

    def __init__(self, phrases: Sequence[Sequence[str]], *, acts: Sequence[bool] = ()) -> None:
        """`acts[n]`: topic n does something, so that a question about it is no wish for it."""
        self._topics = [_Topic(acts[n] if n < len(acts) else False) for n in range(len(phrases))]
        self._spelled: dict[str, list[str]] = defaultdict(list)
        self._having: dict[str, set[int]] = defaultdict(set)
        self._verbatim = {_bare(phrase): n for n, group in enumerate(phrases) for phrase in group}
        for index, (topic, group) in enumerate(zip(self._topics, phrases, strict=True)):
            topic.examples = [_taken(phrase) for phrase in group]
            topic.vocabulary = {token for example in topic.examples for token in example.tokens}
            if topic.vocabulary & {"CANCEL", "MOVE"}:
                topic.vocabulary |= {"MINE", "CANT"}
            for token in topic.vocabulary:
                self._having[token].add(index)
        for word in (*(t for t in self._having if t.islower()), *SPELLED):
            self._spelled[word[0]].append(word)

    def find(self, text: str) -> Verdict:
        """What `text` is about. Nothing of it is kept: a matcher serves all calls of an assistant."""
        verbatim = self._verbatim.get(_bare(text))
        if verbatim is not None:
            return Verdict(sure=(verbatim,), evidence=_VERBATIM)
        parts = [self._judge(part) for part in sentences_of(text)]
        sure = list(dict.fromkeys(topic for part in parts for topic in part.sure))
        whole = self._judge(text)
        if len(sure) > 1 and sum(self._topics[topic].acts for topic in sure) < 2:
            return Verdict(sure=tuple(sorted(sure, key=lambda topic: self._topics[topic].acts)))
        if whole.sure or len(sure) != 1:
            return whole
        return next(part for part in parts if part.sure)

    def _judge(self, text: str) -> Verdict:
        said = _taken(self._corrected(text))
        scores = [self._score(index, said) for index in self._candidates(said.tokens)]
        found = sorted((score for score in scores if score is not None), key=lambda s: (-s.worth, s.topic))
        sure = [score for score in found if score.sure]
        likely = [score for score in sure if score.worth >= sure[0].worth * _AS_GOOD]
        if len(likely) == 1:
            return Verdict(sure=(likely[0].topic,), evidence=likely[0].evidence)
        if said.denied:
            return Verdict()
        worth = likely or [
            s for s in found if all(map(ge, (s.precision, s.recall, s.evidence), _WORTH_ASKING))
        ]  # fmt: skip
        return Verdict(perhaps=tuple(score.topic for score in worth[:3]))

    def _candidates(self, tokens: Iterable[str]) -> list[int]:
        return sorted({index for token in tokens for index in self._having.get(token, ())})

    def _score(self, index: int, said: _Said) -> _Score | None:
        topic = self._topics[index]
        tokens = said.tokens
        wanted, offered = tokens & _ACTIONS, topic.vocabulary & _ACTIONS
        if wanted and offered and not wanted & offered:
            return None
        if "CANT" in tokens and not wanted and offered & {"CANCEL", "MOVE"}:
            tokens = tokens - {"CANT"} | (offered & {"CANCEL", "MOVE"})
        known = _weight(tokens & topic.vocabulary, self._having)
        total = _weight(tokens, self._having)
        best = max(
            ((_weight((tokens & ex.tokens) - {"MINE"}, self._having), _weight(ex.tokens - {"MINE"}, self._having), ex)
             for ex in topic.examples),
            key=lambda item: (item[0] / item[1] if item[1] else 0.0, item[0]),
        )  # fmt: skip
        shared, whole, example = best
        if not shared or not total:
            return None
        questions = tokens & _QUESTIONS
        doubtful = (said.denied and not example.denied) or bool(
            questions
            and not questions & topic.vocabulary
            and (topic.acts or questions & {"WHO", "WHY"} or topic.vocabulary & _QUESTIONS)
        )
        if offered & {"CANCEL", "MOVE"}:
            doubtful |= said.loosely or not tokens & {"CANCEL", "MOVE"}
        doubtful |= topic.acts and said.about_mine and not example.about_mine
        return _Score(index, known / total, shared / whole, shared, doubtful)

    def _corrected(self, text: str) -> str:
        """With the vocabulary's spelling of words that the transcriber may have heard a little wrong."""
        words = words_of(text).split()
        return " ".join(map(self._known, words) if len(words) <= _MOST_CORRECTED else words)

    def _known(self, word: str) -> str:
        if len(word) < 5 or word in STOP_WORDS or _WHEN_SAID.match(word) or _CONCEPT.fullmatch(word):
            return word
        if _stem(word) in self._having:
            return word
        near = get_close_matches(word, self._spelled[word[0]], n=1, cutoff=0.82)
        return near[0] if near else word


def _weight(tokens: Iterable[str], known: dict[str, set[int]]) -> float:
    return sum(_WEIGHTS.get(t, _PLAIN_WORD if t in known else _FOREIGN_WORD) for t in tokens)

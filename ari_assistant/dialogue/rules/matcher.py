"""Which of several topics is meant? By the words that the topics' example phrases share with what was said."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

__all__ = ["Matcher"]

_STOP_WORDS = frozenset(
    """a an the is are was were be do does did i you we they it me my your our to of in on at for and or please
    can could would will shall may have has had there that this so just with from about tell want like
    know am if im us oh well um uh er what""".split()  # noqa: SIM905 - readable as it is spoken
)
_SYNONYMS = {"opening": "open", "opened": "open", "opens": "open", "hour": "open", "hours": "open",
             "closing": "close", "closed": "close", "closes": "close", "cost": "price", "costs": "price",
             "pricing": "price", "located": "where", "location": "where", "address": "where",
             "telephone": "phone", "repeated": "repeat", "bye": "goodbye"}  # fmt: skip


def _tokens(text: str) -> list[str]:
    words = re.findall(r"[\w]+", text.lower().replace("'", "").replace("’", ""))
    stemmed = []
    for word in words:
        known = _SYNONYMS.get(word)
        if known is None and len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
            known = _SYNONYMS.get(word[:-1], word[:-1])
        stemmed.append(known or word)
    kept = [word for word in stemmed if word not in _STOP_WORDS]
    return kept or stemmed


@dataclass(frozen=True, slots=True)
class _Example:
    topic: int
    tokens: frozenset[str]


class Matcher:
    """Finds the topic whose example phrases share most of their weight with what was said."""

    def __init__(self, phrases: Sequence[Sequence[str]], *, threshold: float = 0.5) -> None:
        self._threshold = threshold
        self._examples = [
            _Example(topic, frozenset(_tokens(phrase))) for topic, group in enumerate(phrases) for phrase in group
        ]
        topics: Counter[str] = Counter()
        for topic in range(len(phrases)):
            topics.update({t for example in self._examples if example.topic == topic for t in example.tokens})
        count = max(1, len(phrases))
        self._weights = {token: math.log(1 + count / n) for token, n in topics.items()}
        self._unknown = math.log(1 + count)

    def _weight(self, tokens: frozenset[str] | set[str]) -> float:
        return sum(self._weights.get(token, self._unknown) for token in tokens)

    def _known(self, token: str) -> str:
        """The vocabulary's spelling of a word that the transcriber may have heard a little wrong."""
        if token in self._weights or len(token) < 5:
            return token
        near = [
            (SequenceMatcher(None, token, word).ratio(), word)
            for word in self._weights
            if abs(len(word) - len(token)) < 3
        ]
        ratio, word = max(near, default=(0.0, token))
        return word if ratio >= 0.8 else token

    def best(self, text: str) -> int | None:
        """The topic's index, or None when nothing fits well enough."""
        said = frozenset(self._known(token) for token in _tokens(text))
        total = self._weight(said)
        scores: dict[int, float] = {}
        for example in self._examples:
            shared = self._weight(said & example.tokens)
            if shared == 0 or total == 0:
                continue
            precision, recall = shared / total, shared / self._weight(example.tokens)
            # What was asked must be there; small talk around it ("hello, could you tell me …") costs little.
            score = 5 * precision * recall / (precision + 4 * recall) if recall < 1 else 0.5 + precision / 2
            scores[example.topic] = max(scores.get(example.topic, 0.0), score)
        if not scores:
            return None
        topic = max(scores, key=lambda key: scores[key])
        return topic if scores[topic] >= self._threshold else None

"""The built-in dialogue: facts, intents and slots from the assistant's own configuration.

Deterministic and honest: it says what the operator wrote, and that it does not know otherwise. It implements
`providers.model.Model`; one instance serves one call, because it remembers which slot it has asked for.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Annotated, Literal

from pydantic import Field

from ari_assistant.providers.model import ModelEvent, ModelRequest, TextDelta, ToolCall
from ari_assistant.vapi.base import Contract

__all__ = ["Fact", "Intent", "RulesConfig", "RulesModel", "Slot"]

Phrases = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
Render = Callable[[str, Mapping[str, str]], str]

DEFAULT_FALLBACK = "I'm sorry, I don't know that."


class Fact(Contract):
    """An answer and the ways to ask for it."""

    ask: Phrases
    say: str


class Slot(Contract):
    """One thing that an intent has to ask the caller for."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_-]*$")]
    ask: str


class Intent(Contract):
    """Something that the caller wants: the slots are asked for one by one, then `say` is said."""

    name: str
    ask: Phrases
    slots: list[Slot] = Field(default_factory=list)
    say: str | None = None
    then: Literal["go-on", "hang-up", "repeat"] = "go-on"


class RulesConfig(Contract):
    """The keys of a model with `provider: built-in`."""

    facts: list[Fact] = Field(default_factory=list)
    intents: list[Intent] = Field(default_factory=list)
    fallback: str = DEFAULT_FALLBACK
    """What is said when nothing fits."""


_DEFAULT_INTENTS = (
    Intent(
        name="goodbye",
        ask=["goodbye", "bye", "bye bye", "that is all", "nothing else", "no thanks", "hang up", "thanks bye"],
        say="Goodbye.",
        then="hang-up",
    ),
    Intent(
        name="repeat",
        ask=["repeat that", "say that again", "can you repeat", "pardon", "what did you say", "come again"],
        then="repeat",
    ),
    Intent(name="greeting", ask=["hello", "hi", "good morning", "hello there"], say="Hello. How can I help?"),
    Intent(name="thanks", ask=["thank you", "thanks", "thank you very much"], say="You're welcome."),
)

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


class _Matcher:
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


_LEAD_IN = re.compile(
    r"^(?:(?:um|uh|er|well|yes|yeah|sure|okay|ok|please)[,.]?\s+)*"
    r"(?:(?:my name is|this is|it's|it is|i'm|i am|the name is|that's|that is)\s+)?",
    re.IGNORECASE,
)


class RulesModel:
    """The built-in dialogue of one call."""

    name = "built-in"

    def __init__(self, config: RulesConfig, render: Render = lambda text, _: text) -> None:
        """`render(template, slots)` fills in the call's variables and the slots."""
        self._fallback = config.fallback
        self._render = render
        named = {intent.name for intent in config.intents}
        self._topics: list[Fact | Intent] = [
            *config.facts,
            *config.intents,
            *(intent for intent in _DEFAULT_INTENTS if intent.name not in named),
        ]
        self._matcher = _Matcher([topic.ask for topic in self._topics])
        self._intent: Intent | None = None
        self._slots: dict[str, str] = {}

    async def reply(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """See `providers.model.Model`."""
        said = next((m.content for m in reversed(request.messages) if m.role == "user"), "")
        before = next((m.content for m in reversed(request.messages) if m.role == "assistant"), None)
        topic = self._matcher.best(said)
        if self._intent is not None:
            leaves = topic is not None and isinstance(self._topics[topic], Intent)
            if not leaves or self._topics[topic or 0] is self._intent:
                async for event in self._fill(said):
                    yield event
                return
            self._intent = None
        if topic is None:
            yield self._say(self._fallback)
            return
        chosen = self._topics[topic]
        if isinstance(chosen, Fact):
            yield self._say(chosen.say)
        elif chosen.then == "repeat":
            yield TextDelta(before if before is not None else self._render(self._fallback, {}))
        else:
            self._intent, self._slots = chosen, {}
            async for event in self._go_on():
                yield event

    async def _fill(self, said: str) -> AsyncGenerator[ModelEvent, None]:
        assert self._intent is not None
        missing = next(slot for slot in self._intent.slots if slot.name not in self._slots)
        self._slots[missing.name] = _LEAD_IN.sub("", said.strip()).strip(" .,!") or said
        async for event in self._go_on():
            yield event

    async def _go_on(self) -> AsyncGenerator[ModelEvent, None]:
        assert self._intent is not None
        intent = self._intent
        missing = next((slot for slot in intent.slots if slot.name not in self._slots), None)
        if missing is not None:
            yield self._say(missing.ask)
            return
        self._intent = None
        if intent.say:
            yield self._say(intent.say)
        if intent.then == "hang-up":
            yield ToolCall("hang-up", "endCall")

    def _say(self, template: str) -> TextDelta:
        return TextDelta(self._render(template, self._slots))

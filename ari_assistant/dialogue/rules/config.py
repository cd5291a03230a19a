"""What an operator writes below `model` with `provider: built-in`. Every key is checked, and named with its line."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import Contract
from ari_assistant.vapi.model import BUILT_IN

__all__ = [
    "DAYS",
    "Fact",
    "HandOver",
    "Hours",
    "Intent",
    "RulesConfig",
    "Slot",
    "rules_config",
    "spans_of",
    "weekdays_of",
]

Phrases = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(min_length=1, max_length=100)]
RuleText = Annotated[str, Field(max_length=2_000)]
_MAX_PHRASES = 3_000
"""Of all facts and intents: each utterance is compared with all of them."""

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SPAN = re.compile(r"\s*(\d{1,2})(?::(\d{2}))?\s*-\s*(\d{1,2})(?::(\d{2}))?\s*")


class Fact(Contract):
    """An answer and the ways to ask for it."""

    ask: Phrases
    say: RuleText
    about: RuleText | None = None
    """What it is about, as in "did you mean …?": `our address`."""


class Slot(Contract):
    """One thing that an intent has to ask the caller for."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_-]*$")]
    ask: str
    type: Literal["text", "name", "number", "digits", "yes-no", "date", "time", "choice", "email"] = "text"
    choices: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=100)] | None = None
    """Of a choice: what may be said, each with its synonyms behind a colon: `large: big, family size`."""
    least: int | None = None
    """The smallest number, or the fewest digits."""
    most: int | None = None
    again: str | None = None
    """Said instead of `ask` when the answer was not understood."""

    @model_validator(mode="after")
    def _fits(self) -> Slot:
        if (self.type == "choice") != bool(self.choices):
            raise ValueError("choices are for slots of type choice, which need them")
        if self.least is not None and self.type not in ("number", "digits"):
            raise ValueError("least and most are for numbers and digits")
        return self


class Intent(Contract):
    """Something that the caller wants: the slots are asked for one by one, what was understood is confirmed, then
    `say` is said."""

    name: str
    ask: Phrases
    about: RuleText | None = None
    """What it does, as in "did you mean …?": `booking a visit`."""
    slots: Annotated[list[Slot], Field(max_length=50)] = Field(default_factory=list)
    confirm: str | None = None
    """Said when all slots are filled; yes goes on, no asks what to change."""
    say: str | None = None
    then: Literal["go-on", "hang-up", "hand-over", "repeat"] = "go-on"


class Hours(Contract):
    """When the place is open."""

    timezone: str = "UTC"
    week: dict[str, str]
    """`monday-friday: "9:00-12:00, 13:00-17:00"`, `saturday: "10-14"`. A day that is not named is closed."""
    closed: list[Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]] = Field(default_factory=list)
    """Holidays."""

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("timezone must be a name such as Europe/Berlin") from None
        return value

    @field_validator("week")
    @classmethod
    def _readable(cls, value: dict[str, str]) -> dict[str, str]:
        for days, spans in value.items():
            weekdays_of(days)
            spans_of(spans)
        return value


class HandOver(Contract):
    """Where a caller goes who wants a person."""

    to: Annotated[str, Field(pattern=r"^sips?:\S+$")]
    """A SIP URI."""
    say: str = "One moment, I will put you through."


class RulesConfig(Contract):
    """The keys of a model with `provider: built-in`."""

    facts: Annotated[list[Fact], Field(max_length=1_000)] = Field(default_factory=list)
    intents: Annotated[list[Intent], Field(max_length=200)] = Field(default_factory=list)
    hours: Hours | None = None
    hand_over: HandOver | None = None
    fallback: str | None = None
    """What is said when nothing fits. By default it says what it can do, by all that is `about` something."""
    give_up_after: Annotated[int, Field(ge=1, le=10)] = 3
    """So many times in a row nothing was understood: the caller is handed over, or told goodbye to."""
    give_up: str = "I'm sorry, I can't help you with that. Goodbye."
    """Said then, when there is nobody to hand over to."""
    small_talk_limit: Annotated[int, Field(ge=0, le=20)] = 2
    """After so much small talk in a row it asks what it can do."""
    small_talk_end: str = "So, what can I do for you?"

    @model_validator(mode="after")
    def _not_too_much(self) -> RulesConfig:
        phrases = sum(len(fact.ask) for fact in self.facts) + sum(len(intent.ask) for intent in self.intents)
        if phrases > _MAX_PHRASES:
            raise ValueError(f"facts and intents must contain no more than {_MAX_PHRASES} phrases, not {phrases}")
        return self

    @model_validator(mode="after")
    def _has_somebody(self) -> RulesConfig:
        for intent in self.intents:
            if intent.then == "hand-over" and self.hand_over is None:
                raise ValueError(f"intents: {intent.name} hands over, but there is no handOver")
        return self


def rules_config(assistant: Assistant) -> RulesConfig:
    """The built-in dialogue's part of an assistant. Raises pydantic.ValidationError, with the paths as they
    are below `model`."""
    if assistant.model is None or assistant.model.provider != BUILT_IN:
        return RulesConfig()
    return RulesConfig.model_validate(assistant.model.model_extra or {})


def weekdays_of(text: str) -> list[int]:
    """`monday-friday` or `saturday` → 0 (Monday) … 6. Raises ValueError."""
    names = [part.strip().lower() for part in text.split("-")]
    if len(names) > 2 or any(name not in DAYS for name in names):
        raise ValueError(f"{text!r} must be a day or two days with a hyphen: monday-friday")
    first, last = DAYS.index(names[0]), DAYS.index(names[-1])
    return [day % 7 for day in range(first, last + 1 if last >= first else last + 8)]


def spans_of(text: str) -> list[tuple[int, int]]:
    """`9:00-12:00, 13-17` → minutes since midnight, from and to. Raises ValueError."""
    if text.strip().lower() == "closed":
        return []
    spans = []
    for part in text.split(","):
        match = _SPAN.fullmatch(part)
        if match is None:
            raise ValueError(f"{part.strip()!r} must be two times with a hyphen: 9:00-17:00")
        start, end = (int(match[n]) * 60 + int(match[n + 1] or 0) for n in (1, 3))
        if not 0 <= start < end <= 24 * 60:
            raise ValueError(f"{part.strip()!r} must begin before it ends, within one day")
        spans.append((start, end))
    return spans

"""Liquid templates (contract §9): variables are data, a missing one renders as nothing and is reported."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping, Sized
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import liquid
from liquid.exceptions import LiquidError, ResourceLimitError

from ari_assistant.dialogue.callers_text import TAGS, FromCaller, Place, watched
from ari_assistant.vapi.base import JsonObject

__all__ = ["RESERVED", "Rendered", "TemplateRenderer", "builtin_variables", "fill_for_speech", "render"]

TemplateRenderer = Callable[[str, Mapping[str, Any]], str]
"""`fill(template, extra_variables)`: the text with the call's variables in it."""

RESERVED = frozenset(
    {
        *("customer", "call", "phoneNumber", "transport", "assistant", "messages", "transcript"),
        *("now", "currentDateTime", "date", "time", "year", "month", "day"),
    }
)
"""Names of built-in variables that a SIP header must not shadow (§9)."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A template's text, and what was wrong with it."""

    text: str
    missing: tuple[str, ...] = ()
    """Variables that have no value."""
    fault: str | None = None
    """Why the template could not be read; `text` is then the template with its tags taken out."""
    from_caller: bool = False
    """A caller's text is in it, and `text` is marked so."""


# A template is anybody's who may create an assistant, and it is rendered on the event loop: its work is bounded.
_CPU_SECONDS: Final = 0.02
"""So long one may be rendered: of this thread's own time, so that a busy machine spoils no good one."""
_TEMPLATE_CHARACTERS: Final = 200_000
_TAGS: Final = 500
_TAG_CHARACTERS: Final = 2_000
"""A template with more of it would take too long to parse."""
_TEXT_CHARACTERS: Final = 200_000
"""Of a value that a filter is given, or gives."""
_ITERATIONS: Final = 10_000
_ITEMS: Final = 5_000
"""Of a list that a filter is given, or gives."""
_INT_BITS: Final = 1_024
_SLOW_FILTERS: Final = {"uniq": 500, "strip_html": 5_000}
"""Their work grows with the square of what they are given."""


@dataclass(slots=True)
class _Work:
    """What is known of the rendering under way."""

    until: float = math.inf
    """Of this thread's own time."""
    missing: list[str] = field(default_factory=list)
    """Variables whose text was wanted and that have no value."""

    def check(self) -> None:
        if time.thread_time() > self.until:
            raise ResourceLimitError("the template takes too long to render", token=None)


_work: ContextVar[_Work] = ContextVar("work")


_GAP = "\ue000"  # of the private use area: no text has it
_gaps_marked: ContextVar[bool] = ContextVar("gaps_marked", default=False)


class _Missing(liquid.Undefined):
    """A variable without a value: renders as nothing, and is noted when its text was wanted."""

    def __str__(self) -> str:
        missing = _work.get().missing
        if self.name not in missing:
            missing.append(self.name)
        return _GAP if _gaps_marked.get() else ""


class _Context(liquid.RenderContext):
    """Looks at the clock at every node and every filter, and at what a filter is given and gives."""

    __slots__ = ("_disabled",)

    @property
    def disabled_tags(self) -> list[str]:
        """Asked before every node."""
        _work.get().check()
        return self._disabled

    @disabled_tags.setter
    def disabled_tags(self, tags: list[str]) -> None:
        self._disabled = tags

    def stopindex(self, key: str, index: int | None = None) -> int:
        """Asked before a loop's items are put into a list."""
        if index is not None and index > _ITERATIONS:
            raise ResourceLimitError("loop iteration limit reached", token=None)
        return super().stopindex(key, index)

    def filter(self, name: str, token: Any) -> Callable[..., object]:
        filter_ = super().filter(name, token)

        def bounded(value: object, *arguments: object, **named: object) -> object:
            _work.get().check()
            for given in (value, *arguments, *named.values()):
                _check_size(given, _SLOW_FILTERS.get(name))
            _check_growth(name, value, arguments)
            result = filter_(value, *arguments, **named)
            _check_size(result)
            return result

        return bounded


def _check_size(value: object, most: int | None = None) -> None:
    if isinstance(value, int):
        too_big = value.bit_length() > _INT_BITS
    elif isinstance(value, str):
        too_big = len(value) > (most or _TEXT_CHARACTERS)
    else:
        too_big = (
            isinstance(value, Sized) and not isinstance(value, liquid.Undefined) and len(value) > (most or _ITEMS)
        )
    if too_big:
        raise ResourceLimitError("a value of the template is too big", token=None)


def _check_growth(name: str, value: object, arguments: tuple[object, ...]) -> None:
    """`replace` and `join` multiply the sizes of what they are given."""
    size = 0
    if name == "replace" and len(arguments) > 1:
        text, old, new = str(value), str(arguments[0]), str(arguments[1])
        size = (text.count(old) if old else len(text) + 1) * len(new)
    elif name == "join" and arguments and isinstance(value, Sized):
        size = len(value) * len(str(arguments[0]))
    elif name == "split" and isinstance(value, str):
        separator = str(arguments[0]) if arguments else ""
        pieces = value.count(separator) if separator else len(value)
        size = _TEXT_CHARACTERS + 1 if pieces > _ITEMS else 0
    if size > _TEXT_CHARACTERS:
        raise ResourceLimitError("a value of the template is too big", token=None)


class _Template(liquid.BoundTemplate):
    context_class = _Context


class _Environment(liquid.Environment):
    loop_iteration_limit = _ITERATIONS
    output_stream_limit = 1_000_000
    local_namespace_limit = 1_000_000
    template_class = _Template


_FORMAT = re.compile(r"%[-_^#]?[a-zA-Z%]")
_MAX_FORMAT = 200


def _date(value: Any, pattern: Any = "%Y-%m-%d", zone: Any = None) -> Any:
    """LiquidJS's `date`: `{{ "now" | date: "%I:%M %p", "America/Los_Angeles" }}`. What is no time stays as it is."""
    moment = _moment(value)
    if moment is None:
        return value
    if isinstance(zone, str) and zone:
        try:
            moment = moment.astimezone(ZoneInfo(zone))
        except (KeyError, ValueError, OSError):
            return value
    elif isinstance(zone, int | float):  # minutes west of Greenwich, as JavaScript counts them
        moment = moment.astimezone(timezone(timedelta(minutes=-max(-1439, min(1439, int(zone))))))
    text = str(pattern)[:_MAX_FORMAT]
    return _FORMAT.sub(lambda match: moment.strftime(match[0]), text)


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        if isinstance(value, int | float) or (isinstance(value, str) and value.strip().isdecimal()):
            return datetime.fromtimestamp(float(value), UTC)
        text = str(value).strip()
        if text in ("now", "today"):
            return datetime.now(UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_ENVIRONMENT = _Environment(undefined=_Missing)
_ENVIRONMENT.add_filter("date", _date)
for _tag in TAGS:
    _ENVIRONMENT.add_tag(_tag)


def _without_tags(template: str) -> str:
    parts = template.replace("{%", "{{").replace("%}", "}}").split("{{")
    return " ".join((parts[0] + "".join(part.partition("}}")[2] for part in parts[1:])).split())


def _too_long(template: str) -> str | None:
    """Why a template must not even be parsed, or None."""
    if len(template) > _TEMPLATE_CHARACTERS:
        return f"a template must not be longer than {_TEMPLATE_CHARACTERS} characters"
    tags = template.replace("{%", "{{").replace("%}", "}}").split("{{")[1:]
    if len(tags) > _TAGS:
        return f"a template must not hold more than {_TAGS} tags"
    if any(len(tag.partition("}}")[0]) > _TAG_CHARACTERS for tag in tags):
        return f"a tag of a template must not be longer than {_TAG_CHARACTERS} characters"
    if sum(tag.strip(" -").startswith("raw") for tag in tags) > template.count("endraw"):
        return "a raw tag was never closed"
    return None


@lru_cache(256)
def _parsed(template: str) -> liquid.BoundTemplate:
    return _ENVIRONMENT.from_string(template)


def render(
    template: str, variables: Mapping[str, Any], *, place: Place | None = None, neutral: str | None = None
) -> Rendered:
    """Render `template`. Never raises: a broken template, or one that takes too long, gives its plain text and a
    `fault`.


    Values are inserted as they are and never read as templates themselves; a caller's as `place` writes them, or
    `neutral` instead of them.
    """
    if "{{" not in template and "{%" not in template:
        return Rendered(template)
    if (reason := _too_long(template)) is not None:
        return Rendered(_without_tags(template), fault=reason)
    # A header's hyphen may be written as an underscore: `{{our_call_id}}` for `X-Our-Call-ID` (§8.2).
    scope = {key.replace("-", "_"): value for key, value in variables.items() if "-" in key} | dict(variables)
    if _gaps_marked.get() and "{%" not in template:  # an empty header is as good as none, unless it is asked for
        scope = {key: value for key, value in scope.items() if value != ""}
    work = _Work()
    token = _work.set(work)
    try:
        parsed = _parsed(template)
        work.until = time.thread_time() + _CPU_SECONDS
        with watched(place, neutral) as watching:
            text = parsed.render(scope)
    except Exception as fault:  # filters raise what their arguments make them raise
        lines = str(fault).splitlines() if isinstance(fault, LiquidError) else []
        return Rendered(_without_tags(template), tuple(work.missing), lines[0] if lines else repr(fault)[:200])
    finally:
        _work.reset(token)
    of_caller = watching.from_caller
    return Rendered(FromCaller(text) if of_caller else text, tuple(work.missing), from_caller=of_caller)


def fill_for_speech(fill: TemplateRenderer, template: str, extra: Mapping[str, Any]) -> str:
    """What is said of `template`: as `fill` has it, but a variable without a value leaves no hole in the sentence.
    `Hello {{first_name}}, how can I help?` → `Hello, how can I help?`; `Thank you, {{first_name}}.` → `Thank you.`;
    `{{first_name}}, please wait.` → `Please wait.`"""
    token = _gaps_marked.set(True)
    try:
        return _without_gaps(fill(template, extra))
    finally:
        _gaps_marked.reset(token)


# Bounded: a run of white space is not looked at from each of its places to its end.
_GAPS = re.compile(rf"{_GAP}(?:\s{{0,9}}{_GAP})+")
_AT_THE_START = re.compile(rf"(^|[.!?]\s{{1,9}}){_GAP}[\s,;:]*(\w?)")
_SET_OFF = re.compile(rf"\s{{0,9}},\s{{0,9}}{_GAP}\s{{0,9}}(?=[.!?,;:]|$)")
_BEFORE_A_SIGN = re.compile(rf"\s{{0,9}}{_GAP}\s{{0,9}}(?=[.!?,;:]|$)")
_BETWEEN_WORDS = re.compile(rf"\s{{1,9}}{_GAP}\s{{1,9}}")


def _without_gaps(text: str) -> str:
    if _GAP not in text:
        return text
    text = _GAPS.sub(_GAP, text)
    text = _AT_THE_START.sub(lambda match: match[1] + match[2].upper(), text)
    text = _SET_OFF.sub("", text)
    text = _BEFORE_A_SIGN.sub("", text)
    return _BETWEEN_WORDS.sub(" ", text).replace(_GAP, "")


def _clock(moment: datetime) -> str:
    return f"{moment.hour % 12 or 12}:{moment:%M %p}"


def builtin_variables(now: datetime, **objects: JsonObject | None) -> JsonObject:
    """`now`, `date`, `time`, `year`, … in UTC, with the texts that Vapi produces (§9), and the objects given
    (`customer`, `call`, `phoneNumber`, `transport`, `assistant`)."""
    utc = now.astimezone(UTC)
    day = f"{utc:%B} {utc.day}, {utc.year}"
    return {
        "now": f"{day[:3] if utc.month != 5 else 'May'} {utc.day}, {utc.year}, {_clock(utc)} UTC",
        "currentDateTime": f"{utc:%A}, {day} at {_clock(utc)} UTC",
        "date": f"{utc:%b} {utc.day}, {utc.year} UTC",
        "time": f"{_clock(utc)} UTC",
        "year": str(utc.year),
        "month": f"{utc:%B}",
        "day": str(utc.day),
        **{key: value for key, value in objects.items() if value is not None},
    }

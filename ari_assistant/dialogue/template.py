"""Liquid templates (contract §9): variables are data, a missing one renders as nothing and is reported."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import liquid
from liquid.exceptions import LiquidError

from ari_assistant.vapi.base import JsonObject

__all__ = ["RESERVED", "Fill", "Rendered", "builtin_variables", "fill_for_speech", "render"]

Fill = Callable[[str, Mapping[str, Any]], str]
"""`fill(template, extra_variables)`: the text with the call's variables in it."""

RESERVED = frozenset(
    {"customer", "call", "phoneNumber", "transport", "assistant", "now", "messages", "transcript"}
)
"""Names of built-in objects that a SIP header must not shadow (§9)."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A template's text, and what was wrong with it."""

    text: str
    missing: tuple[str, ...] = ()
    """Variables that have no value."""
    fault: str | None = None
    """Why the template could not be read; `text` is then the template with its tags taken out."""


_asked_in_vain: ContextVar[list[str] | None] = ContextVar("asked_in_vain", default=None)


_GAP = "\ue000"  # of the private use area: no text has it
_gaps_marked: ContextVar[bool] = ContextVar("gaps_marked", default=False)


class _Missing(liquid.Undefined):
    """A variable without a value: renders as nothing, and is noted when its text was wanted."""

    def __str__(self) -> str:
        names = _asked_in_vain.get()
        if names is not None and self.name not in names:
            names.append(self.name)
        return _GAP if _gaps_marked.get() else ""


class _Environment(liquid.Environment):
    # A template from an API user cannot hold the event loop.
    loop_iteration_limit = 10_000
    output_stream_limit = 1_000_000


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


def _without_tags(template: str) -> str:
    parts = template.replace("{%", "{{").replace("%}", "}}").split("{{")
    return " ".join((parts[0] + "".join(part.partition("}}")[2] for part in parts[1:])).split())


def render(template: str, variables: Mapping[str, Any]) -> Rendered:
    """Render `template`. Never raises: a broken template gives its plain text and a `fault`.

    Values are inserted as they are and never read as templates themselves.
    """
    if "{{" not in template and "{%" not in template:
        return Rendered(template)
    # A header's hyphen may be written as an underscore: `{{our_call_id}}` for `X-Our-Call-ID` (§8.2).
    scope = {key.replace("-", "_"): value for key, value in variables.items() if "-" in key} | dict(variables)
    if _gaps_marked.get() and "{%" not in template:  # an empty header is as good as none, unless it is asked for
        scope = {key: value for key, value in scope.items() if value != ""}
    missing: list[str] = []
    token = _asked_in_vain.set(missing)
    try:
        text = _ENVIRONMENT.from_string(template).render(scope)
    except LiquidError as fault:
        return Rendered(_without_tags(template), tuple(missing), str(fault).splitlines()[0])
    finally:
        _asked_in_vain.reset(token)
    return Rendered(text, tuple(missing))


def fill_for_speech(fill: Fill, template: str, extra: Mapping[str, Any]) -> str:
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

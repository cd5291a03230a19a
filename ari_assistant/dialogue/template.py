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

from ari_assistant.dialogue.callers_text import TAGS, FromCaller, Place, watched
from ari_assistant.vapi.base import JsonObject

__all__ = ["RESERVED", "Fill", "Rendered", "builtin_variables", "render"]

Fill = Callable[[str, Mapping[str, Any]], str]
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


_asked_in_vain: ContextVar[list[str] | None] = ContextVar("asked_in_vain", default=None)


class _Missing(liquid.Undefined):
    """A variable without a value: renders as nothing, and is noted when its text was wanted."""

    def __str__(self) -> str:
        names = _asked_in_vain.get()
        if names is not None and self.name not in names:
            names.append(self.name)
        return ""


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
for _tag in TAGS:
    _ENVIRONMENT.add_tag(_tag)


def _without_tags(template: str) -> str:
    parts = template.replace("{%", "{{").replace("%}", "}}").split("{{")
    return " ".join((parts[0] + "".join(part.partition("}}")[2] for part in parts[1:])).split())


def render(
    template: str, variables: Mapping[str, Any], *, place: Place | None = None, neutral: str | None = None
) -> Rendered:
    """Render `template`. Never raises: a broken template gives its plain text and a `fault`.

    Values are inserted as they are and never read as templates themselves; a caller's as `place` writes them, or
    `neutral` instead of them.
    """
    if "{{" not in template and "{%" not in template:
        return Rendered(template)
    # A header's hyphen may be written as an underscore: `{{our_call_id}}` for `X-Our-Call-ID` (§8.2).
    scope = {key.replace("-", "_"): value for key, value in variables.items() if "-" in key} | dict(variables)
    missing: list[str] = []
    token = _asked_in_vain.set(missing)
    try:
        with watched(place, neutral) as watching:
            text = _ENVIRONMENT.from_string(template).render(scope)
    except LiquidError as fault:
        return Rendered(_without_tags(template), tuple(missing), str(fault).splitlines()[0])
    finally:
        _asked_in_vain.reset(token)
    of_caller = watching.from_caller
    return Rendered(FromCaller(text) if of_caller else text, tuple(missing), from_caller=of_caller)


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

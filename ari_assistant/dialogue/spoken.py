"""Text as people say it (`formatPlan`, contract §10.3): numbers, dates, money, addresses, times.

The words come from `num2words`; a language that it does not know keeps its digits, which voices read themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from num2words import num2words

from ari_assistant.dialogue.spoken_english import FORMS, Numbers
from ari_assistant.vapi.pattern import BadPattern, Pattern
from ari_assistant.vapi.voice import FormatPlan, Voice

__all__ = ["FORMATTERS", "Formatting", "format_plan", "spoken_form"]

FORMATTERS: Final = (
    "markdown", "asterisk", "quote", "dash", "newline", "colon", "acronym", "dollarAmount", "email", "date", "time",
    "distance", "unit", "percentage", "phoneNumber", "number", "stripAsterisk",
)  # fmt: skip

Replace = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Formatting:
    """How text is written out."""

    enabled: bool = True
    digits_above: int = 2099
    """`numberToDigitsCutoff`: a greater number is said digit by digit, unless it is written with separators. The
    contract's default, 2025, would spell the year that it is."""
    replacements: tuple[Replace, ...] = ()
    formatters: frozenset[str] = frozenset(FORMATTERS)
    language: str = "en"


def format_plan(voice: Voice | None, language: str = "en") -> Formatting:
    """`voice.chunkPlan.formatPlan`. A replacement that cannot be read is left out."""
    plan: FormatPlan | None = None
    if voice is not None and voice.chunk_plan is not None:
        plan = voice.chunk_plan.format_plan
    if voice is not None and voice.input_reformatting_enabled is False:
        return Formatting(enabled=False, language=language)
    if plan is None:
        return Formatting(language=language)
    made: list[Replace] = []
    for item in plan.replacements or ():
        try:
            made.append(_replacement(item))
        except BadPattern:
            continue
    return Formatting(
        enabled=plan.enabled is not False,
        digits_above=2099 if plan.number_to_digits_cutoff is None else int(plan.number_to_digits_cutoff),
        replacements=tuple(made),
        formatters=frozenset(FORMATTERS if plan.formatters_enabled is None else plan.formatters_enabled),
        language=language,
    )


def _replacement(item: Any) -> Replace:
    if item.type == "regex":
        pattern = Pattern(item.regex or "(?!)", item.options)
        return lambda text: pattern.replace(text, item.value)
    key = item.key or ""
    if not key:
        return lambda text: text
    count = 1 if item.replace_all_enabled is False else -1
    return lambda text: text.replace(key, item.value, count)


_BREAK = re.compile(r"<\s*break\b([^<>]*)/?\s*>(?:\s*<\s*/\s*break\s*>)?", re.IGNORECASE)
_BREAK_TIME = re.compile(r"""time\s*=\s*["']?\s*(\d+(?:\.\d+)?)\s*(ms|s)""", re.IGNORECASE)
_SPELL = re.compile(r"<\s*spell\s*>(.*?)<\s*/\s*spell\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_MAX_BREAK_SECONDS = 10.0


def spoken_form(clause: str, plan: Formatting) -> list[str | float]:
    """A clause as it goes to the voice: texts, and pauses in seconds (`<break time="500ms"/>`)."""
    parts: list[str | float] = []
    start = 0
    for tag in _BREAK.finditer(clause):
        _add(parts, clause[start : tag.start()], plan)
        time = _BREAK_TIME.search(tag[1])
        seconds = float(time[1]) / (1000 if time[2].lower() == "ms" else 1) if time else 0.5
        parts.append(min(seconds, _MAX_BREAK_SECONDS))
        start = tag.end()
    _add(parts, clause[start:], plan)
    return parts


def _add(parts: list[str | float], text: str, plan: Formatting) -> None:
    pieces = _SPELL.split(text)  # every second one is to be spelled
    said = " ".join(
        " ".join(piece.strip()) if n % 2 else _written_out(piece, plan) for n, piece in enumerate(pieces)
    )
    said = " ".join(_TAG.sub(" ", said).split())
    if any(letter.isalnum() for letter in said):
        parts.append(said)


def _written_out(text: str, plan: Formatting) -> str:
    if not plan.enabled:
        return text
    for replace in plan.replacements:
        text = replace(text)
    wanted = plan.formatters
    if {"markdown", "asterisk", "stripAsterisk"} & wanted:
        text = text.replace("*", " ")
    if "quote" in wanted:
        text = re.sub(r"[\"“”«»„]", "", text)
    if "newline" in wanted:
        text = re.sub(r"(?<=[.!?:;,])\s*\n+\s*", " ", text)
        text = re.sub(r"\s*\n+\s*", ". ", text)
    if plan.language.lower().startswith("en"):
        text = " ".join(_in_english(part, plan) for part in _parts(text))
    elif "number" in wanted:
        text = _numbers(text, plan)
    if "colon" in wanted:
        text = re.sub(r":(?=\s)", ".", text)
    if "dash" in wanted:
        text = re.sub(r"\s+[-–—]+\s+|—", ", ", text)
    return " ".join(text.split())


def _in_english(text: str, plan: Formatting) -> str:
    for name, pattern, say in FORMS:
        if name in plan.formatters:
            text = pattern.sub(say, text)
    return Numbers(plan.digits_above).said(text) if "number" in plan.formatters else text


def _parts(text: str) -> list[str]:
    """Cut at spaces: some of the patterns take time as the square of a text, which is long where nothing cuts it."""
    parts = []
    while len(text) > _MOST_AT_ONCE:
        at = text.rfind(" ", 0, _MOST_AT_ONCE)
        at = at if at > 0 else _MOST_AT_ONCE
        parts.append(text[:at])
        text = text[at:].lstrip()
    return [*parts, text]


_MOST_AT_ONCE = 1000
_COMMA_LANGUAGES: Final = frozenset("cs da de es fi fr hu id it nb nl no pl pt ro ru sl sr sv tr uk vi".split())  # noqa: SIM905
"""They write 1.234,5."""
_WITH_POINT = re.compile(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?(?!\w)")
_WITH_COMMA = re.compile(r"(?<![\w.,])-?(?:\d{1,3}(?:\.\d{3})+(?!\d)|\d+)(?:,\d+)?(?!\w|[.,]\d)")


def _numbers(text: str, plan: Formatting) -> str:
    """Numbers as another language says them; one that it has no words for keeps its digits."""
    comma = plan.language.lower().partition("-")[0] in _COMMA_LANGUAGES

    def say(match: re.Match[str]) -> str:
        number = match[0]
        plain = number.replace(".", "").replace(",", ".") if comma else number.replace(",", "")
        try:
            value = float(plain) if "." in plain else int(plain)
            if plain == number and isinstance(value, int) and value > plan.digits_above:
                return " ".join(str(num2words(int(digit), lang=plan.language)) for digit in plain)
            return str(num2words(value, lang=plan.language))
        except (NotImplementedError, ValueError, OverflowError):
            return number

    return (_WITH_COMMA if comma else _WITH_POINT).sub(say, text)

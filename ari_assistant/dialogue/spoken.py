"""Text as people say it (`formatPlan`, contract §10.3): numbers, dates, money, addresses, times.

The words come from `num2words`; a language that it does not know keeps its digits, which voices read themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from num2words import num2words

from ari_assistant.vapi.pattern import BadPattern, Pattern
from ari_assistant.vapi.voice import FormatPlan as FormatPlanSchema
from ari_assistant.vapi.voice import Voice

__all__ = ["FORMATTERS", "FormatPlan", "format_plan", "spoken_form"]

FORMATTERS: Final = (
    "markdown", "asterisk", "quote", "dash", "newline", "colon", "acronym", "dollarAmount", "email", "date", "time",
    "distance", "unit", "percentage", "phoneNumber", "number", "stripAsterisk",
)  # fmt: skip

Replace = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class FormatPlan:
    """How text is written out."""

    enabled: bool = True
    digits_above: int = 2099
    """`numberToDigitsCutoff`: a greater number is said digit by digit, unless it is written with separators. The
    contract's default, 2025, would spell the year that it is."""
    replacements: tuple[Replace, ...] = ()
    formatters: frozenset[str] = frozenset(FORMATTERS)
    language: str = "en"


def format_plan(voice: Voice | None, language: str = "en") -> FormatPlan:
    """`voice.chunkPlan.formatPlan`. A replacement that cannot be read is left out."""
    plan: FormatPlanSchema | None = None
    if voice is not None and voice.chunk_plan is not None:
        plan = voice.chunk_plan.format_plan
    if voice is not None and voice.input_reformatting_enabled is False:
        return FormatPlan(enabled=False, language=language)
    if plan is None:
        return FormatPlan(language=language)
    made: list[Replace] = []
    for item in plan.replacements or ():
        try:
            made.append(_replacement(item))
        except BadPattern:
            continue
    return FormatPlan(
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


def spoken_form(clause: str, plan: FormatPlan) -> list[str | float]:
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


def _add(parts: list[str | float], text: str, plan: FormatPlan) -> None:
    pieces = _SPELL.split(text)  # every second one is to be spelled
    said = " ".join(
        " ".join(piece.strip()) if n % 2 else _written_out(piece, plan) for n, piece in enumerate(pieces)
    )
    said = " ".join(_TAG.sub(" ", said).split())
    if any(letter.isalnum() for letter in said):
        parts.append(said)


def _written_out(text: str, plan: FormatPlan) -> str:
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
    english = plan.language.lower().startswith("en")
    if english:
        for name, pattern, say in _ENGLISH:
            if name in wanted:
                text = pattern.sub(say, text)
    if "number" in wanted:
        text = _numbers(text, plan)
    if "colon" in wanted:
        text = re.sub(r":(?=\s)", ".", text)
    if "dash" in wanted:
        text = re.sub(r"\s+[-–—]+\s+|—", ", ", text)
    return " ".join(text.split())


# -- English ------------------------------------------------------------------------------------------------------

_MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)
_MONTH = "|".join([*_MONTHS, *(month[:3] for month in _MONTHS), "Sept"])
_UNITS: Mapping[str, tuple[str, str]] = {
    "km/h": ("kilometer per hour", "kilometers per hour"), "mph": ("mile per hour", "miles per hour"),
    "km": ("kilometer", "kilometers"), "cm": ("centimeter", "centimeters"), "mm": ("millimeter", "millimeters"),
    "m": ("meter", "meters"), "mi": ("mile", "miles"), "ft": ("foot", "feet"), "yd": ("yard", "yards"),
    "in": ("inch", "inches"), "kg": ("kilogram", "kilograms"), "mg": ("milligram", "milligrams"),
    "g": ("gram", "grams"), "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"), "oz": ("ounce", "ounces"),
    "ml": ("milliliter", "milliliters"), "l": ("liter", "liters"), "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"), "kB": ("kilobyte", "kilobytes"),
    "MB": ("megabyte", "megabytes"), "GB": ("gigabyte", "gigabytes"), "TB": ("terabyte", "terabytes"),
    "Mbps": ("megabit per second", "megabits per second"), "kWh": ("kilowatt hour", "kilowatt hours"),
    "kW": ("kilowatt", "kilowatts"), "W": ("watt", "watts"), "V": ("volt", "volts"), "hrs": ("hour", "hours"),
    "hr": ("hour", "hours"), "mins": ("minute", "minutes"), "min": ("minute", "minutes"),
    "secs": ("second", "seconds"), "sec": ("second", "seconds"),
}  # fmt: skip
_DISTANCES = frozenset({"km", "cm", "mm", "m", "mi", "ft", "yd", "in"})
_CURRENCIES = {"$": ("dollar", "cent"), "€": ("euro", "cent"), "£": ("pound", "penny")}
_PENCE = {"penny": "pence"}


def _cardinal(number: str) -> str:
    """`1,234.50` → words. A value, not a row of digits."""
    plain = number.replace(",", "")
    whole, _, fraction = plain.partition(".")
    words = str(num2words(int(whole or 0)))
    return f"{words} point {' '.join(_digit(d) for d in fraction)}" if fraction else words


def _ordinal(number: int) -> str:
    return str(num2words(number, to="ordinal"))


def _digit(digit: str) -> str:
    return str(num2words(int(digit)))


def _digits(text: str) -> str:
    return " ".join(_digit(d) for d in text if d.isdigit())


def _year(number: int) -> str:
    return str(num2words(number, to="year"))


def _money(match: re.Match[str]) -> str:
    name, part = _CURRENCIES[match["sign"]]
    whole, _, fraction = match["amount"].replace(",", "").partition(".")
    if match["scale"]:
        return f"{_cardinal(match['amount'])} {match['scale']} {name}s"
    count = int(whole or 0)
    said = f"{_cardinal(whole)} {name}{'' if count == 1 else 's'}"
    cents = int((fraction + "00")[:2]) if fraction else 0
    if not cents:
        return said
    small = f"{_cardinal(str(cents))} {part if cents == 1 else _PENCE.get(part, part + 's')}"
    return f"{said} and {small}" if count else small


def _email(match: re.Match[str]) -> str:
    said = match[0].replace("@", " at ")
    for mark, name in ((".", " dot "), ("_", " underscore "), ("-", " dash "), ("+", " plus ")):
        said = said.replace(mark, name)
    return re.sub(r"\d+", lambda digits: f" {_digits(digits[0])} ", said)


def _address(match: re.Match[str]) -> str:
    return match["host"].replace(".", " dot ") + re.sub(r"/+", " slash ", (match["path"] or "").rstrip("/"))


def _phone(match: re.Match[str]) -> str:
    text = match[0]
    count = sum(c.isdigit() for c in text)
    groups = re.findall(r"\d+", text)
    separated = len(groups) > 1 or text.startswith("+")
    if not 7 <= count <= 15 or (not separated and count not in (10, 11)) or _looks_like_date(text):
        return text
    if len(groups) == 1 and count == 10:
        groups = [groups[0][:3], groups[0][3:6], groups[0][6:]]
    said = ", ".join(_digits(group) for group in groups)
    return f"plus {said}" if text.startswith("+") else said


def _looks_like_date(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}-\d{1,2}-\d{4}", text.strip()) is not None


def _day(year: int | None, month: int, day: int, *, otherwise: str) -> str:
    try:
        date(year or 2000, month, day)
    except ValueError:
        return otherwise
    said = f"{_MONTHS[month - 1]} {_ordinal(day)}"
    return f"{said}, {_year(year)}" if year else said


def _iso_date(match: re.Match[str]) -> str:
    return _day(int(match[1]), int(match[2]), int(match[3]), otherwise=match[0])


def _us_date(match: re.Match[str]) -> str:
    return _day(int(match[3]), int(match[1]), int(match[2]), otherwise=match[0])


def _named_date(match: re.Match[str]) -> str:
    month = next(n for n, name in enumerate(_MONTHS, 1) if name.startswith(match[1][:3].title()))
    return _day(int(match[3]) if match[3] else None, month, int(match[2]), otherwise=match[0])


def _time(match: re.Match[str]) -> str:
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    if hour > 24 or minute > 59:
        return match[0]
    half = (match["half"] or "").replace(".", "").upper()
    said = _cardinal(str(hour))
    if minute:
        said += f" {'oh ' if minute < 10 else ''}{_cardinal(str(minute))}"
    elif not half:
        said += " o'clock" if 0 < hour <= 12 else " hundred hours" if hour else ""
    return f"{said} {half[0]} M" if half else said


def _unit(match: re.Match[str]) -> str:
    one, many = _UNITS[match[2]]
    return f"{_cardinal(match[1])} {one if match[1] == '1' else many}"


def _acronym(match: re.Match[str]) -> str:
    """`FAQ` is spelled, `NASA` is a word: four letters and more with a vowel between consonants can be said."""
    word = match[1]
    if len(word) >= 4 and re.search(r"[BCDFGHJ-NP-TV-Z][AEIOU]", word):
        return match[0]
    return " ".join(word) + (" s" if match[2] else "")


def _units(names: Sequence[str]) -> re.Pattern[str]:
    alternatives = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(rf"(?<![\w.,])(\d[\d,]*(?:\.\d+)?)\s?({alternatives})(?![\w])")


_NUMBER = r"\d[\d,]*(?:\.\d+)?"
_ENGLISH: Sequence[tuple[str, re.Pattern[str], Callable[[re.Match[str]], str]]] = (
    ("email", re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), _email),
    ("email", re.compile(r"(?:https?://)?(?P<host>(?:www\.[\w-]+|(?<=//)[\w-]+)(?:\.[\w-]+)+)(?P<path>(?:/[\w.-]*)*)"),
     _address),
    ("dollarAmount", re.compile(
        rf"(?P<sign>[$€£])\s?(?P<amount>{_NUMBER})(?:\s?(?P<scale>thousand|million|billion|trillion))?"), _money),
    ("percentage", re.compile(rf"(?<![\w.])({_NUMBER})\s?%"), lambda m: f"{_cardinal(m[1])} percent"),
    ("date", re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b"), _iso_date),
    ("date", re.compile(r"\b(\d{1,2})/(\d{1,2})/(\d{4})\b"), _us_date),
    ("date", re.compile(rf"\b({_MONTH})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(\d{{4}})\b)?"), _named_date),
    ("time", re.compile(
        r"\b(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?\s?(?P<half>[ap]\.?m\b\.?)", re.IGNORECASE), _time),
    ("time", re.compile(r"\b(?P<hour>\d{1,2}):(?P<minute>\d{2})(?P<half>)(?!\d|:)"), _time),
    ("phoneNumber", re.compile(r"(?<![\w.,$€£])(?:\+|\(?)\d(?:[ ().-]{0,2}\d){6,14}(?![\w%])"), _phone),
    ("distance", _units([name for name in _UNITS if name in _DISTANCES]), _unit),
    ("unit", _units([name for name in _UNITS if name not in _DISTANCES]), _unit),
    ("acronym", re.compile(r"\b([A-Z]{2,6})(s?)\b(?!['’])"), _acronym),
)  # fmt: skip

_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b")
_RANGE = re.compile(r"(?<![\w.,-])(\d{1,4})\s?[-–]\s?(\d{1,4})(?![\w-]|\.\d)")
_ANY_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?(?!\w)")


def _numbers(text: str, plan: FormatPlan) -> str:
    language = plan.language
    english = language.lower().startswith("en")
    if english:
        text = _ORDINAL.sub(lambda m: _ordinal(int(m[1])) if len(m[1]) < 7 else m[0], text)
        text = _RANGE.sub(r"\1 to \2", text)

    def say(match: re.Match[str]) -> str:
        number = match[0]
        plain = number.replace(",", "")
        if english and plain.isdigit() and (len(plain) > 1 and plain[0] == "0"):
            return _digits(plain)
        try:
            value = float(plain) if "." in plain else int(plain)
            if "," not in number and isinstance(value, int) and value > plan.digits_above:
                return " ".join(str(num2words(int(d), lang=language)) for d in plain)
            if english and "," not in number and isinstance(value, int) and 1100 <= value <= 2099:
                return _year(value)
            if english and "." in plain:
                return ("minus " if value < 0 else "") + _cardinal(plain.lstrip("-"))
            return str(num2words(value, lang=language))
        except (NotImplementedError, ValueError, OverflowError):
            return number

    return _ANY_NUMBER.sub(say, text)

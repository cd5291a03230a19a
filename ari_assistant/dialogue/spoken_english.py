"""English as it is said: what formatters of the contract's `formatPlan` make of numbers, dates, money and the like."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from num2words import num2words

__all__ = ["FORMS", "Numbers"]

WriteOut = Callable[[re.Match[str]], str]

_MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)
_MONTH = "|".join([*_MONTHS, *(month[:3] for month in _MONTHS), "Sept"])
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()  # noqa: SIM905
_DAY = "Mon|Tues|Tue|Wed|Thurs|Thur|Thu|Fri|Sat|Sun"
_UNITS: Mapping[str, tuple[str, str]] = {
    "km/h": ("kilometer per hour", "kilometers per hour"), "mph": ("mile per hour", "miles per hour"),
    "km": ("kilometer", "kilometers"), "cm": ("centimeter", "centimeters"), "mm": ("millimeter", "millimeters"),
    "m": ("meter", "meters"), "mi": ("mile", "miles"), "ft": ("foot", "feet"), "yd": ("yard", "yards"),
    "in": ("inch", "inches"), "kg": ("kilogram", "kilograms"), "mg": ("milligram", "milligrams"),
    "g": ("gram", "grams"), "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"), "oz": ("ounce", "ounces"),
    "ml": ("milliliter", "milliliters"), "l": ("liter", "liters"), "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"), "°": ("degree", "degrees"),
    "kB": ("kilobyte", "kilobytes"), "MB": ("megabyte", "megabytes"), "GB": ("gigabyte", "gigabytes"),
    "TB": ("terabyte", "terabytes"), "Mbps": ("megabit per second", "megabits per second"),
    "kWh": ("kilowatt hour", "kilowatt hours"), "kW": ("kilowatt", "kilowatts"), "W": ("watt", "watts"),
    "V": ("volt", "volts"), "hrs": ("hour", "hours"), "hr": ("hour", "hours"), "mins": ("minute", "minutes"),
    "min": ("minute", "minutes"), "secs": ("second", "seconds"), "sec": ("second", "seconds"),
}  # fmt: skip
_DISTANCES = frozenset({"km", "cm", "mm", "m", "mi", "ft", "yd", "in"})
_NUMBER = r"\d[\d,]*(?:\.\d+)?"
_MINUS = r"(?:(?<![\w.])[-−](?=\d))?"


_MOST_DIGITS = 15
"""A longer number is no quantity that anybody could follow."""

# -- words for numbers --------------------------------------------------------------------------------------------


def _cardinal(number: str) -> str:
    """`1,234.50` → words. A value, not a row of digits."""
    plain = number.replace(",", "").replace("−", "-")
    minus, plain = ("minus ", plain[1:]) if plain.startswith("-") else ("", plain)
    whole, _, fraction = plain.partition(".")
    if len(whole) > _MOST_DIGITS:
        return minus + _digits(plain)
    words = minus + str(num2words(int(whole or 0)))
    return f"{words} point {' '.join(_digit(d) for d in fraction)}" if fraction else words


def _ordinal(number: int) -> str:
    return str(num2words(number, to="ordinal"))


def _digit(digit: str) -> str:
    return str(num2words(int(digit)))


def _digits(text: str) -> str:
    return " ".join(_digit(d) for d in text if d.isdigit())


def _year(number: int) -> str:
    return str(num2words(number, to="year"))


def _spelled(letters: str) -> str:
    return " ".join(letters)


# -- money --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Currency:
    one: str
    many: str
    part: tuple[str, str] | None = ("cent", "cents")


_DOLLAR, _EURO = _Currency("dollar", "dollars"), _Currency("euro", "euros")
_POUND, _YEN = _Currency("pound", "pounds", ("penny", "pence")), _Currency("yen", "yen", None)
_CURRENCIES: Mapping[str, _Currency] = {
    "$": _DOLLAR, "€": _EURO, "£": _POUND, "¥": _YEN, "EUR": _EURO, "GBP": _POUND, "JPY": _YEN,
    "CHF": _Currency("Swiss franc", "Swiss francs", ("rappen", "rappen")),
    **dict.fromkeys(("US$", "USD"), _Currency("U S dollar", "U S dollars")),
    **dict.fromkeys(("CA$", "C$", "CAD"), _Currency("Canadian dollar", "Canadian dollars")),
    **dict.fromkeys(("AU$", "A$", "AUD"), _Currency("Australian dollar", "Australian dollars")),
}  # fmt: skip
_CURRENCY = "|".join(re.escape(name) for name in sorted(_CURRENCIES, key=len, reverse=True))
_SCALES = {"k": "thousand", "K": "thousand", "M": "million", "m": "million", "mn": "million", "bn": "billion",
           "B": "billion", "T": "trillion"}  # fmt: skip
_SCALE = rf"(?:\s?(?P<scale>thousand|million|billion|trillion|{'|'.join(_SCALES)})(?!\w))?"
_AMOUNT = r"\d{1,3}(?:[.,]\d{3})+(?:[.,]\d{1,2})?(?!\d)|\d+(?:[.,]\d{1,2})?(?!\d)|\d+(?:\.\d+)?"
_PERIODS = {"h": "hour", "hr": "hour", "hour": "hour", "day": "day", "wk": "week", "week": "week", "mo": "month",
            "month": "month", "yr": "year", "year": "year", "night": "night", "person": "person", "min": "minute",
            "minute": "minute", "kg": "kilogram", "lb": "pound", "user": "user", "visit": "visit"}  # fmt: skip
_PER = rf"(?:\s?/\s?(?P<per>{'|'.join(sorted(_PERIODS, key=len, reverse=True))})\b)?"


def _decimal(amount: str, sign: str) -> str:
    """`1.234,50` and `1,234.50` → `1234.50`. The last mark is the decimal one, unless it parts thousands."""
    marks = [mark for mark in amount if mark in ".,"]
    if not marks:
        return amount
    last = marks[-1]
    whole, _, fraction = amount.rpartition(last)
    pointed = last == "." and len(marks) == 1 and sign not in ("€", "EUR", "CHF")  # "$1.234" has no thousands
    if len(fraction) == 3 and not pointed:
        whole, fraction = amount, ""
    whole = whole.replace(".", "").replace(",", "")
    return f"{whole}.{fraction}" if fraction else whole


def _money(match: re.Match[str]) -> str:
    sign = match["sign"]
    currency = _CURRENCIES[sign]
    amount = _decimal(match["amount"], sign)
    minus = "minus " if match["minus"] else ""
    per = f" per {_PERIODS[match['per']]}" if match["per"] else ""
    scale = match["scale"]
    if scale:
        return f"{minus}{_cardinal(amount)} {_SCALES.get(scale, scale)} {currency.many}{per}"
    if "until" in match.groupdict() and match["until"]:
        return f"{_cardinal(amount)} to {_cardinal(_decimal(match['until'], sign))} {currency.many}{per}"
    whole, _, fraction = amount.partition(".")
    said = f"{_cardinal(whole)} {currency.one if whole == '1' else currency.many}"
    cents = int((fraction + "00")[:2]) if fraction and currency.part else 0
    if cents and currency.part:
        small = f"{_cardinal(str(cents))} {currency.part[cents != 1]}"
        said = f"{said} and {small}" if whole.strip("0") else small
    return f"{minus}{said}{per}"


# -- addresses of the network -------------------------------------------------------------------------------------


def _email(match: re.Match[str]) -> str:
    said = match[0].replace("@", " at ")
    for mark, name in ((".", " dot "), ("_", " underscore "), ("-", " dash "), ("+", " plus ")):
        said = said.replace(mark, name)
    return re.sub(r"\d+", lambda digits: f" {_digits(digits[0])} ", said)


def _address(match: re.Match[str]) -> str:
    said = match["host"] + (match["path"] or "").rstrip("/")
    for mark, name in ((".", " dot "), ("-", " dash ")):
        said = said.replace(mark, name)
    said = re.sub(r"/+", " slash ", said)
    return re.sub(r"\d+", lambda digits: f" {_digits(digits[0])} ", said)


def _internet_protocol(match: re.Match[str]) -> str:
    return " dot ".join(_digits(part) for part in match[0].split("."))


# -- telephone numbers, rooms and codes ---------------------------------------------------------------------------


def _phone(match: re.Match[str]) -> str:
    text = match[0]
    count = sum(c.isdigit() for c in text)
    groups = re.findall(r"\d+", text)
    separated = len(groups) > 1 or text.startswith("+")
    if not 7 <= count <= 15 or (not separated and count not in (10, 11)) or _is_none(text):
        return text
    if len(groups) == 1 and count == 10:
        groups = [groups[0][:3], groups[0][3:6], groups[0][6:]]
    free = 1 if groups[0] == "1" else 0
    said = ", ".join(
        "eight hundred" if n == free and group == "800" else _digits(group) for n, group in enumerate(groups)
    )
    return f"plus {said}" if text.startswith("+") else said


def _is_none(text: str) -> bool:
    """A date, years, or thousands."""
    return (
        re.fullmatch(
            r"(?:1\d|20)\d\d-(?:1\d|20)\d\d|\d{4}-\d{1,2}-\d{1,2}|\d{1,2}-\d{1,2}-\d{4}|\d{1,3}(?:\.\d{3})+",
            text.strip(),
        )
        is not None
    )


def _vanity(match: re.Match[str]) -> str:
    area = "eight hundred" if match["area"] == "800" else _digits(match["area"])
    return f"{'one, ' if match['one'] else ''}{area}, {match['word'].replace('-', ' ').lower()}"


def _room(match: re.Match[str]) -> str:
    """`room 204`, `order no. 1250`: its digits."""
    between = (match[2] or "").strip()
    return " ".join(filter(None, (match[1], between if between in ("", "is") else "number", _digits(match[3]))))


def _code(match: re.Match[str]) -> str:
    """`BA249`, `B7`, `COVID-19`."""
    letters, digits = match[1], match[2]
    said = letters if len(letters) > 3 else _spelled(letters)
    return f"{said} {_digits(digits) if len(digits) > 2 or digits.startswith('0') else _cardinal(digits)}"


# -- dates and times ----------------------------------------------------------------------------------------------


def _day(year: int | None, month: int, day: int, *, otherwise: str) -> str:
    try:
        date(year or 2000, month, day)
    except ValueError:
        return otherwise
    said = f"{_MONTHS[month - 1]} {_ordinal(day)}"
    return f"{said}, {_year(year)}" if year else said


def _iso_date(match: re.Match[str]) -> str:
    return _day(int(match[1]), int(match[2]), int(match[3]), otherwise=match[0])


def _timestamp(match: re.Match[str]) -> str:
    day = _iso_date(match)
    clock = _clock(int(match["hour"]), int(match["minute"]), "")
    return match[0] if clock is None else f"{day}, at {clock}{' U T C' if match['zone'] == 'Z' else ''}"


def _marked_date(match: re.Match[str]) -> str:
    """`11/23/2026`, and `23/11/2026` where it can be nothing else; with points the day is first."""
    first, second, year = int(match[1]), int(match[3]), int(match[4])
    day_first = match[2] == "." or first > 12
    return _day(year, second if day_first else first, first if day_first else second, otherwise=match[0])


def _day_of_year(match: re.Match[str]) -> str:
    """`on 11/23`; `1/2` is a half, unless something happens on it."""
    month, day = int(match["month"]), int(match["day"])
    if match["on"] is None and (day <= 12 or month > 12):
        return match[0]
    return f"{match['on'] or ''}{_day(None, month, day, otherwise=f'{month}/{day}')}"


def _month(name: str) -> int:
    return next(n for n, month in enumerate(_MONTHS, 1) if month.startswith(name[:3].title()))


def _named_date(match: re.Match[str]) -> str:
    year = int(match["year"]) if match["year"] else None
    return _day(year, _month(match["month"]), int(match["day"]), otherwise=match[0])


def _weekday(match: re.Match[str]) -> str:
    return next(day for day in _DAYS if day.startswith(match[1][:3]))


def _clock(hour: int, minute: int, half: str) -> str | None:
    if hour > 24 or minute > 59:
        return None
    said = _cardinal(str(hour))
    if minute:
        said += f" {'oh ' if minute < 10 else ''}{_cardinal(str(minute))}"
    elif not half:
        said += " o'clock" if 0 < hour <= 12 else " hundred hours" if hour else ""
    return f"{said} {half[0].upper()} M" if half else said


def _time(match: re.Match[str]) -> str:
    said = _clock(int(match["hour"]), int(match["minute"] or 0), match["half"] or "")
    if said is None:
        return match[0]
    # "at 5 p.m. Please" ends a sentence, "at 5 p.m. on" does not.
    ends = (match["half"] or "").endswith(".") and re.match(r"\s+[A-Z]|\s*$", match.string[match.end() :])
    return f"{said}." if ends else said


def _with_seconds(match: re.Match[str]) -> str:
    said = _clock(int(match["hour"]), int(match["minute"]), "")
    seconds = int(match["second"])
    if said is None or seconds > 59:
        return match[0]
    return f"{said} and {_cardinal(str(seconds))} second{'s' if seconds != 1 else ''}" if seconds else said


# -- units and abbreviations --------------------------------------------------------------------------------------


def _unit(match: re.Match[str]) -> str:
    one, many = _UNITS[match["unit"]]
    first, last = match["number"], match["until"]
    # "a 27 in screen"
    single = first == "1" or re.search(r"\ban? $", match.string[: match.start()]) is not None
    said = _cardinal(first) if last is None else f"{_cardinal(first)} to {_cardinal(last)}"
    return f"{said} {one if single and last is None else many}"


def _units(names: Sequence[str]) -> re.Pattern[str]:
    alternatives = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True) if name != "in")
    if "in" in names:  # "5 in the morning" are no inches
        alternatives += r"|(?<=\d)in|in(?=\s*(?:[.,;)]|$|x\b|by\b))"
    return re.compile(
        rf"(?<![\w.,])(?P<number>{_MINUS}{_NUMBER})(?:\s?[-–]\s?(?P<until>{_NUMBER}))?\s?(?P<unit>{alternatives})"
        r"(?!\w|/h\b)(?:\.(?=\s[a-z]))?"
    )


_TITLES = {"Mr": "Mister", "Mrs": "Missus", "Dr": "Doctor", "Prof": "Professor", "St": "Saint", "Mt": "Mount"}
_STREETS = {"St": "Street", "Dr": "Drive", "Ave": "Avenue", "Rd": "Road", "Blvd": "Boulevard", "Ln": "Lane",
            "Hwy": "Highway", "Sq": "Square"}  # fmt: skip
_SHORT = {"e.g.": "for example", "i.e.": "that is,", "approx.": "approximately", "vs.": "versus", "etc.": "et cetera",
          "Jr.": "Junior", "Sr.": "Senior", "w/": "with", "Apt.": "apartment", "Dept.": "department",
          "Tel.": "telephone", "est.": "established", "max.": "maximum", "min.": "minimum"}  # fmt: skip
_SHORT_FORM = re.compile(
    "|".join(
        rf"(?<![\w.]){re.escape(short)}" + (",?" if short == "i.e." else r"(?=\s)" if short == "w/" else "")
        for short in sorted(_SHORT, key=len, reverse=True)
    )
)


def _short_form(match: re.Match[str]) -> str:
    short = match[0].rstrip(",")
    ends = short == "etc." and re.match(r"\s+[A-Z]|\s*$", match.string[match.end() :])
    return _SHORT[short] + ("." if ends else "")


def _title_or_street(match: re.Match[str]) -> str:
    """`St. Mary's` is a saint, `Baker St.` a street; `Dr. Smith` and `Ocean Dr.` likewise."""
    name = match["name"]
    before, after = match.string[: match.start()], match.string[match.end() :]
    named = re.match(r"\s+[A-Z]", after) is not None
    on = re.search(r"(?:^|[\s(])([A-Z][\w'’]*|\d+(?:st|nd|rd|th))\s$", before)
    if name not in _STREETS:
        return _TITLES[name]
    if name not in _TITLES or (on is not None and not (named and _begins(before, on, title=name == "Dr"))):
        ends = named or not after.strip()
        return _STREETS[name] + ("." if ends else "")
    return _TITLES[name] if named or name == "Dr" else match[0]


def _begins(before: str, on: re.Match[str], *, title: bool) -> bool:
    """The word before is no name of a street but begins its sentence: `Visit St. Mary's`, `Call Dr. Smith`."""
    if title and not re.search(r"\d", before):
        return True
    return not before[: on.start(1)].strip() or before[: on.start(1)].rstrip()[-1] in ".!?:"


def _acronym(match: re.Match[str]) -> str:
    """`FAQ` is spelled, `NASA` is a word: four letters and more with a vowel between consonants can be said."""
    word = match[1]
    if len(word) >= 4 and re.search(r"[BCDFGHJ-NP-TV-Z][AEIOU]", word):
        return match[0]
    return _spelled(word) + (" s" if match[2] else "")


_DOMAINS = "com|org|net|edu|gov|io|dev|app|info|biz|eu|de|ch|fr|nl|ai|co\\.uk|org\\.uk"
_PATH = r"(?P<path>(?:/[\w.-]*\w)*)/?"
_ROOMS = (
    "room|suite|gate|apartment|apt|flat|flight|code|pin|order|ticket|case|reference|ref|account|invoice|box"
    "|booking|confirmation|bus|bay|locker|policy|claim"
)
_EMERGENCY = "911|999|112|988|311|411|211|511|611|811"
FORMS: Sequence[tuple[str, re.Pattern[str], WriteOut]] = (
    ("email", re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), _email),
    ("email", re.compile(rf"(?:https?://)?(?P<host>(?:www\.[\w-]+|(?<=//)[\w-]+)(?:\.[\w-]+)+){_PATH}"), _address),
    ("email", re.compile(rf"(?<![\w@./-])(?P<host>(?:[A-Za-z0-9-]+\.)+(?:{_DOMAINS}))(?![\w-]){_PATH}"), _address),
    ("date", re.compile(
        r"\b(\d{4})-(\d{2})-(\d{2})T(?P<hour>\d{2}):(?P<minute>\d{2})(?::\d{2}(?:\.\d+)?)?"
        r"(?P<zone>Z|[+-]\d{2}:?\d{2})?"), _timestamp),
    ("dollarAmount", re.compile(rf"(?<=\d)\s?[-–]\s?(?=(?:{_CURRENCY})\s?\d)"), lambda _: " to "),
    ("dollarAmount", re.compile(
        rf"(?P<minus>(?<!\w)[-−])?(?<![A-Za-z])(?P<sign>{_CURRENCY})\s?(?P<amount>{_AMOUNT})"
        rf"(?:\s?[-–]\s?(?P<until>{_AMOUNT})(?![\d,.]*\d))?{_SCALE}{_PER}"), _money),
    ("dollarAmount", re.compile(
        rf"(?P<minus>(?<!\w)[-−])?(?<![\w.,-])(?P<amount>{_AMOUNT}){_SCALE}\s?(?P<sign>{_CURRENCY})(?!\w){_PER}"),
     _money),
    ("dollarAmount", re.compile(r"(?<![\w.,])(\d+)\s?¢"),
     lambda m: f"{_cardinal(m[1])} cent{'s' if m[1] != '1' else ''}"),
    ("percentage", re.compile(r"(?<=\d%)\s?[-–]\s?(?=\d)"), lambda _: " to "),
    ("percentage", re.compile(rf"(?<![\w.])({_MINUS}{_NUMBER})(?:\s?[-–]\s?({_NUMBER}))?\s?%"),
     lambda m: f"{_cardinal(m[1])}{f' to {_cardinal(m[2])}' if m[2] else ''} percent"),
    ("date", re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b"), _iso_date),
    ("date", re.compile(r"\b(\d{1,2})([/.-])(\d{1,2})\2(\d{4})\b"), _marked_date),
    ("date", re.compile(
        r"(?P<on>\b(?:on|by|until|before|after|since|due|dated)\s)?(?<![\w/.])(?P<month>\d{1,2})/(?P<day>\d{1,2})(?![\w/])"),
     _day_of_year),
    ("date", re.compile(
        rf"\b(?P<month>{_MONTH})\b\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?!:)(?:,?\s+(?P<year>\d{{4}})\b)?"),
     _named_date),
    ("date", re.compile(
        rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?P<month>{_MONTH})\b\.?(?:,?\s+(?P<year>\d{{4}})\b)?"),
     _named_date),
    ("date", re.compile(rf"\b({_DAY})\b\.?(?=\s?[-–&]\s?(?:{_DAY})\b|,?\s+(?:at\s)?\d|,\s(?:{_DAY})\b)"), _weekday),
    ("date", re.compile(rf"(?<=day)\s?[-–]\s?(?:({_DAY})\b\.?|(?=[A-Z][a-z]+day\b))"),
     lambda m: f" to {_weekday(m) if m[1] else ''}"),
    ("time", re.compile(
        r"\b(\d{1,2}(?::\d{2})?\s?(?:[ap]\.?m\b\.?)?)\s?[-–]\s?(?=\d{1,2}(?::\d{2})?\s?[ap]\.?m\b)", re.IGNORECASE),
     lambda m: f"{m[1]} to "),
    ("time", re.compile(r"\b(\d{1,2}:\d{2})\s?[-–]\s?(?=\d{1,2}:\d{2}\b)"), lambda m: f"{m[1]} to "),
    ("time", re.compile(
        r"\b(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?\s?(?P<half>[ap](?:\.\s?m\.|\.?m\b))", re.IGNORECASE), _time),
    ("time", re.compile(r"\b(?P<hour>\d{1,2}):(?P<minute>\d{2}):(?P<second>\d{2})\b"), _with_seconds),
    ("time", re.compile(r"\b(?P<hour>\d{1,2}):(?P<minute>\d{2})(?P<half>)(?!\d|:)"), _time),
    ("number", re.compile(r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?!\.?\w)"),
     _internet_protocol),
    ("phoneNumber", re.compile(r"\b(?:(?P<one>1)-)?(?P<area>\d{3})-(?P<word>[A-Z][A-Z-]{2,}[A-Z])\b"), _vanity),
    ("phoneNumber", re.compile(r"(?<![\w.,$€£])(?:\+|\(?)\d(?:[ ().-]{0,2}\d){6,14}(?![\w%])"), _phone),
    ("phoneNumber", re.compile(r"\b[Ee]xt(?:ension)?\b\.?\s?(\d+)\b"), lambda m: f"extension {_digits(m[1])}"),
    ("phoneNumber", re.compile(
        rf"(?<![\w.,$€£#])(?:(?<=[Cc]all )|(?<=[Dd]ial )|(?<=[Rr]ing )|(?<=[Tt]ext )|(?<=[Pp]hone ))({_EMERGENCY})"
        r"(?![\w%]|[.,]\d)"), lambda m: _digits(m[1])),
    ("phoneNumber", re.compile(r"(?<![\w.,$€£#-])911(?![\w%-]|[.,]\d| (?:people|[a-z]+s)\b)"), lambda m: _digits(m[0])),
    ("distance", _units([name for name in _UNITS if name in _DISTANCES]), _unit),
    ("unit", _units([name for name in _UNITS if name not in _DISTANCES]), _unit),
    ("number", re.compile(
        rf"\b({_ROOMS})(\s+is|\s+no\.?|\s+number|\s+#)?\s?(\d{{3,}})\b(?!,\d|\.\d)", re.IGNORECASE), _room),
    ("number", re.compile(r"(?:\b[Nn]o\.\s?|(?<!\w)#\s?)(?=\d)"), lambda _: "number "),
    ("number", re.compile(r"\b(?<!\d[.,])([A-Z]{1,6})-?(\d{1,5})\b(?![.,:]\d|-\w|')"), _code),
    ("acronym", re.compile(rf"\b(?P<name>{'|'.join({**_TITLES, **_STREETS})})\.(?=\s|$|[,;)])"), _title_or_street),
    ("acronym", _SHORT_FORM, _short_form),
    ("acronym", re.compile(r"\s&\s|(?<=\w)&(?=\w)"), lambda _: " and "),
    ("acronym", re.compile(r"\b([A-Z]{2,6})(s?)\b(?!['’])"), _acronym),
)  # fmt: skip
"""Name of the formatter, what it finds, what is said instead; in this order, since each sees what the last has left."""


# -- plain numbers ------------------------------------------------------------------------------------------------

_HALVES = {"2": ("half", "halves"), "3": ("third", "thirds"), "4": ("quarter", "quarters"), "5": ("fifth", "fifths"),
           "6": ("sixth", "sixths"), "8": ("eighth", "eighths"), "10": ("tenth", "tenths")}  # fmt: skip
_SIGNS = {"½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "−": "-"}
_FRACTION = re.compile(r"(?<![\w/.])(?:(\d+)\s)?([1-9]\d?)/(2|3|4|5|6|8|10)(?![\w/]|\.\d)")
_VERSION = re.compile(r"\b(?:[Vv]ersion\s|[Vv])(\d+(?:\.\d+)+)\b|(?<![\w.])(\d+(?:\.\d+){2,})(?!\.?\w)")
_DECADE = re.compile(r"(?<!\w)(?:['’]|((?:1[1-9]|20)(?=\d0s)))(\d0)s\b")
_SPACED_DASH = re.compile(r"(?<![\w.,-])(\d{1,9})\s[-–]\s(\d{1,9})(?![\w-]|\.\d)")
_RANGE = re.compile(r"(?<![\w.,-])(\d{1,4})[-–](\d{1,4})(?![\w-]|\.\d)")
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b")
_ANY = re.compile(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?(?!\w)|(?<![\w.])\.\d+(?!\w)")
_SPAN_BEFORE = re.compile(
    r"(?:\b(?:open|from|between|hours|daily|weekdays|pages?|rooms?|\w+day|[ap] m)\b\W*)$", re.IGNORECASE
)
_SPAN_AFTER = re.compile(r"\s*(?:daily|on\b|every|weekdays|o'clock|\w+days?\b)", re.IGNORECASE)
_YEAR_BEFORE = re.compile(
    r"\b(?:in|since|year|circa|from|until|till|by|before|after|around|early|late|mid|built|founded|born|of the year"
    rf"|spring|summer|autumn|fall|winter|{_MONTH})\W*$",
    re.IGNORECASE,
)
_SUM_BEFORE = re.compile(
    r"\b(?:balance|total|amount|sum|costs?|price|bill|fee|budget|worth|paid|pay|owe|salary|score|points)\b[^.!?]{0,12}$",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"\s+(?!(?:is|was|as|has|its|this|us|yes|always|does|plus|minus|times|unless)\b)(?:[a-z]+s|people|men|women|children)\b"
)


@dataclass(frozen=True, slots=True)
class Numbers:
    """What is left of figures when everything of a kind has been said."""

    digits_above: int
    """A greater number that is written without separators is said digit by digit."""

    def said(self, text: str) -> str:
        """`text` with words for its numbers."""
        for sign, plain in _SIGNS.items():
            text = re.sub(rf"(?<=\d){sign}", f" {plain}", text) if len(plain) > 1 else text.replace(sign, plain)
            text = text.replace(sign, plain)
        text = re.sub(r"\b24/7\b", "twenty-four seven", text)
        text = re.sub(r"\b50[/-]50\b", "fifty fifty", text)
        text = _FRACTION.sub(_fraction, text)
        text = _VERSION.sub(_version, text)
        text = _DECADE.sub(_decade, text)
        text = re.sub(r"(?<![\w.,])(\d+(?:\.\d+)?)k\b", lambda m: f"{_cardinal(m[1])} thousand", text)
        text = _ORDINAL.sub(lambda m: _ordinal(int(m[1])) if len(m[1]) < 7 else m[0], text)
        text = _SPACED_DASH.sub(_minus_or_to, text)
        text = _RANGE.sub(r"\1 to \2", text)
        text = re.sub(r"(?<=\d)\s?[x×]\s?(?=\d)", " by ", text)
        text = re.sub(r"(?<=\d)\s\+\s(?=\d)|(?<=\d)\+(?!\w)", " plus ", text)
        text = re.sub(r"(?<=[\d)])\s=\s(?=\d)", " equals ", text)
        return _ANY.sub(self._number, text)

    def _number(self, match: re.Match[str]) -> str:
        number = match[0]
        plain = number.replace(",", "")
        if plain.isdigit() and len(plain) > 1 and plain[0] == "0":
            return _digits(plain)
        if "." in plain or not plain.isdigit() or "," in number:
            return _cardinal(plain)
        if len(plain) > _MOST_DIGITS or (value := int(plain)) > self.digits_above:
            return _digits(plain)
        return _year(value) if self._is_year(value, match) else _cardinal(plain)

    @staticmethod
    def _is_year(value: int, match: re.Match[str]) -> bool:
        before, after = match.string[: match.start()], match.string[match.end() :]
        if not 1100 <= value <= 2099:
            return False
        if _YEAR_BEFORE.search(before):
            return True
        return value >= 1900 and not _SUM_BEFORE.search(before) and not _COUNTED.match(after)


def _fraction(match: re.Match[str]) -> str:
    whole, over, under = match[1], int(match[2]), match[3]
    if over >= int(under):
        return match[0]
    one, many = _HALVES[under]
    if whole:
        part = f"a {one}" if over == 1 else f"{_cardinal(str(over))} {many}"
        return f"{_cardinal(whole)} and {part}"
    return f"{_cardinal(str(over))} {one if over == 1 else many}"


def _version(match: re.Match[str]) -> str:
    numbers = match[1] or match[2]
    if match[1] is None and re.fullmatch(r"\d{1,3}(?:\.\d{3})+", numbers):
        return _cardinal(numbers.replace(".", ""))  # 1.234.567
    said = " point ".join(_cardinal(number) for number in numbers.split("."))
    return said if match[1] is None else f"version {said}"


def _decade(match: re.Match[str]) -> str:
    words = _year(int((match[1] or "19") + match[2])).split()
    many = words[-1][:-1] + "ies" if words[-1].endswith("y") else f"{words[-1]}s"
    return " ".join([*words[:-1], many]) if match[1] else many


def _minus_or_to(match: re.Match[str]) -> str:
    """`5 - 3` is a sum, `9 - 5 daily` a span."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    span = int(match[1]) < int(match[2]) or _SPAN_BEFORE.search(before) or _SPAN_AFTER.match(after)
    equals = after.lstrip().startswith("=")
    return f"{match[1]} {'to' if span and not equals else 'minus'} {match[2]}"

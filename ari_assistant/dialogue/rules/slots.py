"""Values out of what a caller said: numbers, digits, dates, times, names, choices. English."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from difflib import SequenceMatcher
from typing import Final

from num2words import num2words

from ari_assistant.dialogue.rules.config import DAYS, Slot

__all__ = ["affirms", "corrects", "extract", "numbers_in", "says_no", "says_yes"]

KEYPAD: Final = "User's Keypad Entry: "
_UNITS: Final = {
    word: value
    for value, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
} | {"oh": 0, "a couple": 2}
_TENS: Final = {
    word: 10 * value
    for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)  # noqa: SIM905
}
_MONTHS: Final = (
    "january february march april may june july august september october november december".split()  # noqa: SIM905
)
_ORDINALS: Final = sorted(
    ((str(num2words(n, to="ordinal")).replace("-", " "), n) for n in range(1, 32)), key=lambda item: -len(item[0])
)
_YES: Final = re.compile(
    r"^(?:um |uh |well )*(?:yes|yeah|yep|yup|correct|right|exactly|sure|okay|ok|that's right|that is right|perfect"
    r"|that's correct|please do|of course|fine|go ahead|sounds good|it is|absolutely)\b"
)
_NO: Final = re.compile(r"^(?:um |uh |well )*(?:no|nope|nah|wrong|not|incorrect|that's wrong|that is wrong)\b")
_CORRECTION: Final = re.compile(
    r"^(?:no|nope|sorry|wait|actually|i meant|i said|not|make it|make that|oh no|rather)\b"
)
_LEAD_IN: Final = re.compile(
    r"^(?:(?:um|uh|er|well|yes|yeah|sure|okay|ok|please|hi|hello)[,.]?\s+)*"
    r"(?:(?:my name is|my name's|this is|it's|it is|i'm|i am|the name is|the name's|that's|that is|for|it would be)"
    r"\s+)?",
    re.IGNORECASE,
)

_NO_NAME: Final = re.compile(
    r"\b(?:nothing|something|anything|everything|nobody|it|this|that|these|those|is|isn't|are|aren't|was|does|doesn't|do"
    r"|don't|did|didn't|can't|won't|works|working|what|what's|why|how|when|where|not|never|my|your|you|we|they|i|me|tell|can|could|would)\b"
)
"""`Nothing works.` is no name, whoever was asked for one."""


def _plain(text: str) -> str:
    """Lower case, without punctuation but `'`, `:`, `@` and `.` in numbers."""
    text = text.lower().replace("’", "'").replace("-", " ")
    text = re.sub(r"(?<!\d)\.|\.(?!\d)|[,;!?\"]", " ", text)
    return " ".join(text.split())


def says_yes(text: str) -> bool:
    """It begins with a yes."""
    return _YES.match(_plain(text)) is not None


def says_no(text: str) -> bool:
    """It begins with a no."""
    return _NO.match(_plain(text)) is not None


def affirms(text: str) -> bool:
    """A yes and nothing that takes it back."""
    return says_yes(text) and not re.search(r"\b(?:but|no|not|except|actually)\b", _plain(text))


def corrects(text: str) -> bool:
    """It begins as people begin when they put something right."""
    return _CORRECTION.match(_plain(text)) is not None


def extract(slot: Slot, said: str, *, today: date, whole: bool = True) -> str | None:
    """The slot's value in `said`, or None. Not `whole`: the utterance is about more than this slot, so that text and
    names cannot be found in it. What is denied (`not eleven`) is no value."""
    if said.startswith(KEYPAD):
        keys = re.sub(r"\D", "", said.removeprefix(KEYPAD))
        return _checked(slot, keys) if slot.type in ("number", "digits") and keys else None
    if slot.type in ("text", "name") and not whole:
        return None
    finders: dict[str, Callable[[], str | None]] = {
        "text": lambda: _LEAD_IN.sub("", said.strip()).strip(" .,!") or None,
        "name": lambda: _name(said),
        "number": lambda: _number(slot, said),
        "digits": lambda: _digits(slot, said),
        "yes-no": lambda: "yes" if says_yes(said) else "no" if says_no(said) else None,
        "date": lambda: _date(_undenied(said), today),
        "time": lambda: _time(_undenied(said)),
        "choice": lambda: _choice(slot.choices or (), _undenied(said)),
        "email": lambda: _email(said),
    }
    return finders[slot.type]()


def _undenied(said: str) -> str:
    """`seven, not eleven` and `not eleven, seven` → `seven`."""
    return re.sub(r"\bnot (?:on |at |the |in )*[\w:']+(?: o'clock| [ap]m)?", " ", _plain(said))


def _checked(slot: Slot, value: str) -> str | None:
    measure = int(value) if slot.type == "number" else len(value)
    if (slot.least is not None and measure < slot.least) or (slot.most is not None and measure > slot.most):
        return None
    return value


def numbers_in(text: str) -> list[int]:
    """Every number: `twenty one` is 21, `a hundred and five` is 105, `2` is 2."""
    found: list[int] = []
    current: int | None = None
    tens = False
    for word in [*_plain(text).split(), ""]:
        if word.isdigit():
            found += [current] if current is not None else []
            found.append(int(word))
            current, tens = None, False
        elif word in _TENS:
            if current is not None and current % 100:
                found.append(current)
                current = None
            current, tens = (current or 0) + _TENS[word], True
        elif word in _UNITS and word != "oh":
            value = _UNITS[word]
            if current is not None and (current % 10 or (not tens and current % 100) or value > 9):
                found.append(current)
                current = None
            current, tens = (current or 0) + value, False
        elif word == "hundred":
            current, tens = (current or 1) * 100, False
        elif word == "thousand":
            current, tens = (current or 1) * 1000, False
        elif word == "and" and current is not None and current >= 100:
            continue
        elif current is not None:
            found.append(current)
            current, tens = None, False
    return found


def _number(slot: Slot, said: str) -> str | None:
    plain = re.sub(r"\ba couple\b", "two", _undenied(said))
    fitting = [str(n) for n in numbers_in(plain) if _checked(slot, str(n)) is not None]
    if not fitting and re.search(r"\b(?:just me|only me|myself|alone)\b", plain):
        return _checked(slot, "1")
    return fitting[-1] if fitting else None


def _digits(slot: Slot, said: str) -> str | None:
    digits = ""
    times, tens = 1, False
    for word in _plain(said).split():
        if word in ("double", "triple"):
            times = 2 if word == "double" else 3
            continue
        if word.isdigit():
            digits += word * times
        elif word in _UNITS:  # "forty two" is 42, not 402
            digits = digits[:-1] if tens and 0 < _UNITS[word] < 10 else digits
            digits += str(_UNITS[word]) * times
        elif word in _TENS:
            digits += str(_TENS[word])
            tens = True
            continue
        tens, times = False, 1
    return _checked(slot, digits) if digits else None


def _name(said: str) -> str | None:
    text = _LEAD_IN.sub("", said.strip()).strip(" .,!?")
    letters = re.findall(r"\b([A-Za-z])\b", text)
    if len(letters) > 2 and len(letters) >= len(text.split()) - 1:
        return "".join(letters).capitalize()
    text = re.sub(r",?\s+(?:please|thanks|thank you)$", "", text, flags=re.IGNORECASE)
    if _NO_NAME.search(_plain(text)):
        return None
    return text if text and len(text.split()) <= 5 else None


def _date(plain: str, today: date) -> str | None:
    if re.search(r"\bday after tomorrow\b", plain):
        return _say_date(today + timedelta(days=2))
    for word, days in (("today", 0), ("tonight", 0), ("tomorrow", 1), ("to morrow", 1)):
        if re.search(rf"\b{word}\b", plain):
            return _say_date(today + timedelta(days=days))
    month = next((n for n, name in enumerate(_MONTHS, 1) if re.search(rf"\b{name}\b", plain)), None)
    ordinal = next(
        (n for text, n in _ORDINALS if re.search(rf"\b{text}\b", plain)),
        None,
    )
    numeric = re.search(r"\b(\d{1,2})(?:st|nd|rd|th)?\b", plain)
    day = ordinal or (int(numeric[1]) if numeric is not None and (month or not numeric[0].isdigit()) else None)
    if month is not None and day is None:
        day = next((n for n in numbers_in(plain) if 1 <= n <= 31), None)
    if day is not None and (month is not None or ordinal is not None or numeric is not None):
        return _next_day(day, month, today)
    for n, name in enumerate(DAYS):
        if re.search(rf"\b{name}s?\b", plain):
            ahead = (n - today.weekday()) % 7 or 7
            later = 7 if re.search(rf"\bnext {name}\b", plain) and ahead < 4 else 0
            return _say_date(today + timedelta(days=ahead + later))
    return None


def _next_day(day: int, month: int | None, today: date) -> str | None:
    for n in range(0, 13):
        year, index = divmod(today.year * 12 + today.month - 1 + n, 12)
        try:
            found = date(year, index + 1, day)
        except ValueError:
            continue
        if found >= today and (month is None or found.month == month):
            return _say_date(found)
    return None


def _say_date(day: date) -> str:
    return f"{day:%A}, {day:%B} {day.day}"


def _time(plain: str) -> str | None:
    for word, said in (("noon", "12:00 PM"), ("midday", "12:00 PM"), ("midnight", "12:00 AM")):
        if re.search(rf"\b{word}\b", plain):
            return said
    at = re.search(r"\bat (.+)|((?:\w+ ){1,2}(?:[ap]\.?m|o'clock).*)", plain)
    plain = (at[1] or at[2]) if at is not None else plain
    afternoon = re.search(r"\b(?:p ?\.?m\.?|in the (?:afternoon|evening)|tonight)(?:\b|$)", plain)
    morning = re.search(r"\b(?:a ?\.?m\.?|in the morning)(?:\b|$)", plain)
    clock = re.search(r"\b(\d{1,2})[:.](\d{2})\b", plain)
    minute = 0
    if clock is not None:
        hour, minute = int(clock[1]), int(clock[2])
    else:
        numbers = numbers_in(re.sub(r"\b(half past|quarter past|quarter to)\b", " ", plain))
        if not numbers:
            return None
        hour = numbers[0]
        if re.search(r"\bhalf past\b", plain):
            minute = 30
        elif re.search(r"\bquarter past\b", plain):
            minute = 15
        elif re.search(r"\bquarter to\b", plain):
            hour, minute = hour - 1, 45
        elif len(numbers) > 1 and numbers[1] < 60:
            minute = numbers[1]
    if not 0 <= hour <= 24 or not 0 <= minute < 60:
        return None
    # Without a word about it people mean the day: one to seven in the afternoon, eight to twelve in the morning.
    if hour < 12 and (afternoon or (not morning and 1 <= hour <= 7)):
        hour += 12
    if morning and hour == 12:
        hour = 0
    hour %= 24
    return f"{hour % 12 or 12}:{minute:02d} {'PM' if hour >= 12 else 'AM'}"


def _choice(choices: Sequence[str], plain: str) -> str | None:
    best: tuple[float, str] = (0.0, "")
    for choice in choices:
        name, _, synonyms = choice.partition(":")
        for word in [name, *synonyms.split(",")]:
            wanted = _plain(word)
            if not wanted:
                continue
            if re.search(rf"\b{re.escape(wanted)}\b", plain):
                score = 1.0 + len(wanted) / 100
            else:
                parts = plain.split()
                size = len(wanted.split())
                windows = [" ".join(parts[at : at + size]) for at in range(len(parts) - size + 1)]
                score = max((SequenceMatcher(None, wanted, window).ratio() for window in windows), default=0.0)
            best = max(best, (score, name.strip()))
    return best[1] if best[0] >= 0.8 else None


def _email(said: str) -> str | None:
    text = said.lower().strip(" .,!?")
    for word, mark in ((" at ", "@"), (" dot ", "."), (" underscore ", "_"), (" dash ", "-"), (" hyphen ", "-")):
        text = text.replace(word, mark)
    text = re.sub(r"^(?:um |uh |it's |it is |my email is |my e-mail is |that's )+", "", text)
    match = re.search(r"[\w.+-]+(?: [\w.+-]+)*@[\w-]+(?:\.[\w-]+)+", text)
    return match[0].replace(" ", "") if match is not None else None

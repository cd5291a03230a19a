"""JSON as it comes from outside: only what can be stored and sent on again, and no more than can be worked on."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

__all__ = ["MAX_DEPTH", "MAX_DOCUMENT_BYTES", "MAX_VALUES", "check_size", "read_json"]

MAX_DOCUMENT_BYTES: Final = 1 << 20
"""Of one document: parsing, checking and storing more holds the event loop too long."""
MAX_VALUES: Final = 20_000
"""Elements and members of all arrays and objects of a document together."""
MAX_DEPTH: Final = 64
_DOUBLE_BITS = 1_023
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)


def read_json(text: str | bytes) -> Any:
    """The value of a JSON text (RFC 8259, UTF-8).

    Raises ValueError, with what is wrong: no JSON; a number that a double cannot hold (`1e999`, `NaN`), which would
    come back as no JSON; a text that is no Unicode, or holds NUL, which PostgreSQL does not take; too long, too many
    values, or too deep a nesting.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    check_size(text)
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError(f"it must not be nested deeper than {MAX_DEPTH} levels") from None
    _check(value, escaped="\\u" in text)
    return value


def check_size(text: str) -> None:
    """Raises ValueError when a JSON text is too long or has too many values, before they are built."""
    if len(text) > MAX_DOCUMENT_BYTES:
        raise ValueError(f"it must not be longer than {MAX_DOCUMENT_BYTES} bytes")
    if _values(text) > MAX_VALUES and _values(_STRING.sub("", text)) > MAX_VALUES:
        raise ValueError(f"it must not hold more than {MAX_VALUES} values")


def _values(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _check(value: Any, *, escaped: bool) -> None:
    """`escaped`: characters were written as `\\u…`, which may name half a character, or NUL."""
    level, depth = [value], 0
    while level:
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict | list):
                if depth == MAX_DEPTH:
                    raise ValueError(f"it must not be nested deeper than {MAX_DEPTH} levels")
                below += item.values() if isinstance(item, dict) else item
                if escaped and isinstance(item, dict):
                    below += item.keys()
            elif (isinstance(item, float) and not math.isfinite(item)) or (
                isinstance(item, int) and item.bit_length() > _DOUBLE_BITS
            ):
                raise ValueError("a number must be one that fits into a double")
            elif escaped and isinstance(item, str):
                item.encode("utf-8")
                if "\0" in item:
                    raise ValueError("a text must not hold the character NUL")
        level, depth = below, depth + 1

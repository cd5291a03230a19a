"""Regular expressions that users write (contract §5.2, §10.1): JavaScript's `RegExp.test`, bounded in time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import regex

__all__ = ["BadPattern", "Pattern"]

_SECONDS = 0.05
"""A search that takes longer has gone astray (catastrophic backtracking)."""
_FLAGS = {"ignore-case": regex.IGNORECASE, "multi-line": regex.MULTILINE, "dot-all": regex.DOTALL}


class BadPattern(ValueError):
    """The text is no regular expression; the message says where it breaks."""


class Pattern:
    """A compiled expression. It may stand anywhere in the text (`test`, not `match`)."""

    def __init__(self, text: str, options: Iterable[Mapping[str, Any]] | None = None) -> None:
        """`options` are Vapi's: `{"type": "ignore-case", "enabled": true}`. Raises BadPattern."""
        flags = regex.VERSION0
        for option in options or ():
            if option.get("enabled", True):
                flags |= _FLAGS.get(str(option.get("type")), regex.VERSION0)
        try:
            self._pattern = regex.compile(text, flags)
        except regex.error as fault:
            raise BadPattern(f"{text!r} is no regular expression: {fault}") from fault

    def test(self, text: str) -> bool:
        """Whether it is found in `text`. A search that is not done within 50 ms has not found anything."""
        try:
            return self._pattern.search(text, timeout=_SECONDS) is not None
        except TimeoutError:
            return False

    def find(self, text: str) -> str | None:
        """What is found first, or None."""
        try:
            match = self._pattern.search(text, timeout=_SECONDS)
        except TimeoutError:
            return None
        return match[0] if match is not None else None

    def replace(self, text: str, value: str, *, everywhere: bool = True) -> str:
        """`text` with what is found replaced by `value` (literally); unchanged when it takes longer than 50 ms."""
        try:
            return self._pattern.sub(lambda _: value, text, count=0 if everywhere else 1, timeout=_SECONDS)
        except TimeoutError:
            return text

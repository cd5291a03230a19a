"""Regular expressions that users write (contract §5.2, §10.1): JavaScript's `RegExp.test`, bounded in time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import regex

__all__ = ["BadPattern", "Pattern"]

_SECONDS = 0.02
"""A search that takes longer has gone astray (catastrophic backtracking)."""
_MAX_CHARACTERS = 1_000
_MAX_SIZE = 5_000
"""Of an expression with its counted repetitions written out, which is how it is compiled."""
_PART = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(\d+)(?:,\d*)?\}|.", re.DOTALL)
_FLAGS = {"ignore-case": regex.IGNORECASE, "multi-line": regex.MULTILINE, "dot-all": regex.DOTALL}


class BadPattern(ValueError):
    """The text is no regular expression; the message says where it breaks."""


def _written_out(text: str) -> int:
    """How many parts an expression has with its counted repetitions written out: `(ab){100}` has 200."""
    groups = [[0, 0]]  # of each open group: its parts, and how many of them the last item has
    for part in _PART.finditer(text):
        if part[0] == "(":
            groups.append([0, 0])
        elif part[0] == ")" and len(groups) > 1:
            inside = groups.pop()[0]
            groups[-1] = [groups[-1][0] + inside, inside]
        elif part[1] is not None:
            whole, last = groups[-1]
            repeated = last * max(1, min(int(part[1]), _MAX_SIZE + 1))
            groups[-1] = [whole - last + repeated, repeated]
        else:
            groups[-1] = [groups[-1][0] + 1, 1]
    return sum(group[0] for group in groups)


class Pattern:
    """A compiled expression. It may stand anywhere in the text (`test`, not `match`)."""

    def __init__(self, text: str, options: Iterable[Mapping[str, Any]] | None = None) -> None:
        """`options` are Vapi's: `{"type": "ignore-case", "enabled": true}`. Raises BadPattern."""
        flags = regex.VERSION0
        for option in options or ():
            if option.get("enabled", True):
                flags |= _FLAGS.get(str(option.get("type")), regex.VERSION0)
        if len(text) > _MAX_CHARACTERS:
            raise BadPattern(f"a regular expression must not be longer than {_MAX_CHARACTERS} characters")
        if _written_out(text) > _MAX_SIZE:
            raise BadPattern(f"{text!r} repeats more than can be searched for")
        self._astray = False
        try:
            self._pattern = regex.compile(text, flags)
        except (regex.error, RecursionError) as fault:
            raise BadPattern(f"{text!r} is no regular expression: {fault}") from fault

    def test(self, text: str) -> bool:
        """Whether it is found in `text`. A search that is not done within 20 ms has not found anything; and who went
        astray once is not tried again."""
        return self._search(text) is not None

    def find(self, text: str) -> str | None:
        """What is found first, or None."""
        match = self._search(text)
        return match[0] if match is not None else None

    def replace(self, text: str, value: str, *, everywhere: bool = True) -> str:
        """`text` with what is found replaced by `value` (literally); unchanged when it takes longer than 20 ms."""
        if self._astray:
            return text
        try:
            return self._pattern.sub(lambda _: value, text, count=0 if everywhere else 1, timeout=_SECONDS)
        except TimeoutError:
            self._astray = True
            return text

    def _search(self, text: str) -> regex.Match[str] | None:
        if self._astray:
            return None
        try:
            return self._pattern.search(text, timeout=_SECONDS)
        except TimeoutError:
            self._astray = True
            return None

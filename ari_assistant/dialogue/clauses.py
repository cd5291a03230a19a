"""Streamed text → pieces that can be spoken (contract §10.3)."""

from __future__ import annotations

import re

__all__ = ["Clauses", "speakable"]

_BOUNDARY = re.compile(r"""[.!?;:,。！？；，、。…](?=["')\]]*(?:\s|$))["')\]]*|\n+""")
_FLUSH = re.compile(r"<\s*flush\s*/?>|<\s*/\s*flush\s*>", re.IGNORECASE)
_ABBREVIATION = re.compile(r"\b(?:mr|mrs|ms|dr|st|no|vs|e\.g|i\.e|etc|approx)\.$|\b[A-Z]\.$", re.IGNORECASE)
_STRONG = frozenset(".!?。！？\n…")


def speakable(text: str) -> str:
    """`text` without what cannot be spoken: tags, Markdown marks, surplus space."""
    text = re.sub(r"```.*?```", " ", text, flags=re.DOTALL)
    text = re.sub(r"<[^<>]*>", " ", text)
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"[*_`#~|]+", " ", text)
    return " ".join(text.split())


class Clauses:
    """Cuts a stream of text at punctuation.

    The first clause may be as short as `first_minimum` letters, so that the voice can begin early; later ones
    are at least `minimum` letters long, for the sake of intonation. A decimal point, an abbreviation or a
    comma inside a number is no boundary. `<flush />` is.
    """

    def __init__(self, *, minimum: int = 30, first_minimum: int = 10, maximum: int = 280) -> None:
        self._minimum = minimum
        self._first_minimum = first_minimum
        self._maximum = maximum
        self._text = ""
        self._first = True

    def push(self, text: str) -> list[str]:
        """Take a piece of the stream; return the clauses that it completes."""
        self._text += text
        done: list[str] = []
        while (flush := _FLUSH.search(self._text)) is not None:
            done += self._cut(self._text[: flush.start()], final=True)[0]
            self._text = self._text[flush.end() :]
        clauses, self._text = self._cut(self._text, final=False)
        return done + clauses

    def finish(self) -> list[str]:
        """The stream has ended: what is left."""
        text, self._text = self._text, ""
        return self._cut(text, final=True)[0]

    def _cut(self, text: str, *, final: bool) -> tuple[list[str], str]:
        done: list[str] = []
        start = 0
        for match in _BOUNDARY.finditer(text):
            # A mark at the very end may be half of something ("3." of "3.5"): wait for what follows it.
            if match.end() == len(text) and not final and match[0] != "\n":
                break
            piece = text[start : match.end()]
            strong = match[0][0] in _STRONG
            minimum = self._first_minimum if self._first else self._minimum
            if not strong and len(piece.strip()) < minimum:
                continue
            if len(piece.strip()) < (2 if self._first else self._minimum) and not final:
                continue
            if _ABBREVIATION.search(piece.rstrip()):
                continue
            start = match.end()
            self._add(piece, done)
        rest = text[start:]
        while len(rest) > self._maximum:
            at = rest.rfind(" ", 0, self._maximum)
            at = at if at > 0 else self._maximum
            self._add(rest[:at], done)
            rest = rest[at:]
        if final:
            self._add(rest, done)
            rest = ""
        return done, rest

    def _add(self, piece: str, done: list[str]) -> None:
        clean = speakable(piece)
        if any(letter.isalnum() for letter in clean):
            done.append(clean)
            self._first = False

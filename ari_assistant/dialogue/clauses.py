"""Streamed text → clauses that can be spoken (`chunkPlan`, contract §10.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["BOUNDARIES", "SPOKEN_CHARACTERS", "Chunking", "Clauses", "plain", "speakable"]

SPOKEN_CHARACTERS: Final = 20_000
"""Of one reply: twenty minutes of speech. Whatever a model or a server sends, more is not said."""
_LONGEST_CLAUSE: Final = 1_000
"""Where nothing is cut; a voice takes no more in one request, and to write it out would hold the loop."""
BOUNDARIES: Final = frozenset("。 ， . ! ? ; ) ، ۔ । ॥ | || , :".split())  # noqa: SIM905 - readable as the contract has it
"""The contract's `punctuationBoundaries`."""
_FLUSH = re.compile(r"<\s*flush\s*/?>|<\s*/\s*flush\s*>", re.IGNORECASE)
_ABBREVIATION = re.compile(
    r"\b(?:(?i:mr|mrs|ms|dr|prof|st|mt|vs|e\.g|i\.e|approx|ext|tel|apt|ca)|(?<![AP]\.)[A-Z])\.$"
)
"""A full stop that is none, whatever follows it."""
_PERHAPS_ABBREVIATION = re.compile(
    r"\b(?:no|nos|etc|ave|rd|blvd|ln|hwy|sq|jr|sr|inc|ltd|co|corp|dept|[ap]\.m|mon|tues?|wed|thur?s?|fri|sat|sun"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.$",
    re.IGNORECASE,
)
"""One that is a full stop when a new sentence follows: `No. We are closed`, and not `No. 5`."""
_STRONG = frozenset(".!?。！？\n…।॥۔")
_KEPT_TAG = re.compile(r"<(?!\s*/?\s*(?:break|spell)\b)[^<>]*>", re.IGNORECASE)
_ANY_TAG = re.compile(r"<[^<>]*>")


@dataclass(frozen=True, slots=True)
class Chunking:
    """How text is cut. Not `enabled`: a reply is spoken when all of it is there."""

    enabled: bool = True
    minimum: int | None = None
    """Letters that a clause has at least; by default 30, and 10 for the first, so that the voice can begin early."""
    boundaries: frozenset[str] = BOUNDARIES


def speakable(text: str) -> str:
    """`text` without what cannot be spoken: tags (but `<break>` and `<spell>`), Markdown marks, surplus space."""
    text = re.sub(r"```.*?```", " ", text, flags=re.DOTALL)
    text = _KEPT_TAG.sub(" ", text)
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"(?<!\w)[*_`~]+|[*_`~]+(?!\w)|[*`~|]+|#+(?!\d)", " ", text)
    return " ".join(text.split())


def plain(clause: str) -> str:
    """A clause without any tag: what the history and the transcript hold."""
    return " ".join(_ANY_TAG.sub(" ", clause).split())


class Clauses:
    """Cuts a stream of text at punctuation.

    Later clauses are longer than the first, for the sake of intonation. A decimal point, an abbreviation or a comma
    inside a number is no boundary. `<flush />` is.
    """

    def __init__(self, plan: Chunking | None = None, *, maximum: int = 280) -> None:
        plan = plan or Chunking()
        self._minimum = plan.minimum if plan.minimum is not None else 30
        self._first_minimum = plan.minimum if plan.minimum is not None else 10
        self._maximum = maximum if plan.enabled else _LONGEST_CLAUSE
        marks = "".join(re.escape(mark) for mark in sorted(plan.boundaries) if len(mark) == 1) + "！？；、…"
        self._boundary = re.compile(rf"""[{marks}](?=["')\]]*(?:\s|$))["')\]]*|(?<=[。，！？；、।])|\n+""")
        self._enabled = plan.enabled
        self._text = ""
        self._first = True

    def push(self, text: str) -> list[str]:
        """Take a piece of the stream; return the clauses that it completes."""
        self._text += text
        done: list[str] = []
        while (flush := _FLUSH.search(self._text)) is not None:
            done += self._cut(self._text[: flush.start()], final=True)[0]
            self._text = self._text[flush.end() :]
        if not self._enabled:
            return done
        clauses, self._text = self._cut(self._text, final=False)
        return done + clauses

    def finish(self) -> list[str]:
        """The stream has ended: what is left."""
        text, self._text = self._text, ""
        return self._cut(text, final=True)[0]

    def _cut(self, text: str, *, final: bool) -> tuple[list[str], str]:
        done: list[str] = []
        start = 0
        for match in self._boundary.finditer(text) if self._enabled else ():
            # A mark at the very end may be half of something ("3." of "3.5"): wait for what follows it.
            if match.end() == len(text) and not final and match[0] != "\n":
                break
            piece = text[start : match.end()]
            strong = (match[0] or text[match.start() - 1])[0] in _STRONG
            minimum = self._first_minimum if self._first else self._minimum
            if not strong and len(piece.strip()) < minimum:
                continue
            if len(piece.strip()) < (2 if self._first else self._minimum) and not final:
                continue
            if _ABBREVIATION.search(piece.rstrip()) or piece.count("<") != piece.count(">"):
                continue
            if _PERHAPS_ABBREVIATION.search(piece.rstrip()):
                following = text[match.end() :].lstrip()
                if not following and not final:
                    break
                if following and not following[0].isupper():
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
        if any(letter.isalnum() for letter in plain(clean)):
            done.append(clean)
            self._first = False

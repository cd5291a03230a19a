"""What was said, as words that can be compared: small letters, no punctuation, contractions written out. English."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["asks", "sentences_of", "words_of"]

_MOST = 2_000
"""Letters of an utterance that are looked at: three minutes of speech."""
_WHOLE: Final = (
    (r"\be[ -]?mails?\b", "email"),
    (r"\bgood[ -]?b(?:ye|y|uy)\b", "goodbye"),
    (r"\bcannot\b", "can not"),
    (r"\b(ca|wo|sha)n'?t\b", r"\1n not"),
    (r"\b(do|does|did|is|are|was|were|have|has|had|could|would|should|must|need)n'?t\b", r"\1 not"),
    (r"\b(what|where|when|who|how|that|there|here)'?s\b", r"\1 is"),
    (r"\b(it|he|she)'s\b", r"\1 is"),
    (r"\blet'?s\b", "let us"),
    (r"\b(i)'?m\b", r"\1 am"),
    (r"\b(you|they)'?re\b|\b(we)'re\b", r"\1\2 are"),
    (r"\b(i|you|they)'?ve\b|\b(we)'ve\b", r"\1\2 have"),
    (r"\b(\w+)'ll\b", r"\1 will"),
    (r"\b(i|you|he|she|we|they)'d\b", r"\1 would"),
    (r"'s\b", ""),
    (r"\bgotta\b", "got to"),
    (r"\bwanna\b", "want to"),
    (r"\bok\b", "okay"),
    (r"\b[ap]\.m\b\.?", lambda m: m[0].replace(".", "")),
)
_WRITTEN_OUT: Final = tuple((re.compile(pattern), with_) for pattern, with_ in _WHOLE)
_MISSED: Final = {"can not": "can not", "won not": "will not", "shan not": "shall not"}
_HESITATION: Final = re.compile(r"\b(?:u+h+|u+m+|e+r+m*|h+m+|a+h+|oh|mhm)\b")
_ASKS: Final = re.compile(
    r"\?\s*$|^(?:(?:and|so|but|well|okay|sorry|hi|hello|hey|by the way|excuse me|please) )*"
    r"(?:who|what|when|where|why|how|which|whose|do|does|did|are|is|am|was|were|can|could|may|should|shall|will|would"
    r"|have you|has|is not|are not|do not (?:you|i|we))\b"
)


def words_of(text: str) -> str:
    """`What's your E-Mail, um, please?` → `what is your email please`."""
    text = text[:_MOST].lower().replace("’", "'")
    for pattern, with_ in _WRITTEN_OUT:
        text = pattern.sub(with_, text)
    for missed, whole in _MISSED.items():
        text = text.replace(missed, whole)
    text = _HESITATION.sub(" ", re.sub(r"[^\w']|_", " ", text))
    return " ".join(text.replace("'", "").split())


def sentences_of(text: str) -> list[str]:
    """What was said, cut at full stops and at `and`: each may be about something else."""
    parts = re.split(r"(?<=[.!?;])\s+|,?\s+(?:and|but)\s+", text[:_MOST])
    return [part for part in parts if part.strip()]


def asks(text: str) -> bool:
    """It is a question: by its mark, or by how its words begin."""
    return any(
        _ASKS.search(sentence.strip()[-1:] if sentence.rstrip().endswith("?") else words_of(sentence)) is not None
        for sentence in sentences_of(text)
    )

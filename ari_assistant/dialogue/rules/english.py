"""The English that the built-in dialogue knows by itself: `english.yaml`, read once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import yaml

__all__ = ["CONCEPTS", "NAMES", "PHRASES", "SOUNDLESS", "SPELLED", "STOP_WORDS", "Concept"]


@dataclass(frozen=True, slots=True)
class Concept:
    """One thing that is said in many ways."""

    name: str
    weight: float
    said: str
    """A pattern: any of the ways."""


def _expanded(pattern: str, names: Mapping[str, str]) -> str:
    for name, meaning in names.items():
        pattern = pattern.replace(f"{{{name}}}", f"(?:{meaning})")
    return pattern


_FILE: Final[dict[str, Any]] = yaml.safe_load((files(__package__) / "english.yaml").read_text(encoding="utf-8"))
NAMES: Final[dict[str, str]] = {}
for _name, _ways in _FILE["names"].items():
    NAMES[_name] = "|".join(_expanded(way, NAMES) for way in _ways)
PHRASES: Final[Mapping[str, Sequence[str]]] = {
    kind: [_expanded(phrase, NAMES) for phrase in phrases] for kind, phrases in _FILE["phrases"].items()
}
"""Patterns of phrases by their kind."""
CONCEPTS: Final[Sequence[Concept]] = [
    Concept(one["name"], one["weight"], "|".join(_expanded(way, NAMES) for way in one["said"]))
    for one in _FILE["concepts"]
]
STOP_WORDS: Final = frozenset(_FILE["stopWords"].split())
SOUNDLESS: Final = frozenset(_FILE["soundless"].split())
SPELLED: Final[Sequence[str]] = _FILE["spelled"]

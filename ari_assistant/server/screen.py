"""What the one who starts the server sees of it."""

from __future__ import annotations

from typing import Protocol

__all__ = ["NoScreen", "Screen"]


class Screen(Protocol):
    """Shows how far the start is. `start_screen.StartScreen` implements it."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Long work; a total of 0 means that the end is not known. May be called in any thread."""

    def announce(self, line: str) -> None:
        """A line that the operator must see."""


class NoScreen:
    """Nobody watches."""

    def progress(self, what: str, done: int, total: int) -> None:
        """See `Screen`."""

    def announce(self, line: str) -> None:
        """See `Screen`."""

"""Digits of the caller's keypad, collected into one entry (`keypadInputPlan`, contract §8.6)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["KeypadInput", "KeypadPlan"]

_MAX_KEYS = 64


@dataclass(frozen=True, slots=True)
class KeypadPlan:
    """When an entry is complete: at a delimiter, or `timeout_seconds` after the last key (0: at a delimiter only)."""

    timeout_seconds: float = 2.0
    delimiters: frozenset[str] = frozenset()


class KeypadInput:
    """Collects keys. `now` in seconds, monotonic."""

    def __init__(self, plan: KeypadPlan) -> None:
        self._plan = plan
        self._keys = ""
        self._last = 0.0

    @property
    def collecting(self) -> bool:
        """Keys have come, and the entry is not complete."""
        return bool(self._keys)

    @property
    def completes(self) -> bool:
        """… but will be, without another key."""
        return bool(self._keys and self._plan.timeout_seconds)

    def push(self, key: str, *, now: float) -> str | None:
        """A key was pressed; the entry when it is complete (without its delimiter). A delimiter alone is none."""
        self._last = now
        if key in self._plan.delimiters:
            return self._take()
        self._keys += key
        return self._take() if len(self._keys) >= _MAX_KEYS else None

    def handle_deadline(self, now: float) -> str | None:
        """Time has passed; the entry when it is complete."""
        if not self._keys or not self._plan.timeout_seconds or now - self._last < self._plan.timeout_seconds:
            return None
        return self._take()

    def _take(self) -> str | None:
        keys, self._keys = self._keys, ""
        return keys or None

"""Silence and length: when nobody speaks, and when the caller does not (contract §10.4, §10.5)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["IdlePlan", "IdleTimer", "SilenceTimer"]


class SilenceTimer:
    """Expires when neither side has been active for `timeout_seconds`. Seconds of one monotonic clock."""

    def __init__(self, timeout_seconds: float, *, now: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._active_at = now

    def receive(self, active: bool, *, now: float) -> bool:
        """Tell whether somebody speaks or a reply is being prepared; True once the time is over."""
        if active:
            self._active_at = now
        return now - self._active_at >= self._timeout_seconds


@dataclass(frozen=True, slots=True)
class IdlePlan:
    """`customer.speech.timeout`, and the older idle messages."""

    timeout_seconds: float = 7.5
    max_count: int = 3
    reset_on_speech: bool = False
    """`triggerResetMode: onUserSpeech`: the count begins anew when the caller has spoken."""


class IdleTimer:
    """Fires when the caller has said nothing for `timeout_seconds` since the assistant finished speaking, at most
    `max_count` times. The clock stands still while anybody speaks, while a reply is prepared and while a tool runs."""

    def __init__(self, plan: IdlePlan, *, now: float) -> None:
        self._plan = plan
        self._since = now
        self._count = 0

    def receive(self, active: bool, *, now: float) -> bool:
        """See `SilenceTimer.receive`; True each time that it fires."""
        if active:
            self._since = now
            return False
        if now - self._since < self._plan.timeout_seconds or self._count >= self._plan.max_count:
            return False
        self._since = now
        self._count += 1
        return True

    def caller_spoke(self) -> None:
        """The caller has said something."""
        if self._plan.reset_on_speech:
            self._count = 0

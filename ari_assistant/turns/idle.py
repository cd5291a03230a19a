"""The caller says nothing, and neither does the assistant (`silenceTimeoutSeconds`, contract §10.4)."""

from __future__ import annotations

__all__ = ["SilenceTimer"]


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

"""The clock of a conversation."""

from __future__ import annotations

import asyncio

import pytest

from ari_assistant.session.clock import CallClock


async def test_seconds_count_from_the_answer_and_until_then_from_the_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    clock = CallClock()
    now = 103.0
    assert (clock.now(), clock.seconds()) == (103.0, 3.0)
    clock.answered()
    now = 104.5
    assert (clock.answered_at, clock.seconds()) == (103.0, 1.5)

"""The life of a call as its record shows it."""

from __future__ import annotations

import pytest

from ari_assistant.reports.call_state import CallEvent, CallState, after

S, E = CallState, CallEvent


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([E.DIALLED, E.ANSWERED, E.ENDED], S.ENDED),
        ([E.DIALLED, E.ANSWERED, E.FORWARDED, E.RETURNED], S.IN_PROGRESS),
        ([E.DIALLED, E.FORWARDED], S.FORWARDING),
        ([E.ENDED], S.ENDED),
    ],
)
def test_a_call_goes_its_way(events: list[CallEvent], state: CallState) -> None:
    now = CallState.QUEUED
    for event in events:
        following = after(now, event)
        assert following is not None
        now = following
    assert now is state


@pytest.mark.parametrize("event", list(CallEvent))
def test_nothing_happens_to_a_call_that_has_ended(event: CallEvent) -> None:
    assert after(CallState.ENDED, event) is None


def test_a_call_is_answered_once() -> None:
    assert after(CallState.IN_PROGRESS, CallEvent.ANSWERED) is None
    assert after(CallState.FORWARDING, CallEvent.ANSWERED) is None

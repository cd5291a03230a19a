"""A caller who says nothing is spoken to, a few times."""

from __future__ import annotations

from ari_assistant.turns.idle import IdlePlan, IdleTimer


def fires(timer: IdleTimer, seconds: float, *, start: float, active: bool = False) -> list[float]:
    ticks = [start + n * 0.02 for n in range(round(seconds / 0.02))]
    return [round(at) for at in ticks if timer.receive(active, now=at)]


def test_it_fires_every_time_the_silence_has_lasted_up_to_the_limit() -> None:
    timer = IdleTimer(IdlePlan(timeout_seconds=5, max_count=3), now=0.0)
    assert fires(timer, 60, start=0.0) == [5, 10, 15]


def test_the_clock_begins_when_nobody_speaks_any_more() -> None:
    timer = IdleTimer(IdlePlan(timeout_seconds=5), now=0.0)
    assert fires(timer, 20, start=0.0, active=True) == []
    assert fires(timer, 6, start=20.0) == [25]


def test_the_count_begins_anew_only_when_that_is_wanted() -> None:
    for reset, expected in ((False, []), (True, [45])):
        timer = IdleTimer(IdlePlan(timeout_seconds=5, max_count=1, reset_on_speech=reset), now=0.0)
        fires(timer, 20, start=0.0)
        timer.caller_spoke()
        fires(timer, 20, start=20.0, active=True)
        assert fires(timer, 10, start=40.0) == expected

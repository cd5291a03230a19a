from __future__ import annotations

from ari_assistant.media.rtp.pacer import Due, Pacer


def test_frame_n_is_due_at_start_plus_n_intervals_whenever_it_was_asked() -> None:
    pacer = Pacer(start=100.0, interval=0.02)
    assert pacer.due(99.99) == Due(0, 0)
    assert pacer.due(100.004) == Due(1, 0)
    assert pacer.deadline == 100.02
    assert pacer.due(100.0399) == Due(1, 0)
    assert pacer.deadline == 100.04


def test_a_short_delay_is_made_good() -> None:
    pacer = Pacer(start=0.0, interval=0.02, catch_up=3)
    assert pacer.due(0.041) == Due(3, 0)


def test_a_long_delay_is_no_burst() -> None:
    pacer = Pacer(start=0.0, interval=0.02, catch_up=3)
    assert pacer.due(1.001) == Due(3, 48)
    assert round(pacer.deadline, 6) == 1.02


def test_a_clock_that_jumps_back_makes_nothing_due() -> None:
    pacer = Pacer(start=10.0, interval=0.02)
    assert pacer.due(3.0) == Due(0, 0)

from __future__ import annotations

import pytest

from ari_assistant.calls.admission import Admission, Load

FINE = Load(packets=50, media_busy=0.2)
LATE = Load(packets=50, over_40=5, over_50=5, media_busy=0.2)


def with_calls(count: int, *, max_calls: int = 0) -> Admission:
    admission = Admission(max_calls=max_calls)
    for _ in range(count):
        admission.enter()
    return admission


def after(*seconds: Load, calls: int = 5) -> Admission:
    """One load a second."""
    admission = with_calls(calls)
    for now, load in enumerate(seconds):
        admission.observe(load, now=now)
    return admission


def test_the_configured_limit_holds_to_the_call() -> None:
    admission = with_calls(3, max_calls=3)
    assert admission.refusal() is None, "the third has entered"
    assert "3 calls" in str(admission.refusal(new=True))
    admission.enter()
    assert admission.refusal() is not None
    admission.leave()
    assert admission.refusal() is None
    assert admission.wire() == {"calls": 3, "refused": 2, "overload": None, "limit": 3, "capacity": None}


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (Load(packets=50, over_40=10, over_50=10), "2.0% of the packets"),
        (Load(packets=50, over_40=10, media_busy=0.99), "6.0% of the packets"),
        (Load(server_late_ms=500.0), "the server lags"),
        (Load(engine_queue=30), "24 requests"),
    ],
)
def test_a_machine_that_does_not_keep_up_takes_no_more(load: Load, words: str) -> None:
    assert words in str(after(*[load] * (1 if load.over_50 else 3)).refusal())
    assert after(*[load] * 10, calls=1).refusal() is None, "the first call is not what makes it slow"


@pytest.mark.parametrize(
    "load",
    [
        Load(packets=50, over_40=1, over_50=1, media_busy=0.2),  # the only second that is known
        Load(packets=20, over_40=5, over_50=5),
        Load(packets=50, over_40=5, over_50=0, media_busy=0.99),
        Load(server_late_ms=900.0),
        Load(engine_queue=32),
    ],
)
def test_one_bad_second_is_no_reason(load: Load) -> None:
    assert after(load).refusal() is None
    assert after(*[FINE] * 9, load).refusal() is None


def test_one_late_packet_every_two_seconds_is_no_reason() -> None:
    noise = [Load(packets=50, over_40=n % 2, over_50=n % 2, media_busy=0.5) for n in range(600)]
    admission = with_calls(30)
    for now, load in enumerate(noise):
        admission.observe(load, now=now)
        assert admission.refusal(new=True) is None
    assert admission.refused == 0


def test_a_process_that_works_all_the_time_and_is_not_late_is_no_reason() -> None:
    assert after(*[Load(packets=50, media_busy=1.0)] * 20).refusal() is None


def test_packets_between_40_and_50_ms_are_a_reason_only_until_it_is_over() -> None:
    between = Load(packets=50, over_40=5, over_50=0, media_busy=0.3)
    assert after(*[between] * 20).refusal() is None, "not bad enough to begin"
    assert after(*[LATE] * 2, *[between] * 20).refusal() is not None, "not good enough to end"
    assert after(*[LATE] * 2, *[FINE] * 10).refusal() is None


def test_a_server_that_was_behind_must_keep_up_for_ten_seconds() -> None:
    behind = Load(packets=50, server_late_ms=400.0)
    assert after(*[behind] * 3, *[FINE] * 9).refusal() is not None
    assert after(*[behind] * 3, *[FINE] * 10).refusal() is None


def test_without_load_and_limit_everybody_comes_in() -> None:
    assert with_calls(500).refusal() is None


def test_the_capacity_is_told_by_what_the_calls_cost() -> None:
    assert after(Load(media_busy=0.1), calls=20).capacity() == 180
    assert after(Load(media_busy=0.1), calls=2).capacity() is None, "too few to tell"

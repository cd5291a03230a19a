from __future__ import annotations

import pytest

from ari_assistant.calls.admission import Admission, Load


def with_calls(count: int, **options: object) -> Admission:
    admission = Admission(**options)  # type: ignore[arg-type]
    for _ in range(count):
        admission.enter()
    return admission


def test_the_configured_limit_holds_to_the_call() -> None:
    admission = with_calls(3, max_calls=3)
    assert admission.refusal() is None, "the third has entered"
    assert "3 calls" in str(admission.refusal(new=True))
    admission.enter()
    assert admission.refusal() is not None
    admission.leave()
    assert admission.refusal() is None
    assert admission.wire() == {"calls": 3, "refused": 2, "limit": 3, "capacity": None}


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (Load(media_busy=0.9), "90%"),
        (Load(media_late_ms=15.0), "15 ms late"),
        (Load(server_late_ms=500.0), "lags 500 ms"),
        (Load(engine_queue=30), "30 requests"),
    ],
)
def test_a_machine_that_does_not_keep_up_takes_no_more(load: Load, words: str) -> None:
    assert words in str(with_calls(5, load=lambda: load).refusal())
    assert with_calls(1, load=lambda: load).refusal() is None, "the first call is not what makes it slow"


def test_without_load_and_limit_everybody_comes_in() -> None:
    assert with_calls(500).refusal() is None


def test_the_capacity_is_told_by_what_the_calls_cost() -> None:
    assert with_calls(20, load=lambda: Load(media_busy=0.1)).capacity() == 170
    assert with_calls(2, load=lambda: Load(media_busy=0.1)).capacity() is None, "too few to tell"

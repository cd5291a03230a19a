"""How long a pause must last (contract §10.1)."""

from __future__ import annotations

import pytest

from ari_assistant.turns.endpointing import (
    EndpointingPlan,
    Evidence,
    Rule,
    TranscriptionWaits,
    Waits,
    wait_seconds,
)
from ari_assistant.turns.wait_function import DEFAULT_WAIT_FUNCTION, BadFormula, WaitFunction

OURS = EndpointingPlan()
WAITS = Waits()


@pytest.mark.parametrize(
    ("text", "finished", "wait"),
    [
        ("I'd like a table for two.", 0.95, WAITS.sure),
        ("I'd like a table for two.", None, WAITS.complete),
        ("I'd like a table for two.", 0.2, WAITS.doubtful),
        ("I'd like a table for two.", 0.01, WAITS.open),
        ("I'd like a table for two,", 0.95, WAITS.sure),
        ("I'd like a table for two,", 0.5, WAITS.open),
        ("When are you open?", 0.3, WAITS.sure),
        ("When are you open?", 0.05, WAITS.complete),
        ("I'd like to.", 0.99, WAITS.incomplete),
        ("four one two", 0.99, WAITS.dictation),
        ("Seven.", 0.99, WAITS.number),
        ("", None, WAITS.complete),
    ],
)
def test_the_words_decide_and_the_prosody_shortens(text: str, finished: float | None, wait: float) -> None:
    assert wait_seconds(OURS, Evidence(text, finished)) == wait


def test_the_prosody_never_makes_an_unfinished_sentence_shorter() -> None:
    for finished in (None, 0.0, 0.5, 1.0):
        assert wait_seconds(OURS, Evidence("Can I get a pizza with?", finished)) == WAITS.incomplete


@pytest.mark.parametrize(
    ("text", "wait"),
    [("That is all.", 0.1), ("that is all", 1.5), ("it costs 5", 0.5), ("it costs five.", 0.5), ("Really?", 0.1)],
)
def test_the_transcription_plan_goes_by_number_then_punctuation(text: str, wait: float) -> None:
    plan = EndpointingPlan(transcription=TranscriptionWaits())
    assert wait_seconds(plan, Evidence(text, 0.0)) == wait


def test_custom_rules_beat_everything_and_the_first_one_counts() -> None:
    rules = (Rule(lambda asked, said: "number" in asked, 3.0), Rule(lambda asked, said: True, 1.0))
    plan = EndpointingPlan(rules=rules, transcription=TranscriptionWaits())
    assert wait_seconds(plan, Evidence("x", asked="your number?"), told=0.2) == 3.0
    assert wait_seconds(plan, Evidence("x", asked="your name?"), told=0.2) == 1.0


def test_the_own_server_comes_before_formula_and_plan() -> None:
    plan = EndpointingPlan(wait_function=WaitFunction("1000"), transcription=TranscriptionWaits())
    assert wait_seconds(plan, Evidence("x", 0.5), told=0.7) == 0.7
    assert wait_seconds(plan, Evidence("x", 0.5)) == 1.0


def test_a_formula_needs_the_prosody() -> None:
    plan = EndpointingPlan(wait_function=WaitFunction("1000 * x"))
    assert wait_seconds(plan, Evidence("That is all.", 0.9)) == pytest.approx(0.1)
    assert wait_seconds(plan, Evidence("That is all.")) == WAITS.complete


@pytest.mark.parametrize(
    ("formula", "x", "seconds"),
    [
        (DEFAULT_WAIT_FUNCTION, 0.0, 0.02),
        (DEFAULT_WAIT_FUNCTION, 1.0, 3.02),
        ("2000 / (1 + exp(-10 * (x - 0.5)))", 0.5, 1.0),
        ("700 + 4000 * max(0, x-0.5)", 1.0, 2.7),
        ("200 + 8000 * x", 0.5, 4.2),
        ("-2^2 * 100", 0.5, 0.0),
        ("2^3^2", 0.0, 0.512),
        ("1e9", 0.0, 15.0),
        ("sqrt(0 - 1)", 0.0, 0.0),
        ("1000 / x", 0.0, 0.0),
        ("pi * 1000", 0.3, 3.14159),
    ],
)
def test_wait_functions_of_the_contract(formula: str, x: float, seconds: float) -> None:
    assert WaitFunction(formula).seconds(x) == pytest.approx(seconds, abs=1e-3)


@pytest.mark.parametrize(
    "formula", ["", "x +", "import os", "__import__('os')", "x; x", "(x", "x)", "y", "1" + "+1" * 200]
)
def test_what_is_no_formula_is_refused(formula: str) -> None:
    with pytest.raises(BadFormula):
        WaitFunction(formula)


def test_all_waits_grow_with_that_of_a_complete_sentence() -> None:
    slow = Waits.around(1.0)
    assert slow.complete == 1.0
    assert slow.incomplete == pytest.approx(WAITS.incomplete + 0.4)
    assert slow.sure == WAITS.sure

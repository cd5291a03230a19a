"""Regular expressions of users."""

from __future__ import annotations

import pytest

from ari_assistant.vapi.pattern import BadPattern, Pattern


def test_it_may_stand_anywhere() -> None:
    assert Pattern("b+").test("abba")
    assert not Pattern("^b").test("abba")
    assert Pattern("B", [{"type": "ignore-case", "enabled": True}]).test("abba")
    assert not Pattern("B", [{"type": "ignore-case", "enabled": False}]).test("abba")
    assert Pattern("b+").find("abba") == "bb"


def test_what_is_none_is_refused_with_the_reason() -> None:
    with pytest.raises(BadPattern, match="missing"):
        Pattern("(a")


def test_one_that_runs_away_finds_nothing_and_changes_nothing() -> None:
    runaway = Pattern("^(a|a|b?)*$")
    text = "a" * 60 + "!"
    assert not Pattern("(x+x+)+y").test("x" * 5_000)
    assert Pattern("(x+x+)+y").replace("x" * 5_000, "") == "x" * 5_000
    assert not runaway.test(text)


@pytest.mark.parametrize(
    "text",
    [
        "(?:a{1000}){1000}",
        "(?:(?:a{100}){100}){100}",
        "(a|b){9999999999}",
        "[(){2}]{9000}",
        "a" * 1_001,
        "(" * 900,
    ],
)
def test_one_that_takes_too_much_to_compile_is_refused(text: str) -> None:
    with pytest.raises(BadPattern):
        Pattern(text)


@pytest.mark.parametrize(
    "text", [r"\d{3}-\d{3}-\d{4}", r"(?:[A-Z]{2}\d{2}){1,20}", r"a{0,1000}", "[]{}]{2}", r"\({3}"]
)
def test_ordinary_repetitions_are_fine(text: str) -> None:
    Pattern(text)


def test_a_replacement_is_taken_literally() -> None:
    assert Pattern("b").replace("abba", r"\1") == r"a\1\1a"
    assert Pattern("b").replace("abba", "c", everywhere=False) == "acba"

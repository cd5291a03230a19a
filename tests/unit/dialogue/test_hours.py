from __future__ import annotations

from datetime import datetime

import pytest

from ari_assistant.dialogue.rules.config import Hours
from ari_assistant.dialogue.rules.hours import OpeningHours

HOURS = OpeningHours(
    Hours.model_validate(
        {
            "timezone": "Europe/Berlin",
            "week": {"monday-friday": "9:00-12:00, 13:30-18:00", "saturday": "10:00-14:00"},
            "closed": ["2026-11-25"],
        }
    )
)


def answer(said: str, now: str) -> str:
    return HOURS.answer(said, datetime.fromisoformat(now))


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ("2026-11-23T10:00+01:00", "Yes, we are open until noon."),
        ("2026-11-23T12:30+01:00", "We are closed at the moment. We open at 1:30 PM today."),
        ("2026-11-23T20:00+01:00", "We are closed now. We open tomorrow at 9 AM."),
        ("2026-11-24T20:00+01:00", "We are closed now. We open on Thursday at 9 AM."),
        ("2026-11-23T08:30+00:00", "Yes, we are open until noon."),
    ],
)
def test_now_is_the_clock_of_the_place_and_a_closed_day_is_passed_over(now: str, said: str) -> None:
    assert answer("are you open now", now) == said


def test_a_named_day_is_the_next_one_of_that_name() -> None:
    assert answer("and on wednesday?", "2026-11-23T10:00+01:00") == "On Wednesday we are closed."
    assert answer("and on sunday?", "2026-11-23T10:00+01:00") == "On Sunday we are closed."
    assert answer("and tomorrow?", "2026-11-27T10:00+01:00") == "Tomorrow we are open from 10 AM to 2 PM."


def test_days_with_the_same_hours_are_said_together() -> None:
    said = answer("when are you open", "2026-11-23T10:00+01:00")
    assert said.startswith("We are open from Monday to Friday, from 9 AM to noon and from 1:30 PM to 6 PM")
    assert said.endswith("on Saturday, from 10 AM to 2 PM.")


def test_a_place_that_is_never_open_says_so() -> None:
    never = OpeningHours(Hours.model_validate({"timezone": "UTC", "week": {}}))
    now = datetime.fromisoformat("2026-11-23T10:00+00:00")
    assert never.answer("are you open now", now) == "We are closed at the moment."
    assert never.answer("when are you open", now) == "We are closed all week."


@pytest.mark.parametrize(("said", "about"), [("and on Friday?", True), ("on weekends", True), ("when", False)])
def test_whether_it_is_about_a_day(said: str, about: bool) -> None:
    assert HOURS.names_a_day(said) is about

"""Text as people say it (`formatPlan`, contract §10.3)."""

from __future__ import annotations

import pytest

from ari_assistant.dialogue.spoken import Formatting, format_plan, spoken_form
from ari_assistant.vapi.voice import Voice


def said(text: str, plan: Formatting | None = None) -> str:
    parts = spoken_form(text, plan or Formatting())
    assert all(isinstance(part, str) for part in parts)
    return " ".join(str(part) for part in parts)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Call 555-123-4567.", "Call five five five, one two three, four five six seven."),
        ("+49 30 1234567", "plus four nine, three zero, one two three four five six seven"),
        ("It costs $1.50.", "It costs one dollar and fifty cents."),
        ("$5 million, €1 and £0.05", "five million dollars, one euro and five pence"),
        ("Write to john.smith_2@example.com", "Write to john dot smith underscore two at example dot com"),
        ("See https://www.example.com/help", "See www dot example dot com slash help"),
        ("at 9:30 am", "at nine thirty A M"),
        ("until 17:00", "until seventeen hundred hours"),
        ("at 3:05", "at three oh five"),
        ("on 2026-11-23", "on November twenty-third, twenty twenty-six"),
        ("on 11/23/2026", "on November twenty-third, twenty twenty-six"),
        ("on 13/45/2026", "on thirteen/forty-five/twenty twenty-six"),
        ("Nov 5", "November fifth"),
        ("5km, 1 kg and 21°C", "five kilometers, one kilogram and twenty-one degrees Celsius"),
        ("12.5%", "twelve point five percent"),
        ("order 12345", "order one two three four five"),
        ("12,345 people", "twelve thousand, three hundred and forty-five people"),
        ("in 1999", "in nineteen ninety-nine"),
        ("room 007", "room zero zero seven"),
        ("open 9-5", "open nine to five"),
        ("the 1st and the 22nd", "the first and the twenty-second"),
        ("NASA has a FAQ", "NASA has a F A Q"),
        ("Hours: now", "Hours. now"),
        ("one - two", "one, two"),
        ("one\ntwo", "one. two"),
        ('"Hello"', "Hello"),
        ("no numbers at all", "no numbers at all"),
    ],
)
def test_it_is_written_out(text: str, spoken: str) -> None:
    assert said(text) == spoken


def test_breaks_are_pauses_and_spelled_words_are_letters() -> None:
    parts = spoken_form(
        'Your code is <spell>AB1</spell><break time="500ms"/> thanks <break time="1s">.', Formatting()
    )
    assert parts == ["Your code is A B 1", 0.5, "thanks", 1.0]
    assert spoken_form('<break time="999s"/>', Formatting()) == [10.0]


def test_the_plan_of_a_voice() -> None:
    voice = Voice.model_validate(
        {
            "provider": "openai",
            "chunkPlan": {
                "formatPlan": {
                    "numberToDigitsCutoff": 100,
                    "formattersEnabled": ["number"],
                    "replacements": [
                        {"type": "exact", "key": "ACME", "value": "Acmee"},
                        {"type": "regex", "regex": "\\bdr\\b", "options": [{"type": "ignore-case", "enabled": True}],
                         "value": "Doctor"},
                        {"type": "regex", "regex": "(", "value": "never"},
                    ],
                }
            },
        }
    )  # fmt: skip
    assert said("Dr Who of ACME has 250 friends: $5", format_plan(voice)) == (
        "Doctor Who of Acmee has two five zero friends: $five"
    )


def test_formatting_can_be_switched_off() -> None:
    voice = Voice.model_validate({"provider": "openai", "chunkPlan": {"formatPlan": {"enabled": False}}})
    assert said("It is 5 %: $3", format_plan(voice)) == "It is 5 %: $3"


def test_other_languages_have_their_own_numbers_and_keep_the_rest() -> None:
    assert said("Es sind 21 Leute", Formatting(language="de")) == "Es sind einundzwanzig Leute"
    assert said("21", Formatting(language="xx")) == "21"

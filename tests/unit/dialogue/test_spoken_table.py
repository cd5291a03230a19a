"""What an assistant writes, and what a person says: `tests/captures/spoken_forms.yaml`."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ari_assistant.dialogue.clauses import Clauses
from ari_assistant.dialogue.spoken import Formatting, spoken_form

_TABLE = yaml.safe_load((Path(__file__).parents[2] / "captures" / "spoken_forms.yaml").read_text(encoding="utf-8"))


def said(text: str) -> str:
    return " ".join(str(part) for part in spoken_form(text, Formatting()))


@pytest.mark.parametrize(("text", "spoken"), _TABLE["tuned"])
def test_it_is_said_as_a_person_says_it(text: str, spoken: str) -> None:
    assert said(text) == spoken


def test_most_of_what_nobody_tuned_on_is_said_as_a_person_says_it() -> None:
    right = [said(text) in spoken.split(" | ") for text, spoken in _TABLE["unseen"]]
    assert len(right) == 40
    assert sum(right) >= 36


@pytest.mark.parametrize(("text", "spoken"), _TABLE["tuned"] + _TABLE["unseen"])
def test_as_a_stream_nothing_is_cut_within_what_is_said_as_one(text: str, spoken: str) -> None:
    """Clause by clause and letter by letter it is the same words."""
    clauses = Clauses()
    streamed = [clause for letter in f"Well then, {text}" for clause in clauses.push(letter)] + clauses.finish()
    assert " ".join(said(clause) for clause in streamed).lower() == f"well then, {said(text)}".lower()


@given(st.text(st.sampled_from("0123456789-–−.,:/%$€£¢°½#&@+x=' apmTZkMSt\n"), max_size=60))
def test_whatever_is_written_something_is_said_of_it(text: str) -> None:
    parts = spoken_form(text, Formatting())
    assert bool(parts) == any(letter.isalnum() for letter in text)
    assert not any(letter.isdecimal() and not letter.isascii() for part in parts for letter in str(part))


def test_a_long_row_of_digits_is_said_digit_by_digit() -> None:
    assert said("9" * 5000) == " ".join(["nine"] * 5000)


@pytest.mark.parametrize(
    ("formatters", "spoken"),
    [
        (["number"], "Dr. Lee, three pm, $five, five%, Baker St."),
        (["time"], "Dr. Lee, three P M, $5, 5%, Baker St."),
        (["dollarAmount"], "Dr. Lee, 3 pm, five dollars, 5%, Baker St."),
        (["percentage"], "Dr. Lee, 3 pm, $5, five percent, Baker St."),
        (["acronym"], "Doctor Lee, 3 pm, $5, 5%, Baker Street."),
        ([], "Dr. Lee, 3 pm, $5, 5%, Baker St."),
    ],
)
def test_each_formatter_can_be_had_alone(formatters: list[str], spoken: str) -> None:
    plan = Formatting(formatters=frozenset(formatters))
    assert spoken_form("Dr. Lee, 3 pm, $5, 5%, Baker St.", plan) == [spoken]


@pytest.mark.parametrize("language", ["de", "fr", "es"])
@pytest.mark.parametrize("text", [text for text, _ in _TABLE["tuned"]])
def test_no_other_language_gets_english_words(text: str, language: str) -> None:
    spoken = " ".join(map(str, spoken_form(text, Formatting(language=language)))).lower().split()
    new = {word.strip(".,") for word in spoken} - {word.strip(".,") for word in text.lower().split()}
    assert not new & {
        "to",
        "dollars",
        "euros",
        "street",
        "o'clock",
        "percent",
        "number",
        "minutes",
        "and",
        "dot",
        "plus",
    }


def test_a_number_is_written_as_its_language_writes_it() -> None:
    def german(text: str) -> str:
        return " ".join(map(str, spoken_form(text, Formatting(language="de"))))

    assert german("1.234,5 Liter") == "eintausendzweihundertvierunddreißig Komma fünf Liter"
    assert german("2,5 Liter") == "zwei Komma fünf Liter"
    assert german("-5 Grad") == "minus fünf Grad"

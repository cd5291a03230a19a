from __future__ import annotations

import pytest

from ari_assistant.dialogue.clauses import Chunking, Clauses, plain, speakable


def streamed(text: str, size: int = 3) -> list[str]:
    clauses = Clauses()
    said = [c for at in range(0, len(text), size) for c in clauses.push(text[at : at + size])]
    return said + clauses.finish()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sure. We open at nine.", ["Sure.", "We open at nine."]),
        (
            "That costs 3.50 dollars, and Dr. Smith at 5 p.m. will gladly show you around the house.",
            ["That costs 3.50 dollars,", "and Dr. Smith at 5 p.m. will gladly show you around the house."],
        ),
        (
            "No. We are closed at 5 p.m. Please call again.",
            ["No.", "We are closed at 5 p.m.", "Please call again."],
        ),
        ("It is No. 5 on Baker St. near the bank.", ["It is No. 5 on Baker St. near the bank."]),
        (
            "Come on Nov. 5 to St. Mary's, 14 Oak Ave. Bring Mr. J. Smith.",
            ["Come on Nov. 5 to St. Mary's,", "14 Oak Ave.", "Bring Mr. J. Smith."],
        ),
        ("Your number is #42.", ["Your number is #42."]),
        ("No punctuation at all", ["No punctuation at all"]),
        ("One<flush/>two", ["One", "two"]),
        ("...", []),
        ("", []),
    ],
)
def test_a_stream_is_cut_where_one_would_breathe(text: str, expected: list[str]) -> None:
    assert streamed(text) == expected


def test_the_first_clause_is_spoken_as_soon_as_it_is_there() -> None:
    clauses = Clauses()
    assert clauses.push("Certainly, sir") == ["Certainly,"]
    assert clauses.push(", I will") == []


def test_a_clause_without_punctuation_does_not_grow_without_end() -> None:
    said = streamed("word " * 200)
    assert len(said) > 2
    assert all(len(clause) <= 280 for clause in said)


def test_what_cannot_be_spoken_is_left_out() -> None:
    assert (
        speakable("**Bold** `code` [a link](http://x) <b>x</b> and # heading") == "Bold code a link x and heading"
    )


def test_an_assistants_own_chunk_plan() -> None:
    plan = Chunking(minimum=5, boundaries=frozenset("."))
    clauses = Clauses(plan)
    assert clauses.push("One, two, three. Four five six. ") == ["One, two, three.", "Four five six."]
    whole = Clauses(Chunking(enabled=False))
    assert whole.push("One. Two. " * 40) == []
    assert len(whole.finish()) == 1


def test_tags_that_a_voice_honours_are_kept_whole() -> None:
    clauses = Clauses()
    assert clauses.push('Sure. <break time="1.') == ["Sure."]
    assert clauses.push('5s"/> And <spell>AB</spell> now.') + clauses.finish() == [
        '<break time="1.5s"/> And <spell>AB</spell> now.'
    ]
    assert plain('<break time="1.5s"/> And <spell>AB</spell> now.') == "And AB now."

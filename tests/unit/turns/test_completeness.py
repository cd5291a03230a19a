"""Does a text sound finished?"""

from __future__ import annotations

import pytest

from ari_assistant.turns.completeness import Completeness, ends_with_number, judge

C = Completeness


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I'd like to book a table for two.", C.COMPLETE),
        ("Yes.", C.COMPLETE),
        ("Monday morning,", C.COMPLETE),
        ("Yes, I do.", C.COMPLETE),
        ("Please turn it on.", C.COMPLETE),
        ("To-morrow at three.", C.COMPLETE),
        ("When I called yesterday, nobody answered.", C.COMPLETE),
        ("Hello.", C.CERTAIN),
        ("No, thank you.", C.CERTAIN),
        ("When are you open?", C.CERTAIN),
        ("Can I speak to a person?", C.CERTAIN),
        ("The conference has been extended,", C.OPEN),
        ("I want to talk to you", C.OPEN),
        ("I'd like to.", C.INCOMPLETE),
        ("I want to cancel my.", C.INCOMPLETE),
        ("Well, um,", C.INCOMPLETE),
        ("It stopped working yesterday and", C.INCOMPLETE),
        ("If it is possible", C.INCOMPLETE),
        ("When I called yesterday.", C.INCOMPLETE),
        ("To remove the participant, who most recently joined.", C.INCOMPLETE),
        ("Please call me back on.", C.INCOMPLETE),
        ("Could you tell me?", C.INCOMPLETE),
        ("I have a question.", C.INCOMPLETE),
        ("", C.INCOMPLETE),
        ("Seven.", C.NUMBER),
        ("four one two", C.DICTATION),
        ("My number is 0174", C.DICTATION),
        ("B R O W", C.DICTATION),
        ("john dot smith at", C.DICTATION),
        ("john dot smith at example dot com", C.NUMBER),
        ("I live in Berlin.", C.COMPLETE),
        ("A pizza at noon.", C.COMPLETE),
    ],
)
def test_words_tell_where_a_sentence_stands(text: str, expected: Completeness) -> None:
    assert judge(text) is expected


def test_who_was_asked_for_a_number_may_give_more_of_it() -> None:
    assert judge("Seven.", asked="What is your customer number?") is C.DICTATION
    assert judge("Why age, w?", asked="Could you spell your name?") is C.NUMBER
    assert judge("Can I speak to a person, please?", asked="What is your customer number?") is C.CERTAIN


def test_a_language_without_a_grammar_is_judged_by_punctuation() -> None:
    assert judge("Ich möchte einen Tisch reservieren.", language="de") is C.COMPLETE
    assert judge("Ich möchte einen Tisch,", language="de") is C.OPEN
    assert judge("1 7 4", language="de") is C.DICTATION


@pytest.mark.parametrize(
    ("text", "is_number"), [("at 5", True), ("forty two", True), ("two people", False), ("", False)]
)
def test_a_number_at_the_end(text: str, is_number: bool) -> None:
    assert ends_with_number(text) is is_number

"""What comes of a stream of partial and final transcripts; the vendors themselves are in `tests/contract`."""

from __future__ import annotations

import pytest

from ari_assistant.providers.websocket_stream import Transcripts


def joined(*came: tuple[str, bool]) -> Transcripts:
    transcripts = Transcripts()
    for text, final in came:
        transcripts.add(text, final=final)
    return transcripts


@pytest.mark.parametrize(
    ("came", "text"),
    [
        ([("when", False), ("when are", False)], "when are"),
        ([("when are", False), ("When are you", True)], "When are you"),
        ([("When are you", True), ("op", False)], "When are you op"),
        ([("When are you", True), ("open?", True)], "When are you open?"),
        ([("mumble", False), ("", True)], ""),
        ([], ""),
    ],
)
def test_a_partial_replaces_the_partial_before_it_and_a_final_what_it_grew_from(
    came: list[tuple[str, bool]], text: str
) -> None:
    assert joined(*came).text == text


def test_the_words_are_final_when_there_are_some_and_none_may_change() -> None:
    assert not joined().is_final
    assert not joined(("a", True), ("b", False)).is_final
    assert joined(("a", True)).is_final


def test_the_confidence_is_the_lowest_of_the_final_ones() -> None:
    transcripts = Transcripts()
    transcripts.add("a", final=True, confidence=0.9)
    transcripts.add("b", final=False, confidence=0.1)
    transcripts.add("", final=True, confidence=0.3)
    assert transcripts.confidence == 0.3


def test_nothing_of_an_utterance_that_was_taken_is_left() -> None:
    transcripts = joined(("a", True), ("b", False))
    transcripts.add("c", final=True, confidence=0.5)
    transcripts.clear()
    assert (transcripts.text, transcripts.is_final, transcripts.confidence) == ("", False, None)

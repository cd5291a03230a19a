"""When the first word may be said."""

from __future__ import annotations

import pytest

from ari_assistant.turns.opening import Opening, OpeningOptions

OPTIONS = OpeningOptions(lead_seconds=0.1, longest_seconds=0.25)


def first_word(*packets: float, answered: float = 10.0, tick: float = 0.02) -> float:
    """Seconds from the answer to the first word of a call whose far end sends `packets` seconds after the answer."""
    opening = Opening(OPTIONS, now=answered)
    waiting = sorted(packets)
    for count in range(1_000):
        now = answered + count * tick
        while waiting and answered + waiting[0] <= now:
            opening.receive_packet(now=answered + waiting.pop(0))
        if opening.handle_deadline(now):
            assert opening.over
            return now - answered
    raise AssertionError("nothing is ever said")


def test_the_first_word_comes_a_little_after_the_callers_first_packet() -> None:
    assert first_word(0.02, 0.04, 0.06) == pytest.approx(0.12)


def test_a_caller_who_sends_nothing_is_greeted_all_the_same() -> None:
    assert first_word() == pytest.approx(0.26)


def test_a_late_first_packet_puts_nothing_off() -> None:
    assert first_word(0.24) == first_word(0.5) == first_word()


def test_what_comes_after_the_first_packet_changes_nothing() -> None:
    assert first_word(0.02) == first_word(0.02, 0.1, 0.11)


def test_it_is_told_once() -> None:
    opening = Opening(OPTIONS, now=0.0)
    assert [opening.handle_deadline(now) for now in (0.0, 0.24, 0.25, 0.26, 9.0)] == [
        False, False, True, False, False,
    ]  # fmt: skip


def test_a_packet_of_before_the_answer_counts_from_the_answer_on() -> None:
    opening = Opening(OPTIONS, now=5.0)
    opening.receive_packet(now=5.0)
    assert not opening.handle_deadline(5.09)
    assert opening.handle_deadline(5.1)

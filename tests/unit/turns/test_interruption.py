"""Words over a reply (contract §10.2)."""

from __future__ import annotations

import pytest

from ari_assistant.turns.interruption import InterruptionPlan


@pytest.mark.parametrize(
    ("text", "interrupts"),
    [
        ("Stop.", True),
        ("I have another question.", True),
        ("Yeah, but I already paid.", True),
        ("Don't!", True),
        ("Yeah.", False),
        ("Mm-hmm.", False),
        ("Uh-huh, okay.", False),
        ("I'm listening", False),
        ("Yes, yes, right.", False),
        ("Ok,", False),
        ("Hmm.", False),
        ("", False),
        ("...", False),
    ],
)
def test_words_interrupt_and_acknowledgements_do_not(text: str, interrupts: bool) -> None:
    assert InterruptionPlan().interrupts(text) is interrupts


def test_so_many_words_are_needed_but_some_words_need_no_others() -> None:
    plan = InterruptionPlan(num_words=3)
    assert not plan.interrupts("What about")
    assert plan.interrupts("What about Sunday?")
    assert plan.interrupts("Wait")


def test_an_assistants_own_phrases_replace_the_contracts() -> None:
    plan = InterruptionPlan(acknowledgements=("genau",), interruptions=("halt",), num_words=2)
    assert not plan.interrupts("Genau.")
    assert plan.interrupts("Halt!")
    assert plan.interrupts("okay stop")

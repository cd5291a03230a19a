"""Keys become entries (contract §8.6)."""

from __future__ import annotations

from ari_assistant.turns.keypad import KeypadInput, KeypadPlan


def test_an_entry_is_complete_when_no_key_follows() -> None:
    keypad = KeypadInput(KeypadPlan(timeout_seconds=2.0))
    assert keypad.push("1", now=0.0) is None
    assert keypad.push("2", now=1.5) is None
    assert keypad.handle_deadline(3.4) is None
    assert keypad.handle_deadline(3.5) == "12"
    assert not keypad.collecting
    assert keypad.handle_deadline(99.0) is None


def test_or_at_a_delimiter() -> None:
    keypad = KeypadInput(KeypadPlan(delimiters=frozenset("#*")))
    keypad.push("4", now=0.0)
    assert keypad.push("#", now=0.1) == "4"
    assert keypad.push("#", now=0.2) is None, "a delimiter alone is no entry"


def test_without_a_timeout_only_the_delimiter_counts() -> None:
    keypad = KeypadInput(KeypadPlan(timeout_seconds=0.0, delimiters=frozenset("#")))
    keypad.push("4", now=0.0)
    assert keypad.collecting
    assert not keypad.completes, "who never presses the delimiter keeps nobody waiting"
    assert keypad.handle_deadline(1000.0) is None
    assert keypad.push("#", now=1000.0) == "4"


def test_who_never_stops_is_cut() -> None:
    keypad = KeypadInput(KeypadPlan())
    entries = [keypad.push("1", now=n * 0.1) for n in range(200)]
    assert max(len(entry) for entry in entries if entry) == 64

"""Recorded dialogues through the turn-taking core, without engines and without sleeping.

`tests/captures/dialogues.json` holds what detector, recogniser and end-of-turn model made of the audio of
`benchmarks/conversation`; `python -m benchmarks conversation --capture` writes it anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ari_assistant.turns.endpointing import EndpointingPlan
from tests.support.replay import CapturedEars, Disturbed, Heard, replay_overlap, replay_turn, runs, unpacked

_FILE = Path(__file__).parent.parent / "captures" / "dialogues.json"


@cache
def captured() -> dict[str, Any]:
    return dict(json.loads(_FILE.read_text(encoding="utf-8")))


def turn(entry: dict[str, Any], plan: EndpointingPlan | None) -> Heard:
    return replay_turn(unpacked(entry["speech"]), CapturedEars(entry["pauses"]), plan=plan, asked=entry["asked"])


@dataclass
class CapturedLine:
    flags: list[bool]

    def frame(self, index: int, *, held: bool) -> bool:
        return self.flags[index]


def overlap(entry: dict[str, Any]) -> Disturbed:
    flags = unpacked(entry["speech"])
    return replay_overlap(CapturedLine(flags), len(flags), CapturedEars(entry["pauses"]))


def share(values: list[bool]) -> float:
    return sum(values) / len(values)


def cut_off(entry: dict[str, Any], heard: Heard) -> bool:
    return any(at < entry["ended"] - 0.05 for at in heard.replied)


def test_complete_turns_are_closed_soon_and_none_is_missed() -> None:
    entries = [entry for entry in captured()["turns"] if not entry["broken"]]
    heard = [turn(entry, EndpointingPlan()) for entry in entries]
    delays = [h.ended[-1] - entry["ended"] for entry, h in zip(entries, heard, strict=True)]
    assert len(entries) > 100
    assert share([delay <= 0.5 for delay in delays]) >= 0.85
    assert max(delays) < 1.8
    assert all(len(h.ended) == 1 for h in heard), "nobody is answered twice"


def test_pauses_within_a_turn_are_rarely_cut_off() -> None:
    entries = [entry for entry in captured()["turns"] if entry["broken"]]
    ours = share([cut_off(entry, turn(entry, EndpointingPlan())) for entry in entries])
    silence = share([cut_off(entry, turn(entry, None)) for entry in entries])
    assert len(entries) > 90
    assert ours <= 0.15
    assert ours <= silence / 3, "a fixed silence of 0.6 s is three times as rude"


@pytest.mark.parametrize("kind", ["digits", "letters"])
def test_dictation_is_waited_for(kind: str) -> None:
    entries = [entry for entry in captured()["turns"] if entry["kind"] == kind]
    assert entries
    assert not any(cut_off(entry, turn(entry, EndpointingPlan())) for entry in entries)


def test_words_interrupt_and_everything_else_does_not() -> None:
    wrong = [
        entry["name"]
        for entry in captured()["overlaps"]
        if bool(overlap(entry).interrupted) is not entry["interrupts"] and entry["kind"] != "babble"
    ]
    # Piper cannot hum: its "Mm-hmm" is recognised as words.
    assert wrong in ([], ["Mm-hmm."])


def test_what_is_no_voice_does_not_even_silence_the_reply() -> None:
    for entry in captured()["overlaps"]:
        if entry["kind"] in ("noise", "tones", "music", "echo"):
            assert overlap(entry).held == [], entry["name"]


def test_who_interrupts_is_heard_at_once() -> None:
    waits = [
        overlap(entry).held[0] - entry["begins"] for entry in captured()["overlaps"] if entry["kind"] == "words"
    ]
    waits.sort()
    assert waits[len(waits) // 2] <= 0.16
    assert waits[-1] <= 0.45


def test_a_reply_that_was_silenced_for_nothing_goes_on() -> None:
    for entry in captured()["overlaps"]:
        result = overlap(entry)
        if not entry["interrupts"] and not result.interrupted:
            assert len(result.resumed) == len(result.held), entry["name"]


def test_runs_and_flags_are_one_thing() -> None:
    for flags in ([], [True], [False, False, True, False], [True, True]):
        assert unpacked(runs(flags)) == flags

"""An assistant's plans, as the machines take them."""

from __future__ import annotations

from typing import Any

import pytest

from ari_assistant.assistants.plans import (
    chunk_plan,
    endpointing_plan,
    endpointing_server,
    interruption_plan,
    keypad_plan,
    turn_options,
)
from ari_assistant.turns.endpointing import Evidence, TranscriptionWaits, Waits, wait_seconds
from ari_assistant.turns.keypad import KeypadPlan
from ari_assistant.turns.turn_taking import TurnOptions
from ari_assistant.vapi.assistant import Assistant


def assistant(**fields: Any) -> Assistant:
    return Assistant.model_validate(fields)


def test_what_is_not_given_is_the_installations() -> None:
    defaults = TurnOptions(wait_seconds=0.7)
    plain = turn_options(assistant(), defaults)
    assert plain == defaults
    own = turn_options(assistant(stopSpeakingPlan={"numWords": 2, "voiceSeconds": 0.5}), defaults)
    assert (own.num_words, own.voice_seconds, own.hold_seconds, own.wait_seconds) == (2, 0.5, 0.25, 0.7)


def test_custom_rules_by_assistant_customer_and_both() -> None:
    rules = [
        {"type": "assistant", "regex": "phone number", "timeoutSeconds": 3},
        {"type": "customer", "regex": "^hold on", "regexOptions": [{"type": "ignore-case", "enabled": True}],
         "timeoutSeconds": 8},
        {"type": "both", "assistantRegex": "name", "customerRegex": "is$", "timeoutSeconds": 5},
        {"type": "customer", "regex": "(", "timeoutSeconds": 1},
    ]  # fmt: skip
    plan = endpointing_plan(assistant(startSpeakingPlan={"customEndpointingRules": rules}), Waits())
    assert len(plan.rules) == 3, "the one that cannot be read is left out"
    assert wait_seconds(plan, Evidence("five", asked="Your phone number?")) == 3
    assert wait_seconds(plan, Evidence("Hold on a second.", asked="x")) == 8
    assert wait_seconds(plan, Evidence("my name is", asked="Your name?")) == 5
    assert wait_seconds(plan, Evidence("That is it.", asked="x", finished=1.0)) == Waits().sure


@pytest.mark.parametrize(
    "plan", [{"smartEndpointingPlan": {"provider": "livekit"}}, {"smartEndpointingEnabled": "livekit"}]
)
def test_livekit_names_a_formula(plan: dict[str, Any]) -> None:
    made = endpointing_plan(assistant(startSpeakingPlan=plan), Waits())
    assert wait_seconds(made, Evidence("x", finished=1.0)) == pytest.approx(0.02)


def test_a_broken_formula_is_replaced_by_the_contracts() -> None:
    plan = {"smartEndpointingPlan": {"provider": "livekit", "waitFunction": "x ++"}}
    made = endpointing_plan(assistant(startSpeakingPlan=plan), Waits())
    assert wait_seconds(made, Evidence("x", finished=1.0)) == pytest.approx(0.02)


def test_the_transcription_plan_is_used_when_it_is_given() -> None:
    assert endpointing_plan(assistant(), Waits()).transcription is None
    given = assistant(startSpeakingPlan={"transcriptionEndpointingPlan": {"onNumberSeconds": 2}})
    assert endpointing_plan(given, Waits()).transcription == TranscriptionWaits(on_number=2)


def test_a_custom_model_has_a_server() -> None:
    plan = {"provider": "custom-endpointing-model", "server": {"url": "http://a.example/x"}}
    server = endpointing_server(assistant(startSpeakingPlan={"smartEndpointingPlan": plan}))
    assert server is not None
    assert server.url == "http://a.example/x"
    assert endpointing_server(assistant()) is None


def test_own_phrases() -> None:
    plan = interruption_plan(
        assistant(stopSpeakingPlan={"acknowledgementPhrases": [], "interruptionPhrases": ["ho"]})
    )
    assert plan.interrupts("okay then")
    assert plan.interrupts("ho")


@pytest.mark.parametrize(
    ("given", "plan"),
    [
        (None, None),
        ({"enabled": False}, None),
        ({"enabled": True}, KeypadPlan()),
        ({"enabled": True, "timeoutSeconds": 0, "delimiters": "#"}, KeypadPlan(0.0, frozenset("#"))),
        ({"enabled": True, "delimiters": ["#", "*"]}, KeypadPlan(2.0, frozenset("#*"))),
        ({"enabled": True, "delimiters": ""}, KeypadPlan()),
    ],
)
def test_keypad(given: Any, plan: KeypadPlan | None) -> None:
    assert keypad_plan(assistant(keypadInputPlan=given)) == plan


def test_chunks_and_their_older_names() -> None:
    assert chunk_plan(assistant()).minimum is None
    voice: dict[str, Any] = {
        "provider": "openai",
        "chunkPlan": {"minCharacters": 5, "punctuationBoundaries": ["."]},
    }
    own = chunk_plan(assistant(voice=voice))
    assert (own.minimum, own.boundaries) == (5, frozenset("."))
    older = chunk_plan(assistant(voice={"provider": "openai", "inputMinCharacters": 7}))
    assert older.minimum == 7

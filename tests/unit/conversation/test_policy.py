"""What of an assistant decides how a conversation with it goes."""

from __future__ import annotations

from typing import Any

from ari_assistant.conversation.policy import ConversationPolicy, conversation_policy
from ari_assistant.turns.endpointing import Waits
from ari_assistant.turns.keypad import KeypadPlan
from ari_assistant.turns.turn_taking import TurnOptions
from ari_assistant.vapi.assistant import Assistant


def policy(**assistant: Any) -> ConversationPolicy:
    return conversation_policy(Assistant.model_validate(assistant), TurnOptions(wait_seconds=0.7), Waits(sure=0.1))


def test_an_assistant_that_says_nothing_has_the_contracts_limits_and_the_installations_waits() -> None:
    given = policy()
    assert (given.silence_seconds, given.max_seconds, given.keypad) == (30, 600, None)
    assert (given.turns.wait_seconds, given.endpointing.waits.sure) == (0.7, 0.1)
    assert given.unreadable == ()


def test_what_an_assistant_says_counts() -> None:
    given = policy(
        silenceTimeoutSeconds=5,
        maxDurationSeconds=20,
        keypadInputPlan={"enabled": True, "delimiters": "#"},
        stopSpeakingPlan={"numWords": 2, "interruptionPhrases": ["halt"]},
        backchannelingEnabled=True,
        endCallMessage="Goodbye {{name}}.",
        endCallPhrases=["goodbye"],
        hooks=[{"on": "call.timeElapsed", "options": {"seconds": 9}, "do": []}],
    )
    assert (given.silence_seconds, given.max_seconds) == (5, 20)
    assert given.keypad == KeypadPlan(delimiters=frozenset("#"))
    assert (given.turns.num_words, given.interruption.num_words) == (2, 2)
    assert given.interruption.interruptions == ("halt",)
    assert given.backchannels
    assert (given.end_call_message, given.end_call_phrases) == ("Goodbye {{name}}.", ("goodbye",))
    assert given.hooks.elapsed == ((9, ()),)


def test_what_has_no_effect_is_told_for_the_log() -> None:
    given = policy(
        startSpeakingPlan={
            "customEndpointingRules": [{"type": "customer", "regex": "(", "timeoutSeconds": 1}],
            "smartEndpointingPlan": {"provider": "livekit", "waitFunction": "x ++"},
        },
        hooks=[{"on": "moon.rises", "do": []}],
    )
    assert [part.event for part in given.unreadable] == [
        "endpointing_rule_unreadable",
        "wait_function_unreadable",
        "hook_unknown",
    ]
    assert given.unreadable[2].fields["on"] == "moon.rises"

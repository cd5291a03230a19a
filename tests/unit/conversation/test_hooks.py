"""What an assistant does of its own accord (contract §10.5)."""

from __future__ import annotations

from typing import Any

from ari_assistant.conversation.hooks import (
    CALL_ENDING,
    INTERRUPTED,
    LOW_CONFIDENCE,
    Exact,
    Hooks,
    Prompted,
    hook_plan,
    said_by,
)
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.hook import HookAction


def hooks(*given: dict[str, Any], **assistant: Any) -> Hooks:
    return Hooks(hook_plan(Assistant.model_validate({"hooks": list(given), **assistant})), now=0.0)


def said(actions: list[HookAction]) -> list[str]:
    return [text for action in actions for text in said_by(action).texts]


def ticked(made: Hooks, seconds: float, *, start: float = 0.0, active: bool = False) -> list[tuple[int, str]]:
    found = []
    for n in range(round(seconds / 0.02)):
        now = start + n * 0.02
        found += [(round(now), text) for text in said(made.tick(active, seconds=now, now=now))]
    return found


SAY = {"type": "say", "exact": "Hello?"}


def test_a_silent_caller_is_spoken_to_three_times_by_default() -> None:
    made = hooks({"on": "customer.speech.timeout", "do": [SAY], "options": {"timeoutSeconds": 5}})
    assert ticked(made, 60) == [(5, "Hello?"), (10, "Hello?"), (15, "Hello?")]


def test_options_may_stand_in_brackets() -> None:
    made = hooks({"on": "customer.speech.timeout[timeoutSeconds=3, triggerMaxCount=1]", "do": [SAY]})
    assert ticked(made, 20) == [(3, "Hello?")]


def test_the_older_idle_messages() -> None:
    made = hooks(messagePlan={"idleMessages": ["Hello?"], "idleTimeoutSeconds": 4, "idleMessageMaxSpokenCount": 2})
    assert ticked(made, 60) == [(4, "Hello?"), (8, "Hello?")]


def test_elapsed_time_counts_also_while_somebody_speaks_and_once() -> None:
    made = hooks({"on": "call.timeElapsed", "options": {"seconds": 10}, "do": [SAY]})
    assert ticked(made, 30, active=True) == [(10, "Hello?")]


def test_filters_let_through_what_they_name() -> None:
    def hook(*reasons: str) -> dict[str, Any]:
        wanted = {"type": "oneOf", "key": "call.endedReason", "oneOf": list(reasons)}
        return {"on": "call.ending", "filters": [wanted], "do": [SAY]}

    made = hooks(hook("customer-ended-call"), hook("pipeline-error"))
    assert len(made.on(CALL_ENDING, {"call.endedReason": "customer-ended-call"})) == 1
    assert len(made.on(CALL_ENDING, {"call.endedReason": "pipeline-error-openai-llm-failed"})) == 1
    assert made.on(CALL_ENDING, {"call.endedReason": "silence-timed-out"}) == []


def test_a_late_model_is_noticed_once_a_reply() -> None:
    made = hooks({"on": "model.response.timeout", "options": {"timeoutSeconds": 2}, "do": [SAY]})
    fired = [n for n in range(200) if made.late(n * 0.02, (n - 1) * 0.02)]
    assert fired == [100]


def test_confidence_between_two_limits() -> None:
    options = {"confidenceMin": 0.2, "confidenceMax": 0.5}
    made = hooks({"on": LOW_CONFIDENCE, "options": options, "do": [SAY]})
    assert [c for c in (0.1, 0.3, 0.6) if made.on(LOW_CONFIDENCE, {"confidence": c})] == [0.3]


def test_after_a_pause_that_does_not_count_the_silence_begins_anew() -> None:
    made = hooks({"on": "customer.speech.timeout[timeoutSeconds=5]", "do": [SAY]})
    assert ticked(made, 4) == []
    made.restart(now=4.0)
    assert ticked(made, 6, start=4.0) == [(9, "Hello?")]


def test_a_caller_who_speaks_is_asked_anew_where_the_hook_says_so() -> None:
    options = {"timeoutSeconds": 2, "triggerMaxCount": 1, "triggerResetMode": "onUserSpeech"}
    made = hooks({"on": "customer.speech.timeout", "do": [SAY], "options": options})
    assert ticked(made, 10) == [(2, "Hello?")]
    made.caller_spoke()
    assert ticked(made, 10, start=10.0, active=True) == []
    assert ticked(made, 10, start=20.0) == [(22, "Hello?")]


def test_what_is_unknown_is_named_and_left_out() -> None:
    given = [{"on": "moon.rises", "do": [SAY]}, {"on": INTERRUPTED, "do": [SAY]}]
    plan = hook_plan(Assistant.model_validate({"hooks": given}))
    assert plan.unreadable == ("moon.rises",)
    assert len(Hooks(plan, now=0.0).on(INTERRUPTED)) == 1


def test_the_farewell_of_a_silent_call_is_the_message_plans() -> None:
    plan = hook_plan(Assistant.model_validate({"messagePlan": {"silenceTimeoutMessage": "Goodbye."}}))
    assert plan.silence_message == "Goodbye."
    assert hook_plan(Assistant()).silence_message is None


def test_a_sentence_is_exact_or_the_models() -> None:
    def says(**fields: Any) -> Exact | Prompted:
        return said_by(HookAction.model_validate({"type": "say", **fields}))

    assert says(exact="a", prompt="x") == Exact(("a",))
    assert says(exact=["a", "b"]) == Exact(("a", "b"))
    assert says(exact=[], prompt="x") == Prompted(("x",))
    assert says(prompt=[{"role": "system", "content": "x"}, {"role": "user", "content": ""}]) == Prompted(("x",))
    assert says() == Prompted(())

"""From an assistant's plans to those of `turns` and `dialogue`: what it leaves out is the installation's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ari_assistant.dialogue.clauses import ChunkPlan
from ari_assistant.telemetry import get_logger
from ari_assistant.turns.endpointing import EndpointingPlan, Rule, TranscriptionWaits, Waits
from ari_assistant.turns.interruption import ACKNOWLEDGEMENTS, INTERRUPTIONS, InterruptionPlan
from ari_assistant.turns.keypad import KeypadPlan
from ari_assistant.turns.turn_taking import TurnOptions
from ari_assistant.turns.wait_function import DEFAULT_WAIT_FUNCTION, BadFormula, WaitFunction
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.pattern import BadPattern, Pattern
from ari_assistant.vapi.plans import CustomEndpointingRule
from ari_assistant.vapi.server import Server

__all__ = [
    "chunk_plan",
    "endpointing_plan",
    "endpointing_server",
    "interruption_plan",
    "keypad_plan",
    "turn_options",
]

log = get_logger("assistants.plans")


def turn_options(assistant: Assistant, defaults: TurnOptions) -> TurnOptions:
    """`startSpeakingPlan` and `stopSpeakingPlan` laid over the server's defaults."""
    start, stop = assistant.start_speaking_plan, assistant.stop_speaking_plan
    given: dict[str, Any] = {
        "wait_seconds": start.wait_seconds if start else None,
        "voice_seconds": stop.voice_seconds if stop else None,
        "num_words": stop.num_words if stop else None,
        "backoff_seconds": stop.backoff_seconds if stop else None,
    }
    return replace(defaults, **{key: value for key, value in given.items() if value is not None})


def interruption_plan(assistant: Assistant) -> InterruptionPlan:
    """`stopSpeakingPlan`: the words that interrupt and those that do not."""
    stop = assistant.stop_speaking_plan
    if stop is None:
        return InterruptionPlan()
    own = stop.acknowledgement_phrases, stop.interruption_phrases
    return InterruptionPlan(
        num_words=stop.num_words or 0,
        acknowledgements=tuple(own[0]) if own[0] is not None else ACKNOWLEDGEMENTS,
        interruptions=tuple(own[1]) if own[1] is not None else INTERRUPTIONS,
    )


def endpointing_plan(assistant: Assistant, waits: Waits) -> EndpointingPlan:
    """`startSpeakingPlan`. A rule or a formula that cannot be read is logged and left out."""
    start = assistant.start_speaking_plan
    language = (assistant.transcriber.language if assistant.transcriber is not None else None) or "en"
    if start is None:
        return EndpointingPlan(waits=waits, language=language)
    rules = []
    for rule in start.custom_endpointing_rules or ():
        try:
            rules.append(_rule(rule))
        except BadPattern as fault:
            log.warning("endpointing_rule_unreadable", reason=str(fault))
    function: WaitFunction | None = None
    smart = start.smart_endpointing_plan
    # "livekit" names a model with a formula; "vapi" and any other a heuristic, which is what ours is.
    if (smart is not None and smart.provider == "livekit") or start.smart_endpointing_enabled == "livekit":
        formula = (smart.wait_function if smart is not None else None) or DEFAULT_WAIT_FUNCTION
        try:
            function = WaitFunction(formula)
        except BadFormula as fault:
            log.warning("wait_function_unreadable", reason=str(fault), instead=DEFAULT_WAIT_FUNCTION)
            function = WaitFunction(DEFAULT_WAIT_FUNCTION)
    transcription: TranscriptionWaits | None = None
    if start.transcription_endpointing_plan is not None and smart is None:
        plan = start.transcription_endpointing_plan
        given = {
            "on_punctuation": plan.on_punctuation_seconds,
            "on_no_punctuation": plan.on_no_punctuation_seconds,
            "on_number": plan.on_number_seconds,
        }
        transcription = TranscriptionWaits(**{k: v for k, v in given.items() if v is not None})
    return EndpointingPlan(
        rules=tuple(rules), wait_function=function, transcription=transcription, waits=waits, language=language
    )


def endpointing_server(assistant: Assistant) -> Server | None:
    """Who is asked by `call.endpointing.request`."""
    start = assistant.start_speaking_plan
    smart = start.smart_endpointing_plan if start is not None else None
    return smart.server if smart is not None and smart.provider == "custom-endpointing-model" else None


def keypad_plan(assistant: Assistant) -> KeypadPlan | None:
    """`keypadInputPlan`, or None when keys are not listened to."""
    plan = assistant.keypad_input_plan
    if plan is None or not plan.enabled:
        return None
    given = plan.delimiters
    delimiters = [given] if isinstance(given, str) else list(given or ())
    seconds = 2.0 if plan.timeout_seconds is None else plan.timeout_seconds
    return KeypadPlan(timeout_seconds=seconds, delimiters=frozenset(d for d in delimiters if d))


def chunk_plan(assistant: Assistant) -> ChunkPlan:
    """`voice.chunkPlan`, and its older spellings."""
    voice = assistant.voice
    plan = voice.chunk_plan if voice is not None else None
    if voice is None:
        return ChunkPlan()
    enabled = plan.enabled if plan is not None else None
    letters = (plan.min_characters if plan is not None else None) or voice.input_min_characters
    marks = (plan.punctuation_boundaries if plan is not None else None) or voice.input_punctuation_boundaries
    own = ChunkPlan(enabled=enabled is not False)
    if letters is not None:
        own = replace(own, minimum=int(letters))
    return replace(own, boundaries=frozenset(marks)) if marks else own


def _rule(rule: CustomEndpointingRule) -> Rule:
    if rule.type == "both":
        assistant = _pattern(rule.assistant_regex, rule.assistant_regex_options)
        customer = _pattern(rule.customer_regex, rule.customer_regex_options)
        return Rule(lambda asked, said: assistant.test(asked) and customer.test(said), rule.timeout_seconds)
    pattern = _pattern(rule.regex, rule.regex_options)
    if rule.type == "assistant":
        return Rule(lambda asked, said: pattern.test(asked), rule.timeout_seconds)
    return Rule(lambda asked, said: pattern.test(said), rule.timeout_seconds)


def _pattern(text: str | None, options: Sequence[Mapping[str, Any]] | None) -> Pattern:
    if text is None:
        raise BadPattern("a rule has no regex")
    return Pattern(text, options)

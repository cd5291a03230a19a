"""From an assistant's plans to those of `turns` and `dialogue`: what it leaves out is the installation's.

Pure: what cannot be read is left out, and `unreadable_plans` says what that is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ari_assistant.dialogue.clauses import Chunking
from ari_assistant.turns.endpointing import EndpointingPlan, Rule, TranscriptionWaits, Waits
from ari_assistant.turns.interruption import ACKNOWLEDGEMENTS, INTERRUPTIONS, InterruptionPlan
from ari_assistant.turns.keypad import KeypadPlan
from ari_assistant.turns.turn_taking import TurnOptions
from ari_assistant.turns.wait_function import DEFAULT_WAIT_FUNCTION, BadFormula, WaitFunction
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.pattern import BadPattern, Pattern
from ari_assistant.vapi.plans import CustomEndpointingRule, StartSpeakingPlan
from ari_assistant.vapi.server import Server

__all__ = [
    "Unreadable",
    "chunk_plan",
    "endpointing_plan",
    "endpointing_server",
    "interruption_plan",
    "keypad_plan",
    "metadata_fields",
    "turn_options",
    "unreadable_plans",
]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A part of an assistant that is left out, as the log is to have it: nobody else will say why it has no effect."""

    event: str
    fields: Mapping[str, Any]


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
    """`startSpeakingPlan`. A rule that cannot be read is left out, for such a formula stands the contract's."""
    start = assistant.start_speaking_plan
    language = (assistant.transcriber.language if assistant.transcriber is not None else None) or "en"
    if start is None:
        return EndpointingPlan(waits=waits, language=language)
    transcription: TranscriptionWaits | None = None
    if start.transcription_endpointing_plan is not None and start.smart_endpointing_plan is None:
        plan = start.transcription_endpointing_plan
        given = {
            "on_punctuation": plan.on_punctuation_seconds,
            "on_no_punctuation": plan.on_no_punctuation_seconds,
            "on_number": plan.on_number_seconds,
        }
        transcription = TranscriptionWaits(**{k: v for k, v in given.items() if v is not None})
    return EndpointingPlan(
        rules=tuple(rule for rule in _custom_rules(start) if isinstance(rule, Rule)),
        wait_function=_wait_function(start)[0],
        transcription=transcription,
        waits=waits,
        language=language,
    )


def unreadable_plans(assistant: Assistant) -> tuple[Unreadable, ...]:
    """What `endpointing_plan` leaves out."""
    start = assistant.start_speaking_plan
    if start is None:
        return ()
    rules = (fault for fault in _custom_rules(start) if isinstance(fault, BadPattern))
    found = [Unreadable("endpointing_rule_unreadable", {"reason": str(fault)}) for fault in rules]
    if (fault := _wait_function(start)[1]) is not None:
        fields = {"reason": str(fault), "instead": DEFAULT_WAIT_FUNCTION}
        found.append(Unreadable("wait_function_unreadable", fields))
    return tuple(found)


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


def chunk_plan(assistant: Assistant) -> Chunking:
    """`voice.chunkPlan`, and its older spellings."""
    voice = assistant.voice
    plan = voice.chunk_plan if voice is not None else None
    if voice is None:
        return Chunking()
    enabled = plan.enabled if plan is not None else None
    letters = (plan.min_characters if plan is not None else None) or voice.input_min_characters
    marks = (plan.punctuation_boundaries if plan is not None else None) or voice.input_punctuation_boundaries
    own = Chunking(enabled=enabled is not False)
    if letters is not None:
        own = replace(own, minimum=int(letters))
    return replace(own, boundaries=frozenset(marks)) if marks else own


def _custom_rules(start: StartSpeakingPlan) -> list[Rule | BadPattern]:
    found: list[Rule | BadPattern] = []
    for rule in start.custom_endpointing_rules or ():
        try:
            found.append(_rule(rule))
        except BadPattern as fault:
            found.append(fault)
    return found


def _wait_function(start: StartSpeakingPlan) -> tuple[WaitFunction | None, BadFormula | None]:
    """The formula, and why it is not the one that was given."""
    smart = start.smart_endpointing_plan
    # "livekit" names a model with a formula; "vapi" and any other a heuristic, which is what ours is.
    if not (smart is not None and smart.provider == "livekit") and start.smart_endpointing_enabled != "livekit":
        return None, None
    try:
        return WaitFunction((smart.wait_function if smart is not None else None) or DEFAULT_WAIT_FUNCTION), None
    except BadFormula as fault:
        return WaitFunction(DEFAULT_WAIT_FUNCTION), fault


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


def metadata_fields(assistant: Assistant, envelope: JsonObject) -> JsonObject:
    """The further keys of a `custom-llm` request (contract §11.2), by `metadataSendMode`: `variable` by default."""
    model = assistant.model
    mode = (model.metadata_send_mode if model else None) or "variable"
    if mode == "off":
        return {}
    fields: JsonObject = {k: envelope[k] for k in ("call", "phoneNumber", "customer") if k in envelope}
    metadata = assistant.metadata or {}
    if mode == "destructured":
        reserved = {"model", "messages", "stream", "temperature", "max_tokens", "tools"}
        return {key: value for key, value in metadata.items() if key not in reserved} | fields
    return {"metadata": metadata, **fields}

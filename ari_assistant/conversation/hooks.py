"""What an assistant does of its own accord (`hooks`, `messagePlan`, contract §10.5)."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ari_assistant.telemetry import get_logger
from ari_assistant.turns.idle import IdlePlan, IdleTimer
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.hook import AssistantHook, HookAction
from ari_assistant.vapi.json_text import read_json

__all__ = [
    "CALLER_INTERRUPTED",
    "CALL_ENDING",
    "INTERRUPTED",
    "LOW_CONFIDENCE",
    "MODEL_LATE",
    "Hooks",
    "exact_text",
]

log = get_logger("conversation.hooks")

INTERRUPTED = "assistant.speech.interrupted"
CALLER_INTERRUPTED = "customer.speech.interrupted"
CALL_ENDING = "call.ending"
MODEL_LATE = "model.response.timeout"
LOW_CONFIDENCE = "assistant.transcriber.endpointedSpeechLowConfidence"
_TIMEOUT = "customer.speech.timeout"
_ELAPSED = "call.timeElapsed"
_KNOWN = {INTERRUPTED, CALLER_INTERRUPTED, CALL_ENDING, MODEL_LATE, LOW_CONFIDENCE, _TIMEOUT, _ELAPSED}
_OPTION = re.compile(r"\s*(\w+)\s*=\s*([^,\]]+)")


@dataclass(slots=True)
class _Elapsed:
    seconds: float
    actions: Sequence[HookAction]
    done: bool = False


@dataclass(slots=True)
class _Late:
    seconds: float
    actions: Sequence[HookAction]


@dataclass(slots=True)
class Hooks:
    """The hooks of one call, and their clocks. It says what is to be done; the session does it."""

    events: dict[str, list[AssistantHook]] = field(default_factory=dict)
    _idle: list[tuple[IdleTimer, Sequence[HookAction]]] = field(default_factory=list)
    _elapsed: list[_Elapsed] = field(default_factory=list)
    _late: list[_Late] = field(default_factory=list)
    silence_message: str | None = None
    """`messagePlan.silenceTimeoutMessage`."""

    @classmethod
    def of(cls, assistant: Assistant, *, now: float) -> Hooks:
        """Read an assistant's hooks. What cannot be read is logged and left out. `now` is when the call begins."""
        made = cls()
        for hook in assistant.hooks or ():
            name, options = _event(hook)
            if name not in _KNOWN:
                log.warning("hook_unknown", on=hook.on, known=sorted(_KNOWN))
            elif name == _TIMEOUT:
                plan = IdlePlan(
                    timeout_seconds=_number(options, "timeoutSeconds", 7.5),
                    max_count=int(_number(options, "triggerMaxCount", 3)),
                    reset_on_speech=options.get("triggerResetMode") == "onUserSpeech",
                )
                made._idle.append((IdleTimer(plan, now=now), hook.do))
            elif name == _ELAPSED:
                made._elapsed.append(_Elapsed(_number(options, "seconds", 60), hook.do))
            elif name == MODEL_LATE:
                made._late.append(_Late(_number(options, "timeoutSeconds", 3), hook.do))
            else:
                made.events.setdefault(name, []).append(hook)
        older = assistant.message_plan
        if older is not None:
            made.silence_message = older.silence_timeout_message
            if older.idle_messages:
                plan = IdlePlan(
                    timeout_seconds=older.idle_timeout_seconds or 10,
                    max_count=int(older.idle_message_max_spoken_count or 3),
                    reset_on_speech=bool(older.idle_message_reset_count_on_user_speech_enabled),
                )
                said = HookAction(type="say", exact=list(older.idle_messages))
                made._idle.append((IdleTimer(plan, now=now), [said]))
        return made

    def on(self, event: str, facts: JsonObject | None = None) -> list[HookAction]:
        """Something happened: what is to be done. `facts` are what filters look at (`call.endedReason`)."""
        return [
            action
            for hook in self.events.get(event, ())
            if _passes(hook, event, facts or {})
            for action in hook.do
        ]

    def tick(self, active: bool, *, seconds: float, now: float) -> list[HookAction]:
        """20 ms have passed: `active` tells whether anybody speaks or a reply is prepared, `seconds` is how long the
        call has lasted."""
        due: list[HookAction] = []
        for timer, actions in self._idle:
            if timer.receive(active, now=now):
                due += actions
        for elapsed in self._elapsed:
            if not elapsed.done and seconds >= elapsed.seconds:
                elapsed.done = True
                due += elapsed.actions
        return due

    def restart(self, *, now: float) -> None:
        """What was silent until now does not count."""
        for timer, _ in self._idle:
            timer.receive(True, now=now)

    def late(self, waited: float, before: float) -> list[HookAction]:
        """A reply has been waited for `waited` seconds, `before` at the last tick."""
        return [action for late in self._late if before < late.seconds <= waited for action in late.actions]

    def caller_spoke(self) -> None:
        """The caller has said something."""
        for timer, _ in self._idle:
            timer.caller_spoke()


def exact_text(action: HookAction) -> str | None:
    """What `say` says word for word; one of several at random."""
    if isinstance(action.exact, list):
        return random.choice(action.exact) if action.exact else None  # noqa: S311 - no secret
    return action.exact


def _event(hook: AssistantHook) -> tuple[str, JsonObject]:
    """`customer.speech.timeout[timeoutSeconds=10]` → the event and its options."""
    name, _, short = hook.on.partition("[")
    options: JsonObject = dict(hook.options or {})
    for key, value in _OPTION.findall(short):
        try:
            options[key] = read_json(value)
        except ValueError:
            options[key] = value.strip()
    return name.strip(), options


def _number(options: JsonObject, key: str, default: float) -> float:
    value = options.get(key)
    return (
        float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else default
    )


def _passes(hook: AssistantHook, event: str, facts: JsonObject) -> bool:
    for wanted in hook.filters or ():
        value = str(facts.get(wanted.key, ""))
        if not any(value == one or (one == "pipeline-error" and one in value) for one in wanted.one_of):
            return False
    if event == LOW_CONFIDENCE:
        options = hook.options or {}
        confidence = float(facts.get("confidence", 1.0))
        return _number(options, "confidenceMin", 0.0) <= confidence <= _number(options, "confidenceMax", 0.4)
    return True

"""What an assistant does of its own accord (`hooks`, `messagePlan`, contract §10.5).

Pure: a `HookPlan` is read from an assistant once, `Hooks` are its clocks in one call. They say what is to be done, and
the conversation does it. `now` is in seconds, monotonic.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ari_assistant.turns.idle import IdlePlan, IdleTimer
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.hook import AssistantHook, HookAction
from ari_assistant.vapi.json_text import read_json
from ari_assistant.vapi.plans import MessagePlan

__all__ = [
    "CALLER_INTERRUPTED",
    "CALL_ENDING",
    "HOOK_EVENTS",
    "INTERRUPTED",
    "LOW_CONFIDENCE",
    "Exact",
    "HookPlan",
    "Hooks",
    "Prompted",
    "Said",
    "hook_plan",
    "said_by",
]

INTERRUPTED: Final = "assistant.speech.interrupted"
CALLER_INTERRUPTED: Final = "customer.speech.interrupted"
CALL_ENDING: Final = "call.ending"
LOW_CONFIDENCE: Final = "assistant.transcriber.endpointedSpeechLowConfidence"
_MODEL_LATE: Final = "model.response.timeout"
_TIMEOUT: Final = "customer.speech.timeout"
_ELAPSED: Final = "call.timeElapsed"
HOOK_EVENTS: Final = frozenset(
    {INTERRUPTED, CALLER_INTERRUPTED, CALL_ENDING, LOW_CONFIDENCE, _MODEL_LATE, _TIMEOUT, _ELAPSED}
)
"""What a hook may be `on`."""
_OPTION = re.compile(r"\s*(\w+)\s*=\s*([^,\]]+)")

Actions = tuple[HookAction, ...]


@dataclass(frozen=True, slots=True)
class HookPlan:
    """The hooks of an assistant. Times in seconds."""

    events: Mapping[str, tuple[AssistantHook, ...]] = field(default_factory=dict)
    """By what they are `on`: what simply happens."""
    idle: tuple[tuple[IdlePlan, Actions], ...] = ()
    """The caller is silent."""
    elapsed: tuple[tuple[float, Actions], ...] = ()
    """The call has lasted so long."""
    late: tuple[tuple[float, Actions], ...] = ()
    """A reply has been waited for so long."""
    silence_message: str | None = None
    """`messagePlan.silenceTimeoutMessage`."""
    unreadable: tuple[str, ...] = ()
    """What hooks are `on` that are left out, because nothing here is called so."""


def hook_plan(assistant: Assistant) -> HookPlan:
    """Read an assistant's `hooks` and the older `messagePlan`."""
    events: dict[str, tuple[AssistantHook, ...]] = {}
    idle: list[tuple[IdlePlan, Actions]] = []
    elapsed: list[tuple[float, Actions]] = []
    late: list[tuple[float, Actions]] = []
    unreadable: list[str] = []
    for hook in assistant.hooks or ():
        name, options = _event(hook)
        actions = tuple(hook.do)
        if name not in HOOK_EVENTS:
            unreadable.append(hook.on)
        elif name == _TIMEOUT:
            plan = IdlePlan(
                timeout_seconds=_number(options, "timeoutSeconds", 7.5),
                max_count=int(_number(options, "triggerMaxCount", 3)),
                reset_on_speech=options.get("triggerResetMode") == "onUserSpeech",
            )
            idle.append((plan, actions))
        elif name == _ELAPSED:
            elapsed.append((_number(options, "seconds", 60), actions))
        elif name == _MODEL_LATE:
            late.append((_number(options, "timeoutSeconds", 3), actions))
        else:
            events[name] = (*events.get(name, ()), hook)
    older = assistant.message_plan
    return HookPlan(
        events=events,
        idle=(*idle, *_idle_messages(older)),
        elapsed=tuple(elapsed),
        late=tuple(late),
        silence_message=older.silence_timeout_message if older is not None else None,
        unreadable=tuple(unreadable),
    )


class Hooks:
    """The hooks of one call, and their clocks."""

    def __init__(self, plan: HookPlan, *, now: float) -> None:
        """`now` is when the call begins."""
        self._plan = plan
        self._idle = [(IdleTimer(idle, now=now), actions) for idle, actions in plan.idle]
        self._elapsed = list(plan.elapsed)
        """Which have not been done yet."""

    def on(self, event: str, facts: JsonObject | None = None) -> list[HookAction]:
        """Something happened: what is to be done. `facts` are what filters look at (`call.endedReason`)."""
        return [
            action
            for hook in self._plan.events.get(event, ())
            if _passes(hook, event, facts or {})
            for action in hook.do
        ]

    def tick(self, active: bool, *, seconds: float, now: float) -> list[HookAction]:
        """20 ms have passed: `active` tells whether anybody speaks or a reply is prepared, `seconds` is how long the
        call has lasted."""
        due = [action for timer, actions in self._idle if timer.receive(active, now=now) for action in actions]
        due += [action for limit, actions in self._elapsed if seconds >= limit for action in actions]
        self.skip(seconds=seconds)
        return due

    def skip(self, *, seconds: float) -> None:
        """What was due before the call had lasted so long is not done any more."""
        self._elapsed = [waiting for waiting in self._elapsed if seconds < waiting[0]]

    def restart(self, *, now: float) -> None:
        """What was silent until now does not count."""
        for timer, _ in self._idle:
            timer.receive(True, now=now)

    def late(self, waited: float, before: float) -> list[HookAction]:
        """A reply has been waited for `waited` seconds, `before` at the last tick."""
        return [action for limit, actions in self._plan.late if before < limit <= waited for action in actions]

    def caller_spoke(self) -> None:
        """The caller has said something."""
        for timer, _ in self._idle:
            timer.caller_spoke()


@dataclass(frozen=True, slots=True)
class Exact:
    """One of these templates is said word for word."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prompted:
    """The model speaks, with these templates as further instructions."""

    texts: tuple[str, ...]


Said = Exact | Prompted


def said_by(action: HookAction) -> Said:
    """What a `say` action says."""
    exact = action.exact
    if isinstance(exact, str):
        return Exact((exact,))
    if exact:
        return Exact(tuple(exact))
    given = action.prompt
    prompts = [given] if isinstance(given, str) else [message.content or "" for message in given or ()]
    return Prompted(tuple(prompt for prompt in prompts if prompt))


def _idle_messages(plan: MessagePlan | None) -> list[tuple[IdlePlan, Actions]]:
    """The older spelling of a hook on `customer.speech.timeout`."""
    if plan is None or not plan.idle_messages:
        return []
    idle = IdlePlan(
        timeout_seconds=plan.idle_timeout_seconds or 10,
        max_count=int(plan.idle_message_max_spoken_count or 3),
        reset_on_speech=bool(plan.idle_message_reset_count_on_user_speech_enabled),
    )
    return [(idle, (HookAction(type="say", exact=list(plan.idle_messages)),))]


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

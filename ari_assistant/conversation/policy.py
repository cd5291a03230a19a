"""Everything of an assistant that decides how a conversation with it goes, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field

from ari_assistant.assistants.plans import (
    Unreadable,
    endpointing_plan,
    endpointing_server,
    interruption_plan,
    keypad_plan,
    turn_options,
    unreadable_plans,
)
from ari_assistant.conversation.hooks import HOOK_EVENTS, HookPlan, hook_plan
from ari_assistant.turns.endpointing import EndpointingPlan, Waits
from ari_assistant.turns.interruption import InterruptionPlan
from ari_assistant.turns.keypad import KeypadPlan
from ari_assistant.turns.turn_taking import TurnOptions
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.server import Server

__all__ = ["ConversationPolicy", "conversation_policy"]


@dataclass(frozen=True, slots=True)
class ConversationPolicy:
    """What the core of a conversation decides by. Times in seconds; texts are templates."""

    turns: TurnOptions = field(default_factory=TurnOptions)
    endpointing: EndpointingPlan = field(default_factory=EndpointingPlan)
    interruption: InterruptionPlan = field(default_factory=InterruptionPlan)
    keypad: KeypadPlan | None = None
    """None: keys are not listened to."""
    silence_seconds: float = 30.0
    """When nobody has spoken for so long, the call is over."""
    max_seconds: float = 600.0
    """… and when it has lasted so long."""
    hooks: HookPlan = field(default_factory=HookPlan)
    backchannels: bool = False
    """Who speaks for long is told at a pause that they are heard."""
    end_call_message: str | None = None
    """Said before the assistant hangs up."""
    end_call_phrases: tuple[str, ...] = ()
    """Whatever the assistant says that holds one of them ends the call."""
    endpointing_server: Server | None = None
    """Is asked at every pause how long it must last."""
    unreadable: tuple[Unreadable, ...] = ()
    """What of the assistant has no effect, for the log."""


def conversation_policy(assistant: Assistant, turns: TurnOptions, waits: Waits) -> ConversationPolicy:
    """`turns` and `waits` are the installation's: what the assistant's plans do not say."""
    hooks = hook_plan(assistant)
    unknown = (Unreadable("hook_unknown", {"on": on, "known": sorted(HOOK_EVENTS)}) for on in hooks.unreadable)
    return ConversationPolicy(
        turns=turn_options(assistant, turns),
        endpointing=endpointing_plan(assistant, waits),
        interruption=interruption_plan(assistant),
        keypad=keypad_plan(assistant),
        silence_seconds=assistant.silence_timeout_seconds or 30.0,
        max_seconds=assistant.max_duration_seconds or 600.0,
        hooks=hooks,
        backchannels=bool(assistant.backchanneling_enabled),
        end_call_message=assistant.end_call_message,
        end_call_phrases=tuple(assistant.end_call_phrases or ()),
        endpointing_server=endpointing_server(assistant),
        unreadable=(*unreadable_plans(assistant), *unknown),
    )

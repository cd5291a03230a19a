"""`assistant-request`: the server decides who answers (contract §7.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ari_assistant.assistants.lookup import AssistantMissing, AssistantUnusable, Chosen, choose_assistant
from ari_assistant.conversation.ending import Ending
from ari_assistant.reports.messages import CallMessages
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.error import validation_messages
from ari_assistant.vapi.server import Server
from ari_assistant.webhooks.sender import WebhookFailed, WebhookRejected, WebhookUnreadable

__all__ = ["Answer", "Forward", "NoAnswer", "Speak", "UseAssistant", "ask", "interpret"]

_MAX_SPOKEN = 1_000


@dataclass(frozen=True, slots=True)
class UseAssistant:
    """This assistant answers."""

    chosen: Chosen


@dataclass(frozen=True, slots=True)
class Forward:
    """The caller is sent on, no assistant is needed."""

    destination: Destination


@dataclass(frozen=True, slots=True)
class Speak:
    """The server wants this said, and the call ended."""

    text: str


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nothing that can be used: the fallback destination, or an apology."""

    ending: Ending
    response: Any = None
    """What the server answered, for the operator."""


Answer = UseAssistant | Forward | Speak | NoAnswer


async def ask(messages: CallMessages, server: Server, *, timeout_seconds: float, catalogue: Catalogue) -> Answer:
    """Ask the server, within `timeout_seconds` from end to end. Never raises for what the server does."""
    try:
        answer = await messages.ask(server, "assistant-request", timeout_seconds=timeout_seconds)
    except WebhookRejected as fault:
        return NoAnswer(Ending("assistant-request-returned-error", str(fault)))
    except WebhookUnreadable as fault:
        return NoAnswer(Ending("assistant-request-returned-no-assistant", str(fault)))
    except WebhookFailed as fault:
        return NoAnswer(Ending("assistant-request-failed", str(fault)))
    return await interpret(answer, catalogue)


async def interpret(answer: JsonObject, catalogue: Catalogue) -> Answer:
    """Read an answer. `error` beats `destination`, which beats the assistants."""
    wrapped = answer.get("messageResponse")
    body: JsonObject = wrapped if isinstance(wrapped, dict) else answer
    if body.get("error") is not None:
        text = body["error"]
        if not isinstance(text, str) or not text.strip() or len(text) > _MAX_SPOKEN:
            return NoAnswer(
                Ending("assistant-request-returned-unspeakable-error", f"error: {str(text)[:200]}"), answer
            )
        return Speak(text.strip())
    invalid = "assistant-request-returned-invalid-assistant"
    try:
        if body.get("destination") is not None:
            return Forward(Destination.model_validate(body["destination"]))
        chosen = await choose_assistant(catalogue, body)
    except ValidationError as fault:
        return NoAnswer(Ending(invalid, "; ".join(validation_messages(fault))), answer)
    except AssistantUnusable as fault:
        return NoAnswer(Ending(invalid, str(fault)), answer)
    except AssistantMissing as fault:
        return NoAnswer(Ending("assistant-not-found", str(fault)), answer)
    if chosen is None:
        text = "the answer names no assistant"
        return NoAnswer(Ending("assistant-request-returned-no-assistant", text), answer)
    return UseAssistant(chosen)

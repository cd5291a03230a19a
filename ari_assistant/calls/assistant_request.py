"""`assistant-request`: the server decides who answers (contract §7.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ari_assistant.calls.ending import Ending
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.vapi.assistant import Assistant, AssistantOverrides
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.error import validation_messages
from ari_assistant.vapi.server import Server, normalise_server
from ari_assistant.webhooks.sender import (
    WebhookFailed,
    WebhookRejected,
    WebhookSender,
    WebhookUnreadable,
)

__all__ = ["Answer", "Forward", "NoAnswer", "Speak", "UseAssistant", "ask", "interpret"]

_MAX_SPOKEN = 1_000


@dataclass(frozen=True, slots=True)
class UseAssistant:
    """This assistant answers. `assistant_id` is None for a transient one."""

    assistant_id: str | None
    document: JsonObject
    overrides: JsonObject


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


async def ask(
    sender: WebhookSender,
    server: Server,
    message: JsonObject,
    *,
    call_id: str,
    timeout_seconds: float,
    catalogue: Catalogue,
) -> Answer:
    """Ask the server, within `timeout_seconds` from end to end. Never raises for what the server does."""
    try:
        answer = await sender.post(server, message, call_id=call_id, timeout_seconds=timeout_seconds)
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
    try:
        if body.get("destination") is not None:
            return Forward(Destination.model_validate(body["destination"]))
        overrides = body.get("assistantOverrides") or {}
        AssistantOverrides.model_validate(overrides)
        if body.get("assistant") is not None:
            document = Assistant.model_validate(body["assistant"]).wire()
            return UseAssistant(None, normalise_server(document), normalise_server(overrides))
    except ValidationError as fault:
        text = "; ".join(validation_messages(fault))
        return NoAnswer(Ending("assistant-request-returned-invalid-assistant", text), answer)
    except TypeError as fault:
        return NoAnswer(Ending("assistant-request-returned-invalid-assistant", str(fault)), answer)
    assistant_id = body.get("assistantId")
    if assistant_id is None:
        return NoAnswer(Ending("assistant-request-returned-no-assistant", "the answer names no assistant"), answer)
    found = await catalogue.assistants.get(str(assistant_id))
    if found is None:
        return NoAnswer(Ending("assistant-not-found", f"`assistantId` {assistant_id} does not exist"), answer)
    return UseAssistant(found.id, found.document, normalise_server(overrides))

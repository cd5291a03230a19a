"""Who plays in a call: the assistant with everything that its names stand for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import aiohttp
from pydantic import ValidationError

from ari_assistant.assistants.model_providers import rules_config
from ari_assistant.assistants.provider_access import access_for
from ari_assistant.calls.services import Services
from ari_assistant.dialogue.template import TemplateRenderer
from ari_assistant.dialogue.tools import Offered, offered_tools
from ari_assistant.providers.model import Model
from ari_assistant.providers.transcriber import Transcriber, TranscriberStream
from ari_assistant.providers.voice import Voice
from ari_assistant.reports.messages import CallMessages
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.error import validation_messages
from ari_assistant.vapi.model import BUILT_IN
from ari_assistant.vapi.server import Server
from ari_assistant.vapi.tool import Tool, tool_schema
from ari_assistant.webhooks.sender import WebhookFailed

__all__ = ["ResolvedAssistant", "resolve_assistant"]

log = get_logger("assistants.resolved")


@dataclass(frozen=True, slots=True)
class ResolvedAssistant:
    """What a conversation needs of its assistant."""

    assistant: Assistant
    model: Model
    analyst: Model | None
    """The language model that is asked after the call; None when the built-in dialogue spoke."""
    voice: Voice
    transcriber: Transcriber
    stream: TranscriberStream | None
    """Listens along where the assistant's transcriber does that; `transcriber` takes over when it is gone."""
    tools: Mapping[str, Offered]


async def resolve_assistant(
    services: Services, assistant: Assistant, *, fill: TemplateRenderer, messages: CallMessages, call_id: str
) -> ResolvedAssistant:
    """Look up tools, keys and credentials, and choose the providers. Never raises for what is missing: that is
    logged, and the local engines and the built-in dialogue stand in."""
    access = await access_for(assistant, services.catalogue, services.access)
    headers: Mapping[str, str] = {}
    server = assistant.transcriber.server if assistant.transcriber is not None else None
    if server is not None:
        try:
            headers = await services.webhooks.headers(server, b"", call_id=call_id, method="GET")
        except WebhookFailed as fault:
            log.warning("transcriber_credential_missing", call_id=call_id, reason=str(fault))
    listener = services.speech.choice.listener(assistant, access, headers)

    def ask_voice(server: Server, text: str, rate: int) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        message = messages.build("voice-request", text=text, sampleRate=rate)
        return services.webhooks.open(server, message, call_id=call_id)

    model = services.models.choose(assistant, fill, access)
    return ResolvedAssistant(
        assistant=assistant,
        model=model,
        analyst=services.models.remote(assistant, access),
        voice=services.speech.choice.voice(assistant, access, ask_voice),
        transcriber=listener.transcriber,
        stream=listener.stream,
        tools=offered_tools(
            assistant.model,
            [*await _stored_tools(services, assistant), *_hand_over(assistant)],
            # The built-in dialogue hangs up where the operator wrote `then: hang-up`.
            may_end_call=bool(assistant.end_call_function_enabled) or model.name == BUILT_IN,
        ),
    )


def _hand_over(assistant: Assistant) -> list[Tool]:
    """Where the built-in dialogue hands callers over."""
    target = rules_config(assistant).hand_over
    if target is None:
        return []
    # The dialogue says itself what it does.
    destination = {"type": "sip", "sipUri": target.to, "message": ""}
    return [tool_schema.validate_python({"type": "transferCall", "destinations": [destination]})]


async def _stored_tools(services: Services, assistant: Assistant) -> list[Tool]:
    model = assistant.model
    ids = list((model.tool_ids or ()) if model else ())
    ids += [str(ref.get("toolId")) for ref in ((model.tool_refs or ()) if model else ()) if ref.get("toolId")]
    found: list[Tool] = []
    for tool_id in ids:
        resource = await services.catalogue.tools.get(tool_id)
        if resource is None:
            log.warning("tool_unknown", id=tool_id)
            continue
        try:
            found.append(tool_schema.validate_python(resource.document))
        except ValidationError as fault:
            log.warning("tool_unreadable", id=tool_id, reason="; ".join(validation_messages(fault)))
    return found

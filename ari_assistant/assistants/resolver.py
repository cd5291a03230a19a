"""From an assistant's names to what they stand for: its tools, keys and credentials are looked up, providers chosen."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
from pydantic import ValidationError

from ari_assistant.assistants.model_providers import ModelChoice
from ari_assistant.assistants.provider_access import ProviderAccess, access_for
from ari_assistant.assistants.resolved import ResolvedAssistant
from ari_assistant.assistants.speech_providers import SpeechChoice
from ari_assistant.dialogue.rules.config import rules_config
from ari_assistant.dialogue.template import TemplateRenderer
from ari_assistant.dialogue.tools import Offered, offered_tools
from ari_assistant.providers.model import Model
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.error import validation_messages
from ari_assistant.vapi.model import BUILT_IN
from ari_assistant.vapi.server import Server
from ari_assistant.vapi.tool import Tool, tool_schema
from ari_assistant.webhooks.sender import WebhookFailed, WebhookSender

__all__ = ["AssistantResolver", "tools_for"]

log = get_logger("assistants.resolved")


class MessageBuilder(Protocol):
    """Builds server messages (contract §7.2)."""

    def build(self, kind: str, **fields: Any) -> JsonObject:
        """The whole message."""


@dataclass(frozen=True, slots=True)
class _VoiceRequests:
    """See `VoiceRequests`."""

    webhooks: WebhookSender
    messages: MessageBuilder
    call_id: str

    def post(self, server: Server, text: str, rate: int) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        message = self.messages.build("voice-request", text=text, sampleRate=rate)
        return self.webhooks.open(server, message, call_id=self.call_id)


class AssistantResolver:
    """Looks up tools, keys and credentials, and chooses the providers, for every call."""

    def __init__(
        self,
        catalogue: Catalogue,
        access: ProviderAccess,
        webhooks: WebhookSender,
        *,
        speech: SpeechChoice,
        models: ModelChoice,
    ) -> None:
        """`access`: the installation's keys."""
        self._catalogue = catalogue
        self._access = access
        self._webhooks = webhooks
        self._speech = speech
        self._models = models

    async def resolve(
        self, assistant: Assistant, *, fill: TemplateRenderer, messages: MessageBuilder, call_id: str
    ) -> ResolvedAssistant:
        """Never raises for what is missing: that is logged, and the local engines and the built-in dialogue stand
        in."""
        access = await access_for(assistant, self._catalogue, self._access)
        headers: Mapping[str, str] = {}
        server = assistant.transcriber.server if assistant.transcriber is not None else None
        if server is not None:
            try:
                headers = await self._webhooks.headers(server, b"", call_id=call_id, method="GET")
            except WebhookFailed as fault:
                log.warning("transcriber_credential_missing", call_id=call_id, reason=str(fault))
        listener = self._speech.listener(assistant, access, headers)
        model = self._models.choose(assistant, fill, access)
        return ResolvedAssistant(
            assistant=assistant,
            model=model,
            analyst=self._models.remote(assistant, access),
            voice=self._speech.voice(assistant, access, _VoiceRequests(self._webhooks, messages, call_id)),
            transcriber=listener.transcriber,
            stream=listener.stream,
            tools=await tools_for(model, assistant, self._catalogue),
        )


async def tools_for(model: Model, assistant: Assistant, catalogue: Catalogue) -> dict[str, Offered]:
    """What an assistant's model is offered: the tools of the assistant itself, those stored under its `toolIds`, and
    how callers are handed over. A tool that is missing or cannot be read is logged and left out."""
    tools = [*await _stored_tools(assistant, catalogue), *_hand_over(assistant)]
    # The built-in dialogue hangs up where the operator wrote `then: hang-up`.
    may_end_call = bool(assistant.end_call_function_enabled) or model.name == BUILT_IN
    return offered_tools(assistant.model, tools, may_end_call=may_end_call)


async def _stored_tools(assistant: Assistant, catalogue: Catalogue) -> list[Tool]:
    model = assistant.model
    ids = list((model.tool_ids or ()) if model else ())
    ids += [str(ref.get("toolId")) for ref in ((model.tool_refs or ()) if model else ()) if ref.get("toolId")]
    found: list[Tool] = []
    for tool_id in ids:
        resource = await catalogue.tools.get(tool_id)
        if resource is None:
            log.warning("tool_unknown", id=tool_id)
            continue
        try:
            found.append(tool_schema.validate_python(resource.document))
        except ValidationError as fault:
            log.warning("tool_unreadable", id=tool_id, reason="; ".join(validation_messages(fault)))
    return found


def _hand_over(assistant: Assistant) -> list[Tool]:
    """Where the built-in dialogue hands callers over."""
    target = rules_config(assistant).hand_over
    if target is None:
        return []
    # The dialogue says itself what it does.
    destination = {"type": "sip", "sipUri": target.to, "message": ""}
    return [tool_schema.validate_python({"type": "transferCall", "destinations": [destination]})]

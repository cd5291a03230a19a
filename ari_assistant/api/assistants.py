"""`/assistant` (§2)."""

from __future__ import annotations

from aiohttp import web
from pydantic import ValidationError

from ari_assistant.api.crud import Crud, partial, stored
from ari_assistant.api.errors import ApiFault
from ari_assistant.dialogue.rules.config import rules_config
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.error import validation_messages

__all__ = ["endpoints"]


async def _check(_: web.Request, document: JsonObject) -> None:
    try:
        rules_config(Assistant.model_validate(document))
    except ValidationError as fault:
        raise ApiFault(400, [f"model.{text}" for text in validation_messages(fault)]) from None


endpoints = Crud(
    path="/assistant",
    noun="Assistant",
    schema=Assistant,
    body=Assistant,
    patch=partial("AssistantPatch", Assistant),
    answer=stored("StoredAssistant", Assistant),
    resources=lambda context: context.store.catalogue.assistants,
    check=_check,
    two_spellings=True,
).endpoints

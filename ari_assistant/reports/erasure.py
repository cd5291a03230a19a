"""Telling of a call whose data was erased, or could not be: `call.deleted`, `call.delete.failed` (contract §4.3)."""

from __future__ import annotations

import time

from pydantic import ValidationError

from ari_assistant.store.catalogue import Catalogue
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.phone_number import phone_number_schema
from ari_assistant.vapi.server import Server, first_server
from ari_assistant.vapi.server_message import envelope, wants
from ari_assistant.webhooks.outbox import Outbox
from ari_assistant.webhooks.sender import WebhookSender

__all__ = ["erasure_message"]


async def erasure_message(
    catalogue: Catalogue, sender: WebhookSender, org_server: Server | None, kind: str, call: JsonObject
) -> Outbox | None:
    """An outbox with the one message in it, to be run; None when nobody gets it. `call` is the Call object."""
    found = await catalogue.assistants.get(call.get("assistantId") or "")
    number = await catalogue.phone_numbers.get(call.get("phoneNumberId") or "")
    try:
        assistant = Assistant.model_validate(found.document if found is not None else call.get("assistant") or {})
        number_server = phone_number_schema.validate_python(number.document).server if number else None
    except ValidationError:
        return None
    server = first_server(assistant.server, number_server, org_server)
    if server is None or not wants(assistant.server_messages, kind):
        return None
    outbox = Outbox(sender, call_id=call["id"])
    outbox.put(server, envelope(kind, timestamp_ms=int(time.time() * 1000), call=call))
    outbox.close()
    return outbox

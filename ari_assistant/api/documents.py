"""Checking a document before it is stored: schema, then the two spellings of `server`."""

from __future__ import annotations

from pydantic import BaseModel

from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.server import normalise_server

__all__ = ["created", "patched"]


def created(schema: type[BaseModel], body: JsonObject) -> JsonObject:
    """The document of a new resource. Raises pydantic.ValidationError."""
    schema.model_validate(body)
    return normalise_server(body)


def patched(schema: type[BaseModel], document: JsonObject, patch: JsonObject) -> JsonObject:
    """The document after a PATCH (§1): an absent key keeps its value, null clears, objects replace whole.

    Raises pydantic.ValidationError.
    """
    kept = dict(document)
    if "server" in patch:  # the older spelling of the old value must not win over the new one
        for older in ("serverUrl", "serverUrlSecret"):
            kept.pop(older, None)
    merged = {**kept, **patch}
    schema.model_validate(merged)
    return normalise_server(merged)

"""Checking a document before it is stored: schema, then the two spellings of `server`."""

from __future__ import annotations

from typing import Any, Protocol

from pydantic import BaseModel

from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.server import normalise_server

__all__ = ["Schema", "created", "patched"]


class Validates(Protocol):
    """Validates a document, as pydantic's TypeAdapter does."""

    def validate_python(self, given: Any, /) -> Any: ...


Schema = type[BaseModel] | Validates


def _validate(schema: Schema, document: JsonObject) -> None:
    if isinstance(schema, type):
        schema.model_validate(document)
    else:
        schema.validate_python(document)


def created(schema: Schema, body: JsonObject, *, two_spellings: bool = False) -> JsonObject:
    """The document of a new resource; `two_spellings`: it knows `serverUrl` beside `server`.

    Raises pydantic.ValidationError.
    """
    _validate(schema, body)
    return normalise_server(body) if two_spellings else dict(body)


def patched(schema: Schema, document: JsonObject, patch: JsonObject, *, two_spellings: bool = False) -> JsonObject:
    """The document after a PATCH (§1): an absent key keeps its value, null clears, objects replace whole.

    Raises pydantic.ValidationError.
    """
    kept = dict(document)
    if two_spellings and "server" in patch:  # the older spelling of the old value must not win over the new one
        for older in ("serverUrl", "serverUrlSecret"):
            kept.pop(older, None)
    merged = {**kept, **patch}
    _validate(schema, merged)
    return normalise_server(merged) if two_spellings else merged

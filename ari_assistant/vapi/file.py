"""Files (§6)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ari_assistant.vapi.base import Contract, JsonObject
from ari_assistant.vapi.secret import DATA

__all__ = ["File", "FilePatch"]


class FilePatch(Contract):
    """`PATCH /file/{id}`."""

    name: Annotated[str, Field(min_length=1, max_length=40)] | None = None


class File(Contract):
    """A stored file, as responses show it."""

    object: str = "file"
    status: str = "done"
    name: str
    original_name: str
    bytes: int
    mimetype: str
    url: str
    purpose: str | None = None
    metadata: Annotated[JsonObject, DATA] | None = None

"""What every schema of the contract shares (§1)."""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

__all__ = ["Contract", "JsonObject", "OpenContract", "call_id", "iso", "new_id"]

JsonObject = dict[str, Any]
"""A JSON object whose inner fields the contract does not fix, or that this version only stores and echoes."""


class Contract(BaseModel):
    """A schema of the contract: camelCase on the wire, an unknown property is refused."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    def wire(self) -> JsonObject:
        """The JSON object as it was given: only the fields that were set, explicit nulls kept."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class OpenContract(Contract):
    """A schema chosen by `provider`, whose vendor fields are kept as they are."""

    model_config = ConfigDict(extra="allow")


def new_id() -> str:
    """A random resource id (UUIDv4)."""
    return str(uuid.uuid4())


def call_id(now: datetime) -> str:
    """A call id (UUIDv7, RFC 9562 §5.7): ordered by `now`, which must carry a time zone."""
    millis = int(now.timestamp() * 1000) & (1 << 48) - 1
    value = millis << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=value))


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and `Z`, as all of the contract's timestamps. `moment` is aware."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

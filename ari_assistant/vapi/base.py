"""What every schema of the contract shares (§1)."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Discriminator, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

__all__ = [
    "Contract",
    "JsonObject",
    "OpenContract",
    "VendorContract",
    "call_id",
    "chosen_by",
    "iso",
    "iso_now",
    "new_id",
    "refuse_unknown",
]

JsonObject = dict[str, Any]
"""A JSON object whose inner fields the contract does not fix, or that this version only stores and echoes."""


class Contract(BaseModel):
    """A schema of the contract: camelCase on the wire, an unknown property is refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, strict=True
    )

    def wire(self) -> JsonObject:
        """The JSON object as it was given: only the fields that were set, explicit nulls kept."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class OpenContract(Contract):
    """A schema chosen by `provider`, whose vendor fields are kept as they are."""

    model_config = ConfigDict(extra="allow")


def refuse_unknown(schema: type[BaseModel], given: Any, vendor_fields: Mapping[str, frozenset[str]]) -> None:
    """Refuse the properties that neither `schema` nor the vendor of `given["provider"]` has.

    A provider that `vendor_fields` does not know may have any. Raises pydantic_core.ValidationError.
    """
    if not isinstance(given, dict) or not isinstance(given.get("provider"), str):
        return
    own = vendor_fields.get(given["provider"])
    if own is None:
        return
    known = {field.alias or name for name, field in schema.model_fields.items()} | own
    unknown = [str(name) for name in given if name not in known and name not in schema.model_fields]
    if unknown:
        fault = PydanticCustomError("extra_forbidden", "Extra inputs are not permitted")
        details = [InitErrorDetails(type=fault, loc=(name,), input=given[name]) for name in unknown]
        raise ValidationError.from_exception_data(schema.__name__, details)


class VendorContract(OpenContract):
    """A schema chosen by `provider`. An unknown property of a provider in `vendor_fields` is refused; a provider that
    is not in it may have any."""

    vendor_fields: ClassVar[Mapping[str, frozenset[str]]] = {}
    """Provider → its own fields beside the common ones."""

    @model_validator(mode="before")
    @classmethod
    def _known_properties(cls, given: Any) -> Any:
        refuse_unknown(cls, given, cls.vendor_fields)
        return given


def chosen_by(field: str, known: Collection[str], *, otherwise: str | None = None) -> Discriminator:
    """The discriminator of a union by a text field. Its tags stand in brackets, so that a fault's path does not
    show them: `Tag("[function]")`. A value that is not `known` takes the tag `[otherwise]`, or is refused."""

    def tag(given: Any) -> str | None:
        value = given.get(field) if isinstance(given, dict) else getattr(given, field, None)
        if isinstance(value, str) and value in known:
            return f"[{value}]"
        return f"[{otherwise}]" if otherwise is not None and isinstance(value, str) else None

    return Discriminator(
        tag,
        custom_error_type="one_of",
        custom_error_message=f"{field} must be one of the following values: {', '.join(known)}",
    )


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


def iso_now() -> str:
    """The present moment, as `iso` writes it."""
    return iso(datetime.now(UTC))

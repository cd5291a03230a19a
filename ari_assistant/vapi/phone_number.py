"""Phone numbers (§3): a SIP URI that callers dial, or a number on one's own trunk."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, Tag, TypeAdapter, field_validator, model_validator

from ari_assistant.vapi.base import Contract, chosen_by
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.hook import NumberHook
from ari_assistant.vapi.secret import SECRET, Secret
from ari_assistant.vapi.server import Server
from ari_assistant.vapi.sip_uri import SipUri

__all__ = ["AnyPhoneNumber", "ByoPhoneNumber", "PhoneNumber", "SipAuthentication", "phone_number_schema"]

_E164 = re.compile(r"\+[1-9]\d{1,14}")
_ANY_NUMBER = re.compile(r"\+?[a-zA-Z0-9]+")


class SipAuthentication(Contract):
    """The digest credentials that a caller of this number must have (§8.3)."""

    realm: Annotated[str, Field(min_length=1, max_length=128, pattern=r'^[^"\\\x00-\x1f;]+$')] | None = None
    username: Annotated[str, Field(min_length=20, max_length=40, pattern=r"^[A-Za-z0-9._~+-]+$")]
    password: Annotated[Secret, Field(min_length=20, max_length=40, pattern=r"^[^\x00-\x1f;\\]+$")]


class _Number(Contract):
    name: Annotated[str, Field(max_length=40)] | None = None
    assistant_id: str | None = None
    squad_id: str | None = None
    workflow_id: str | None = None
    server: Server | None = None
    server_url: str | None = None
    server_url_secret: Secret | None = None
    fallback_destination: Destination | None = None
    hooks: list[NumberHook] | None = None


class PhoneNumber(_Number):
    """`CreateVapiPhoneNumberDTO`. Without an assistant each call asks the server (`assistant-request`)."""

    provider: Literal["vapi"]
    sip_uri: str
    number_desired_area_code: str | None = None
    authentication: Annotated[SipAuthentication, SECRET] | None = None

    @property
    def uri(self) -> SipUri:
        """What is dialled."""
        return SipUri.parse(self.sip_uri)

    @field_validator("sip_uri")
    @classmethod
    def _valid_uri(cls, value: str) -> str:
        SipUri.parse(value)
        return value

    @model_validator(mode="after")
    def _possible_here(self) -> PhoneNumber:
        if self.number_desired_area_code is not None:
            raise ValueError("numberDesiredAreaCode must be absent: this server sells no numbers, set sipUri")
        return self


class ByoPhoneNumber(_Number):
    """`CreateByoPhoneNumberDTO`: a number on one's own trunk (§3.2)."""

    provider: Literal["byo-phone-number"]
    number: Annotated[str, Field(min_length=3, max_length=40)]
    number_e164_check_enabled: bool | None = Field(default=None, alias="numberE164CheckEnabled")
    credential_id: str
    authentication: Annotated[None, SECRET] = None

    @property
    def uri(self) -> SipUri:
        """What a trunk dials: `<number>@<credentialId>` (§8.4); the user alone selects it on this machine."""
        return SipUri(user=self.number.lower(), host=self.credential_id.lower())

    @model_validator(mode="after")
    def _valid_number(self) -> ByoPhoneNumber:
        checked = self.number_e164_check_enabled is not False
        if checked and _E164.fullmatch(self.number) is None:
            raise ValueError("number must be in E.164 form (+15551230000), or set numberE164CheckEnabled to false")
        if _ANY_NUMBER.fullmatch(self.number) is None:
            raise ValueError("number must be made of letters and digits, with or without a leading +")
        return self


AnyPhoneNumber = Annotated[
    Annotated[PhoneNumber, Tag("[vapi]")] | Annotated[ByoPhoneNumber, Tag("[byo-phone-number]")],
    chosen_by("provider", ("vapi", "byo-phone-number")),
]

phone_number_schema: TypeAdapter[AnyPhoneNumber] = TypeAdapter(AnyPhoneNumber)
"""Validates a phone number."""

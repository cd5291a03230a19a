"""Phone numbers of provider `vapi`: a SIP URI that callers dial (§3.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from ari_assistant.vapi.base import Contract, JsonObject, OpenContract
from ari_assistant.vapi.server import Server

__all__ = ["Destination", "PhoneNumber", "SipUri"]


@dataclass(frozen=True, slots=True)
class SipUri:
    """The parts of a SIP URI that select a phone number, lower-cased (§8.1: case-insensitive)."""

    user: str
    host: str
    """A name or an address; an IPv6 address without its brackets."""

    _PATTERN = re.compile(
        r"(?:sips?):(?P<user>[^@;?\s<>]+)@(?P<host>\[[0-9a-f:.]+\]|[^\s:;?<>@\[\]]+)"
        r"(?::(?P<port>\d{1,5}))?(?:[;?][^\s<>]*)?",
        re.IGNORECASE,
    )

    @classmethod
    def parse(cls, text: str) -> SipUri:
        """Read `sip:user@host[:port][;parameters]`, with or without `<…>` (RFC 3261 §19.1).

        Parameters, headers and the port do not select a number and are left out. Raises ValueError when
        `text` has no user or no host.
        """
        match = cls._PATTERN.fullmatch(text.strip().removeprefix("<").removesuffix(">"))
        if match is None:
            raise ValueError(f"{text!r} is not a SIP URI with a user: write sip:USER@HOST")
        user = match["user"].split(":", 1)[0].lower()
        return cls(user=user, host=match["host"].strip("[]").lower())

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"sip:{self.user}@{host}"


class Destination(OpenContract):
    """Where a call is sent on (§3.4). `number` needs a trunk, `sip` does not."""

    type: Literal["sip", "number", "assistant"]
    sip_uri: str | None = None
    number: str | None = None
    message: str | JsonObject | None = None

    @model_validator(mode="after")
    def _has_address(self) -> Destination:
        if self.type == "sip":
            if self.sip_uri is None:
                raise ValueError("sipUri must be a string")
            SipUri.parse(self.sip_uri)
        if self.type == "number" and self.number is None:
            raise ValueError("number must be a string")
        return self


class PhoneNumber(Contract):
    """`CreateVapiPhoneNumberDTO`. Without an assistant each call asks the server (`assistant-request`)."""

    provider: Literal["vapi"]
    sip_uri: str
    name: Annotated[str, Field(max_length=40)] | None = None
    assistant_id: str | None = None
    squad_id: str | None = None
    workflow_id: str | None = None
    server: Server | None = None
    server_url: str | None = None
    server_url_secret: str | None = None
    fallback_destination: Destination | None = None
    hooks: list[JsonObject] | None = None
    number_desired_area_code: str | None = None
    authentication: JsonObject | None = None

    @field_validator("sip_uri")
    @classmethod
    def _valid_uri(cls, value: str) -> str:
        SipUri.parse(value)
        return value

    @model_validator(mode="after")
    def _possible_here(self) -> PhoneNumber:
        if self.number_desired_area_code is not None:
            raise ValueError("numberDesiredAreaCode must be absent: this server sells no numbers, set sipUri")
        if self.authentication is not None:
            raise ValueError(
                "authentication must be absent: this version cannot challenge callers yet,"
                " restrict them with a firewall or an ACL"
            )
        return self

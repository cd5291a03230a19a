"""What the caller's INVITE says: the dialled URI, who calls, and the X- headers (contract §8)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ari_assistant.audio.codec import Codec
from ari_assistant.audio.g711 import ULAW
from ari_assistant.dialogue.callers_text import FromCaller
from ari_assistant.dialogue.template import RESERVED
from ari_assistant.vapi.base import JsonObject

__all__ = ["Invite", "header_variables"]

_BUILT_IN = frozenset(name.lower() for name in RESERVED)


@dataclass(frozen=True, slots=True)
class Invite:
    """One INVITE, as far as we read it."""

    request_uri: str
    call_id: str
    """The SIP Call-ID."""
    from_uri: str
    from_name: str
    to: str
    headers: tuple[tuple[str, str], ...] = ()
    """The X- headers in the order they came, names as they were spelled; a repeated one appears again."""
    codec: Codec = ULAW
    """What to speak with this caller: their own codec, so that Asterisk has nothing to transcode."""
    standard: tuple[tuple[str, str], ...] = ()
    """The other headers, names in lower case; a repeated one appears again."""
    source: str = ""
    """Where the INVITE came from, `address:port`: who calls may write what they like, but not this."""

    @property
    def caller_number(self) -> str:
        """The user part of From."""
        return self.from_uri.partition(":")[2].partition("@")[0].partition(";")[0]

    @property
    def customer(self) -> JsonObject:
        """`customer` of an inbound SIP call (§4.2)."""
        customer: JsonObject = {"number": self.caller_number, "sipUri": self.from_uri}
        if self.from_name:
            customer["name"] = self.from_name
        return customer

    @property
    def details(self) -> JsonObject:
        """`phoneCallProviderDetails.sip` (§4.2): the INVITE as far as Asterisk shows it. `dialedUser` is the user
        part of the Request-URI, which Vapi leaves its users to find."""
        headers: JsonObject = {}
        for name, value in (*self.standard, *self.headers):
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        caller = f'"{self.from_name}" <{self.from_uri}>' if self.from_name else f"<{self.from_uri}>"
        for name, value in (("from", caller), ("to", self.to), ("call-id", self.call_id)):
            headers.setdefault(name, value)
        user = self.request_uri.partition(":")[2].partition("@")[0].partition(";")[0]
        return {
            "method": "INVITE",
            "version": "2.0",
            "uri": self.request_uri,
            "dialedUser": user,
            "headers": headers,
        }

    @property
    def variables(self) -> dict[str, str]:
        """What the X- headers bring into templates."""
        return header_variables(self.headers, call_id=self.call_id)


def header_variables(headers: Iterable[tuple[str, str]], *, call_id: str) -> dict[str, str]:
    """X- headers → template variables (§8.2): the prefix goes, the name is lower-cased, hyphens stay, a repeated
    header's last value wins, and built-in names are left alone. `cid` is the SIP Call-ID. All are `FromCaller`."""
    variables: dict[str, str] = {}
    for name, value in headers:
        key = name.lower().removeprefix("x-")
        if key and name.lower().startswith("x-") and key.lower() not in _BUILT_IN:
            variables[key] = FromCaller(value.strip())
    variables["cid"] = FromCaller(call_id)
    return variables

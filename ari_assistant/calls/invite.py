"""What the caller's INVITE says: the dialled URI, who calls, and the X- headers (contract §8)."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from dataclasses import dataclass, field

from ari_assistant.ari.errors import AriRequestError
from ari_assistant.ari.events import ChannelSnapshot
from ari_assistant.ari.resources import Channel
from ari_assistant.dialogue.callers_text import FromCaller
from ari_assistant.dialogue.template import RESERVED
from ari_assistant.media.codec import CODECS, Codec
from ari_assistant.media.g711 import ULAW
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.base import JsonObject

__all__ = ["Invite", "header_variables", "read_invite"]

log = get_logger("calls.invite")

_FROM = re.compile(r'\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<name>[^<"]*?))\s*<(?P<uri>[^>]*)>')
_HEADER_NAME = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_PREFIX_LETTERS = string.ascii_lowercase + string.digits + "_-."
_BUILT_IN = frozenset(name.lower() for name in RESERVED)
_MAX_HEADERS = 100
_MAX_STANDARD = 40
_MAX_LIST_REQUESTS = 400


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
    unreadable: tuple[str, ...] = field(default=())
    """Headers that are there but whose value cannot be carried: not UTF-8, or longer than Asterisk's buffer."""

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
        """See `header_variables`."""
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


async def read_invite(channel: Channel, snapshot: ChannelSnapshot) -> Invite:
    """Read the INVITE of a PJSIP channel through ARI, in two round trips.

    A header that cannot be read is named in `unreadable` and in the log; the call goes on. Raises AriError
    when the channel is gone.
    """
    listed, list_complete = await _header_names(channel)
    names = [name for name in listed if _is_custom(name)]
    others = [name for name in listed if _is_standard(name)][:_MAX_STANDARD]
    reads: list[tuple[str, str]] = []
    seen: dict[str, int] = {}
    for name in names[:_MAX_HEADERS]:
        seen[name.lower()] = seen.get(name.lower(), 0) + 1
        reads.append((name, f"PJSIP_HEADER(read,{name},{seen[name.lower()]})"))
    standard: list[tuple[str, str]] = []
    for name in others:
        seen[name.lower()] = seen.get(name.lower(), 0) + 1
        standard.append((name.lower(), f"PJSIP_HEADER(read,{name},{seen[name.lower()]})"))
    values = await channel.getChannelVars(
        [
            *(expression for _, expression in reads),
            *(expression for _, expression in standard),
            "CHANNEL(pjsip,request_uri)",
            "CHANNEL(audionativeformat)",
            "PJSIP_HEADER(read,From)",
            "PJSIP_HEADER(read,To)",
            "PJSIP_HEADER(read,Call-ID)",
        ]
    )
    headers = tuple((name, values[expression]) for name, expression in reads if expression in values)
    unreadable = tuple(name for name, expression in reads if expression not in values)
    if unreadable or not list_complete or len(names) > _MAX_HEADERS:
        log.warning(
            "headers_unreadable",
            headers=list(unreadable),
            list_complete=list_complete,
            hint="a value must be UTF-8 and at most 4,000 bytes long; at most 100 X- headers are read",
        )
    from_name, from_uri = _name_and_uri(values.get("PJSIP_HEADER(read,From)", ""))
    return Invite(
        request_uri=values.get("CHANNEL(pjsip,request_uri)", f"sip:{snapshot.exten}@localhost"),
        call_id=values.get("PJSIP_HEADER(read,Call-ID)", snapshot.protocol_id),
        from_uri=from_uri or f"sip:{snapshot.caller_number}@invalid",
        from_name=from_name,
        to=values.get("PJSIP_HEADER(read,To)", ""),
        headers=headers,
        standard=tuple((name, values[expression]) for name, expression in standard if expression in values),
        codec=_codec(values.get("CHANNEL(audionativeformat)", "")),
        unreadable=unreadable,
    )


async def _header_names(channel: Channel) -> tuple[list[str], bool]:
    """The names of all headers, and whether the list is complete.

    A header longer than Asterisk's buffer makes the whole list fail. Then the list is asked for in parts,
    by ever longer prefixes, so that only the long header itself is missed; only X- headers are found then.
    """
    try:
        listed = await channel.getChannelVar("PJSIP_HEADERS()")
    except AriRequestError as fault:
        if fault.status == 404:
            raise
    else:
        return [name for name in listed.split(",") if name], True
    found = await _names_below(channel, "X-", budget=[_MAX_LIST_REQUESTS])
    return found, False


def _is_custom(name: str) -> bool:
    return name[:2].lower() == "x-" and _HEADER_NAME.fullmatch(name) is not None


def _is_standard(name: str) -> bool:
    secret = name.lower() in ("authorization", "proxy-authorization")
    return not _is_custom(name) and not secret and _HEADER_NAME.fullmatch(name) is not None


async def _names_below(channel: Channel, prefix: str, *, budget: list[int]) -> list[str]:
    """The names that begin with `prefix`, in parts where the list fails. A list fails when it is empty, too,
    so what is below is looked at only where there is a header beside the long one."""
    names: list[str] = []
    for letter in _PREFIX_LETTERS:
        if budget[0] <= 0:
            break
        budget[0] -= 1
        below = prefix + letter
        try:
            names += (await channel.getChannelVar(f"PJSIP_HEADERS({below})")).split(",")
        except AriRequestError:
            if await _any_readable(channel, below, budget):
                names += await _names_below(channel, below, budget=budget)
    return names


async def _any_readable(channel: Channel, prefix: str, budget: list[int]) -> bool:
    """Is there a header with this prefix whose value fits?"""
    budget[0] -= 2
    reads = [f"PJSIP_HEADER(read,{prefix}*,{number})" for number in (1, 2)]
    found = False
    for read in reads:
        try:
            await channel.getChannelVar(read)
        except AriRequestError:
            continue
        found = True
    return found


def _name_and_uri(text: str) -> tuple[str, str]:
    match = _FROM.match(text)
    if match is None:
        return "", text.partition(";")[0].strip()
    name = match["quoted"] if match["quoted"] is not None else match["name"] or ""
    return re.sub(r"\\(.)", r"\1", name).strip(), match["uri"].strip()


def _codec(native_formats: str) -> Codec:
    """`(g722|ulaw)` → the first of ours in it. Without one Asterisk transcodes to µ-law."""
    for name in native_formats.strip("()").split("|"):
        if name in CODECS:
            return CODECS[name]
    return ULAW

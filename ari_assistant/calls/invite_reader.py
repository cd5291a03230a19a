"""Reading the caller's INVITE from what the dialplan collected of it."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from ari_assistant.ari.events import ChannelSnapshot, StasisStart
from ari_assistant.ari.resources import Channel
from ari_assistant.audio.codec import CODECS, Codec
from ari_assistant.audio.g711 import ULAW
from ari_assistant.reports.invite import Invite
from ari_assistant.telemetry import get_logger

__all__ = ["read_invite"]

log = get_logger("calls.invite")

_FROM = re.compile(r'\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<name>[^<"]*?))\s*<(?P<uri>[^>]*)>')
_SECRET = frozenset({"authorization", "proxy-authorization"})
_MAX_PARTS = 100
_CURE = (
    "take [ari-assistant-invite] of asterisk-conf/extensions.conf over and go through it before Stasis():"
    " Gosub(ari-assistant-invite,s,1), then Stasis(APP,${ARI_ASSISTANT_INVITE}); till then calls have no headers"
)
"""What an own Asterisk with an old dialplan needs."""


async def read_invite(channel: Channel, start: StasisStart) -> Invite:
    """The INVITE as the dialplan collected it before `Stasis()` (`asterisk-conf/extensions.conf`).

    The first part comes with the event; parts beyond it are plain channel variables, one request for all. Nothing
    here asks Asterisk for a SIP header: such a read works on the session from another thread than the channel's,
    and a CANCEL that frees it meanwhile crashes Asterisk. A dialplan that collects nothing is named in the log, and
    the call goes on without headers. Raises AriError when the channel is gone.
    """
    collected = await _collected(channel, start.args)
    if collected is None:
        log.warning("invite_not_collected", channel=start.channel.id, context=start.channel.context, hint=_CURE)
        return _bare(start.channel)
    found = dict(collected)
    if "@incomplete" in found:  # then names were tried, and what is not there is empty
        collected = [item for item in collected if item[1] or _is_custom(item[0])]
        log.warning(
            "headers_unreadable",
            source=found.get("@source", ""),
            hint="a header is longer than 4,000 bytes or its name than 128, or there are too many to list"
            " (an Asterisk before 20.5 lists X- headers only)",
        )
    headers = [(name, value) for name, value in collected if not name.startswith("@")]
    standard = [(name.lower(), value) for name, value in headers if not _is_custom(name)]
    first = dict(reversed(standard))
    from_name, from_uri = _name_and_uri(first.get("from", ""))
    return Invite(
        request_uri=found.get("@uri") or f"sip:{start.channel.exten}@localhost",
        call_id=first.get("call-id", start.channel.protocol_id),
        from_uri=from_uri or f"sip:{start.channel.caller_number}@invalid",
        from_name=from_name,
        to=first.get("to", ""),
        headers=tuple((name, value) for name, value in headers if _is_custom(name)),
        standard=tuple(item for item in standard if item[0] not in _SECRET),
        codec=_codec(found.get("@formats", "")),
        source=found.get("@source", ""),
    )


async def _collected(channel: Channel, args: tuple[str, ...]) -> list[tuple[str, str]] | None:
    """Names and values in their order, None when there are none. What is no header has a name with `@`."""
    if len(args) != 2 or not args[0].isdecimal():
        return None
    further = [f"ARI_ASSISTANT_INVITE_{number}" for number in range(2, min(int(args[0]), _MAX_PARTS) + 1)]
    parts = await channel.getChannelVars(further)
    pieces: list[tuple[str, bytearray]] = []
    for text in (args[1], *(parts.get(name, "") for name in further)):
        for item in filter(None, text.split("&")):
            name, _, value = item.partition("=")
            decoded = unquote_to_bytes(unquote_to_bytes(value))
            if name:
                pieces.append((name, bytearray(decoded)))
            elif pieces:  # the value goes on
                pieces[-1][1].extend(decoded)
    return [(name, _text(bytes(value))) for name, value in pieces]


def _text(value: bytes) -> str:
    """SIP says UTF-8; what is not is taken for Latin-1, as old equipment writes it."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _bare(snapshot: ChannelSnapshot) -> Invite:
    """What Asterisk tells of every caller, without the INVITE."""
    return Invite(
        request_uri=f"sip:{snapshot.exten}@localhost",
        call_id=snapshot.protocol_id,
        from_uri=f"sip:{snapshot.caller_number}@invalid",
        from_name=snapshot.caller_name,
        to="",
    )


def _is_custom(name: str) -> bool:
    return name[:2].lower() == "x-"


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

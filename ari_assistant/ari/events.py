"""ARI events: the ones we act on, typed; any other as `AriEvent`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = [
    "AriEvent",
    "ChannelDestroyed",
    "ChannelDtmfReceived",
    "ChannelHangupRequest",
    "ChannelSnapshot",
    "StasisEnd",
    "StasisStart",
    "parse_event",
]


@dataclass(frozen=True, slots=True)
class ChannelSnapshot:
    """A channel as an event shows it."""

    id: str
    name: str
    state: str
    """`Down`, `Ring`, `Ringing`, `Up`, …"""
    protocol_id: str
    """The SIP Call-ID on PJSIP channels; empty on others, and where Asterisk does not tell it."""
    caller_name: str
    caller_number: str
    exten: str
    """What was dialled: the user part of the Request-URI."""
    context: str
    """Where in the dialplan it is."""

    @classmethod
    def of(cls, data: dict[str, Any]) -> ChannelSnapshot:
        """Read the `channel` object of an event or a reply."""
        caller, dialplan = data.get("caller") or {}, data.get("dialplan") or {}
        return cls(
            id=data["id"],
            name=data.get("name", ""),
            state=data.get("state", ""),
            protocol_id=data.get("protocol_id", ""),
            caller_name=caller.get("name", ""),
            caller_number=caller.get("number", ""),
            exten=dialplan.get("exten", ""),
            context=dialplan.get("context", ""),
        )


@dataclass(frozen=True, slots=True)
class AriEvent:
    """Any event. `data` is the JSON object as it came; the channel of a `Dial` is the one that is dialled."""

    type: str
    data: dict[str, Any]
    channel: ChannelSnapshot | None


@dataclass(frozen=True, slots=True)
class StasisStart(AriEvent):
    """A channel entered our application."""

    channel: ChannelSnapshot
    args: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StasisEnd(AriEvent):
    """A channel left our application: it was hung up, or went on in the dialplan."""

    channel: ChannelSnapshot


@dataclass(frozen=True, slots=True)
class ChannelHangupRequest(AriEvent):
    """A channel is to be hung up. `cause` is the Q.850 cause, where there is one."""

    channel: ChannelSnapshot
    cause: int | None


@dataclass(frozen=True, slots=True)
class ChannelDestroyed(AriEvent):
    """A channel is gone."""

    channel: ChannelSnapshot
    cause: int | None


@dataclass(frozen=True, slots=True)
class ChannelDtmfReceived(AriEvent):
    """A key was released."""

    channel: ChannelSnapshot
    digit: str
    duration_ms: int


def parse_event(data: dict[str, Any]) -> AriEvent:
    """The typed event. Raises ValueError or KeyError when required fields are missing."""
    kind = data["type"]
    if not isinstance(kind, str):
        raise ValueError("an event's type is not a string")  # noqa: TRY004 - malformed input, not misuse
    about = data.get("peer" if kind == "Dial" else "channel")
    channel = ChannelSnapshot.of(about) if about is not None else None
    if channel is not None:
        if kind == "StasisStart":
            return StasisStart(kind, data, channel, tuple(data.get("args", ())))
        if kind == "StasisEnd":
            return StasisEnd(kind, data, channel)
        if kind == "ChannelHangupRequest":
            return ChannelHangupRequest(kind, data, channel, data.get("cause"))
        if kind == "ChannelDestroyed":
            return ChannelDestroyed(kind, data, channel, data.get("cause"))
        if kind == "ChannelDtmfReceived":
            return ChannelDtmfReceived(kind, data, channel, data["digit"], int(data.get("duration_ms", 0)))
    return AriEvent(kind, data, channel)

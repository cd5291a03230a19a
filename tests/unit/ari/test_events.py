from __future__ import annotations

from typing import Any

import pytest

from ari_assistant.ari.events import (
    AriEvent,
    ChannelDestroyed,
    ChannelDtmfReceived,
    ChannelHangupRequest,
    StasisEnd,
    StasisStart,
    parse_event,
)

CHANNEL = {
    "id": "c1",
    "name": "PJSIP/caller-1",
    "state": "Ring",
    "protocol_id": "abc@host",
    "caller": {"name": "Mary", "number": "100"},
    "dialplan": {"exten": "desk", "context": "public"},
}


def event(kind: str, **fields: Any) -> AriEvent:
    return parse_event({"type": kind, "channel": CHANNEL, **fields})


def test_a_channel_is_read_as_the_event_shows_it() -> None:
    channel = event("StasisEnd").channel
    assert channel is not None
    assert (channel.id, channel.state, channel.protocol_id) == ("c1", "Ring", "abc@host")
    assert (channel.caller_name, channel.caller_number) == ("Mary", "100")
    assert (channel.exten, channel.context) == ("desk", "public")


def test_what_an_older_asterisk_does_not_tell_is_empty() -> None:
    channel = parse_event({"type": "StasisEnd", "channel": {"id": "c1"}}).channel
    assert channel is not None
    assert (channel.protocol_id, channel.caller_number, channel.exten) == ("", "", "")


def test_the_events_that_calls_act_on_are_typed() -> None:
    start = event("StasisStart", args=["inbound", "x"])
    assert isinstance(start, StasisStart)
    assert start.args == ("inbound", "x")
    assert isinstance(event("StasisEnd"), StasisEnd)
    hangup = event("ChannelHangupRequest", cause=17)
    assert isinstance(hangup, ChannelHangupRequest)
    assert hangup.cause == 17
    destroyed = event("ChannelDestroyed")
    assert isinstance(destroyed, ChannelDestroyed)
    assert destroyed.cause is None
    key = event("ChannelDtmfReceived", digit="#", duration_ms=120)
    assert isinstance(key, ChannelDtmfReceived)
    assert (key.digit, key.duration_ms) == ("#", 120)


def test_the_channel_of_a_dial_is_the_one_that_is_dialled() -> None:
    dial = parse_event({"type": "Dial", "caller": {"id": "a"}, "peer": {"id": "b"}, "dialstatus": "BUSY"})
    assert dial.channel is not None
    assert dial.channel.id == "b"
    assert dial.data["dialstatus"] == "BUSY"


def test_any_other_event_keeps_what_it_said() -> None:
    other = parse_event({"type": "BridgeCreated", "bridge": {"id": "b"}})
    assert (other.type, other.channel, other.data["bridge"]) == ("BridgeCreated", None, {"id": "b"})


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"type": 3},
        {"type": "StasisStart", "channel": {}},
        {"type": "ChannelDtmfReceived", "channel": {"id": "c"}},
    ],
)
def test_what_lacks_what_it_must_have_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises((KeyError, ValueError)):
        parse_event(data)

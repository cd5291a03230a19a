from __future__ import annotations

from typing import Any
from urllib.parse import quote

import structlog

from ari_assistant.ari.errors import AriRequestError
from ari_assistant.ari.events import ChannelSnapshot, StasisStart
from ari_assistant.ari.resources import Channel
from ari_assistant.audio.codec import CODECS
from ari_assistant.audio.g711 import ULAW
from ari_assistant.calls.invite_reader import read_invite

SNAPSHOT = ChannelSnapshot("c1", "PJSIP/anonymous-1", "Ring", "cid-1", "Bob", "100", "desk", "from-sip")


class ScriptedChannel(Channel):
    """Answers plain variables from a dictionary; what is not in it is an error, as in Asterisk."""

    def __init__(self, values: dict[str, str]) -> None:
        async def request(method: str, path: str, **parameters: Any) -> Any:
            if path.endswith("variables"):
                raise AriRequestError("GET", 404, "not in this Asterisk")
            self.asked.append(parameters["variable"])
            if parameters["variable"] in values:
                return {"value": values[parameters["variable"]]}
            raise AriRequestError("GET", 404, "Provided variable was not found")

        super().__init__(request, "c1")
        self.asked: list[str] = []


def start(*args: str) -> StasisStart:
    return StasisStart("StasisStart", {}, SNAPSHOT, args)


def part(*pairs: tuple[str, str | bytes]) -> str:
    """As the dialplan writes it: % and : first, then all of it."""
    return "&".join(f"{name}={quote(quote(value, safe='()'), safe='()')}" for name, value in pairs)


async def test_an_invite_comes_with_the_event_and_nothing_is_asked() -> None:
    channel = ScriptedChannel({})
    text = part(
        ("@uri", "sip:desk@h;x=y"),
        ("@source", "192.0.2.7:5062"),
        ("@formats", "(g722|alaw|ulaw)"),
        ("From", '"Bob \\"B\\" B" <sip:bob@h:5070;a=b>;tag=1'),
        ("To", "<sip:desk@h>"),
        ("Call-ID", "cid-2"),
        ("X-First_Name", "John"),
        ("x-Twice", "one"),
        ("X-TWICE", "two"),
        ("Authorization", "Digest secret"),
    )
    invite = await read_invite(channel, start("1", text))
    assert channel.asked == []
    assert invite.request_uri == "sip:desk@h;x=y"
    assert invite.source == "192.0.2.7:5062"
    assert invite.codec is CODECS["g722"], "the caller's own, wide where they offer it"
    assert invite.customer == {"number": "bob", "sipUri": "sip:bob@h:5070;a=b", "name": 'Bob "B" B'}
    assert invite.variables == {"first_name": "John", "twice": "two", "cid": "cid-2"}
    assert [name for name, _ in invite.standard] == ["from", "to", "call-id"]


async def test_further_parts_are_plain_variables_and_a_value_may_go_on_in_them() -> None:
    channel = ScriptedChannel({"ARI_ASSISTANT_INVITE_2": "&=" + part(("", "%:)("))[1:] + "&X-After=here"})
    invite = await read_invite(channel, start("2", part(("X-Big", "y:"))))
    assert channel.asked == ["ARI_ASSISTANT_INVITE_2"]
    assert invite.variables == {"big": "y:%:)(", "after": "here", "cid": "cid-1"}


async def test_bytes_that_are_not_utf8_are_latin_1() -> None:
    invite = await read_invite(ScriptedChannel({}), start("1", part(("X-A", b"caf\xe9"), ("X-B", "Zo\u00eb"))))
    assert invite.variables == {"a": "caf\u00e9", "b": "Zo\u00eb", "cid": "cid-1"}


async def test_what_could_not_be_listed_is_told_and_the_call_goes_on(
    log_lines: list[structlog.types.EventDict],
) -> None:
    text = part(("From", "<sip:a@b>"), ("Diversion", ""), ("X-Empty", ""), ("@incomplete", "1"))
    invite = await read_invite(ScriptedChannel({}), start("1", text))
    assert [line["event"] for line in log_lines] == ["headers_unreadable"]
    assert invite.standard == (("from", "<sip:a@b>"),), "one that was tried and is not there"
    assert invite.variables == {"empty": "", "cid": "cid-1"}


async def test_a_dialplan_that_collects_nothing_is_named_and_the_call_goes_on(
    log_lines: list[structlog.types.EventDict],
) -> None:
    channel = ScriptedChannel({})
    for args in ((), ("desk",), ("desk", "x")):
        invite = await read_invite(channel, start(*args))
        assert invite.request_uri == "sip:desk@localhost"
        assert invite.customer == {"number": "100", "sipUri": "sip:100@invalid", "name": "Bob"}
        assert invite.codec is ULAW
        assert invite.variables == {"cid": "cid-1"}
    assert {line["event"] for line in log_lines} == {"invite_not_collected"}
    assert "Gosub(ari-assistant-invite,s,1)" in log_lines[0]["hint"]
    assert channel.asked == [], "a SIP header is never asked for through ARI"

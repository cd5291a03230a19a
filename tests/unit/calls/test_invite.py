from __future__ import annotations

from typing import Any

from ari_assistant.ari.errors import AriRequestError
from ari_assistant.ari.events import ChannelSnapshot
from ari_assistant.ari.resources import Channel
from ari_assistant.calls.invite import header_variables, read_invite
from ari_assistant.media.codec import CODECS
from ari_assistant.media.g711 import ULAW

SNAPSHOT = ChannelSnapshot("c1", "PJSIP/anonymous-1", "Ring", "cid-1", "", "100", "desk")


class ScriptedChannel(Channel):
    """Answers variables from a dictionary; what is not in it is an error, as in Asterisk."""

    def __init__(self, values: dict[str, str]) -> None:
        async def request(method: str, path: str, **parameters: Any) -> Any:
            if path.endswith("variables"):
                names = parameters["variables"].split(",PJSIP")
                raise AriRequestError("GET", 500, f"{len(names)} at once: not in this Asterisk")
            self.asked.append(parameters["variable"])
            if parameters["variable"] in values:
                return {"value": values[parameters["variable"]]}
            raise AriRequestError("GET", 500, "Unable to read provided function")

        super().__init__(request, "c1")
        self.asked: list[str] = []


async def test_an_invite_is_read() -> None:
    channel = ScriptedChannel(
        {
            "PJSIP_HEADERS()": "Via,From,X-First_Name,x-Twice,X-TWICE,Content-Length",
            "PJSIP_HEADER(read,X-First_Name,1)": "John",
            "PJSIP_HEADER(read,x-Twice,1)": "one",
            "PJSIP_HEADER(read,X-TWICE,2)": "two",
            "CHANNEL(pjsip,request_uri)": "sip:desk@h;x=y",
            "CHANNEL(audionativeformat)": "(g722|alaw|ulaw)",
            "PJSIP_HEADER(read,From)": '"Bob \\"B\\" B" <sip:bob@h:5070;a=b>;tag=1',
            "PJSIP_HEADER(read,To)": "<sip:desk@h>",
            "PJSIP_HEADER(read,Call-ID)": "cid-1",
        }
    )
    invite = await read_invite(channel, SNAPSHOT)
    assert invite.request_uri == "sip:desk@h;x=y"
    assert invite.codec is CODECS["g722"], "the caller's own, wide where they offer it"
    assert invite.customer == {"number": "bob", "sipUri": "sip:bob@h:5070;a=b", "name": 'Bob "B" B'}
    assert invite.variables == {"first_name": "John", "twice": "two", "cid": "cid-1"}
    assert invite.unreadable == ()


async def test_what_cannot_be_read_is_named_and_the_call_goes_on() -> None:
    channel = ScriptedChannel({"PJSIP_HEADERS()": "X-Bad,X-Good", "PJSIP_HEADER(read,X-Good,1)": "yes"})
    invite = await read_invite(channel, SNAPSHOT)
    assert invite.unreadable == ("X-Bad",)
    assert invite.variables == {"good": "yes", "cid": "cid-1"}
    assert invite.codec is ULAW
    assert invite.request_uri == "sip:desk@localhost"


async def test_a_list_that_fails_is_asked_for_in_parts() -> None:
    channel = ScriptedChannel(
        {
            "PJSIP_HEADERS(X-a)": "X-After",
            "PJSIP_HEADER(read,X-b*,2)": "too",
            "PJSIP_HEADERS(X-bi)": "X-Bit",
            "PJSIP_HEADER(read,X-After,1)": "here",
            "PJSIP_HEADER(read,X-Bit,1)": "too",
        }
    )
    invite = await read_invite(channel, SNAPSHOT)
    assert invite.variables == {"after": "here", "bit": "too", "cid": "cid-1"}


def test_header_rules() -> None:
    headers = [("X-FIRST_Name", " John "), ("x-our-Call-ID", "42"), ("Y-No", "1"), ("X-", "1"), ("X-Call", "evil")]
    assert header_variables(headers, call_id="c") == {"first_name": "John", "our-call-id": "42", "cid": "c"}

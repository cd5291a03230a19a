"""What an INVITE says of its caller, and what of it templates may name."""

from __future__ import annotations

from ari_assistant.dialogue.callers_text import FromCaller
from ari_assistant.reports.invite import Invite, header_variables

INVITE = Invite(
    "sip:desk@h:5060;x=y",
    "sip-1",
    "sip:+4930@h;tag=1",
    'Ada "B"',
    "<sip:desk@h>",
    headers=(("X-A", "1"), ("X-A", "2")),
    standard=(("from", "<sip:+4930@h>"), ("diversion", "x")),
)


def test_header_rules() -> None:
    headers = [("X-FIRST_Name", " John "), ("x-our-Call-ID", "42"), ("Y-No", "1"), ("X-", "1"), ("X-Call", "evil")]
    assert header_variables(headers, call_id="c") == {"first_name": "John", "our-call-id": "42", "cid": "c"}
    assert all(isinstance(value, FromCaller) for value in header_variables(headers, call_id="c").values())


def test_the_caller_is_the_user_part_of_from() -> None:
    assert INVITE.caller_number == "+4930"
    assert INVITE.customer["sipUri"] == "sip:+4930@h;tag=1"
    assert "name" not in Invite("sip:a@h", "c", "sip:b@h", "", "").customer


def test_the_details_show_the_invite_with_repeated_headers_joined_and_what_it_must_have() -> None:
    details = INVITE.details
    assert (details["uri"], details["dialedUser"]) == ("sip:desk@h:5060;x=y", "desk")
    assert details["headers"] == {
        "from": "<sip:+4930@h>",
        "diversion": "x",
        "X-A": "1, 2",
        "to": "<sip:desk@h>",
        "call-id": "sip-1",
    }

from __future__ import annotations

import re

import pytest

from ari_assistant.calls.sip_authentication import GuardedNumber, endpoint_fields, is_authenticated, uri_pattern
from ari_assistant.vapi.phone_number import PhoneNumber

LOGIN = {"username": "a-user-with-a-long-name", "password": "correct-horse-battery-staple"}


def number(**authentication: str) -> PhoneNumber:
    body = {"provider": "vapi", "sipUri": "sip:Front_Desk@b"}
    return PhoneNumber.model_validate(
        body | ({"authentication": LOGIN | authentication} if authentication else {})
    )


def guarded(**authentication: str) -> GuardedNumber:
    found = GuardedNumber.of(number(**authentication))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("uri", "fits"),
    [
        ("sip:front.desk+1@192.0.2.1:5060", True),
        ("SIPS:FRONT.DESK+1@host;transport=tcp", True),
        ("<sip:front.desk+1@host>", True),
        ("sip:front.desk+1:secret@host", True),
        ("sip:frontxdesk+1@host", False),
        ("sip:front.desk+11@host", False),
        ("sip:a.front.desk+1@host", False),
    ],
)
def test_the_pattern_fits_the_user_in_any_letter_case_and_no_other(uri: str, fits: bool) -> None:
    pattern = uri_pattern("front.desk+1")
    assert pattern[0] == pattern[-1] == "/"
    assert (re.search(pattern[1:-1], uri) is not None) is fits


def test_only_the_numbers_own_endpoint_is_good_enough() -> None:
    wanted = number(realm="voice.example")
    name = guarded(realm="voice.example").endpoint_id("app")
    assert is_authenticated(wanted, f"PJSIP/{name}-00000001", "app")
    assert not is_authenticated(wanted, "PJSIP/anonymous-00000001", "app")
    assert not is_authenticated(wanted, f"PJSIP/{name}x-00000001", "app")
    assert is_authenticated(number(), "PJSIP/anonymous-00000001", "app")
    assert guarded(password="another-password-of-20").endpoint_id("app") != name, (
        "old credentials are never enough"
    )


def test_asterisk_is_told_whom_to_challenge_and_with_what() -> None:
    fields = endpoint_fields(guarded(realm="voice.example"), "192.0.2.2", app="app")
    assert list(fields) == ["auth", "endpoint", "identify"], "each needs the one before it"
    assert fields["auth"] == {"auth_type": "userpass", "realm": "voice.example", **LOGIN}
    assert fields["endpoint"]["context"] == "from-sip"
    assert fields["endpoint"]["auth"] == fields["identify"]["endpoint"]
    assert fields["endpoint"]["media_address"] == "192.0.2.2"

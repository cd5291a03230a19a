from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ari_assistant.vapi.base import call_id, iso
from ari_assistant.vapi.overrides import merge_overrides
from ari_assistant.vapi.server import normalise_server
from ari_assistant.vapi.server_message import envelope, wants
from ari_assistant.vapi.sip_uri import SipUri


@pytest.mark.parametrize(
    ("given", "server", "url"),
    [
        ({"serverUrl": "http://a"}, {"url": "http://a"}, "http://a"),
        ({"server": {"url": "http://a"}}, {"url": "http://a"}, "http://a"),
        ({"serverUrl": "http://a", "serverUrlSecret": "s"}, {"url": "http://a", "secret": "s"}, "http://a"),
        (
            {"server": {"url": "http://old", "timeoutSeconds": 5}, "serverUrl": "http://new"},
            {"url": "http://new", "timeoutSeconds": 5},
            "http://new",
        ),
        ({"server": {"url": "http://a"}, "serverUrl": None}, None, None),
        ({"server": None}, None, None),
    ],
)
def test_both_spellings_of_the_server_are_one(
    given: dict[str, Any], server: dict[str, Any] | None, url: str | None
) -> None:
    document = normalise_server(given)
    assert document["server"] == server
    assert document["serverUrl"] == url


def test_a_document_without_a_server_stays_without() -> None:
    assert normalise_server({"name": "x"}) == {"name": "x"}


def test_overrides_replace_fields_but_only_the_named_keys_of_a_model_of_the_same_provider() -> None:
    assistant = {
        "name": "A",
        "firstMessage": "Hi",
        "model": {"provider": "openai", "model": "m", "temperature": 0.5},
        "variableValues": {"a": 1, "b": 1},
    }
    overrides = {
        "firstMessage": None,
        "model": {"provider": "openai", "model": "n"},
        "variableValues": {"b": 2},
        "tools:append": [{"type": "endCall"}],
    }
    assert merge_overrides(assistant, overrides) == {
        "name": "A",
        "firstMessage": None,
        "model": {"provider": "openai", "model": "n", "temperature": 0.5, "tools": [{"type": "endCall"}]},
        "variableValues": {"a": 1, "b": 2},
    }
    other = merge_overrides(assistant, {"model": {"provider": "groq", "model": "n"}})
    assert other["model"] == {"provider": "groq", "model": "n"}
    assert assistant["firstMessage"] == "Hi"


def test_call_ids_are_ordered_by_time_and_are_uuids_of_version_7() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    ids = [call_id(now + timedelta(milliseconds=n)) for n in range(50)]
    assert ids == sorted(ids)
    assert all(value[14] == "7" and value[19] in "89ab" for value in ids)


def test_times_have_milliseconds_and_a_z() -> None:
    assert iso(datetime(2026, 1, 2, 3, 4, 5, 678_900, UTC)) == "2026-01-02T03:04:05.678Z"


def test_the_host_of_a_sip_uri_may_be_an_ipv6_address() -> None:
    uri = SipUri.parse("<sip:Bob@[2001:DB8::1]:5070;transport=tcp>")
    assert (uri.user, uri.host) == ("bob", "2001:db8::1")
    assert str(uri) == "sip:bob@[2001:db8::1]"


def test_messages_are_selected_by_default_and_by_the_list() -> None:
    assert wants(None, "status-update")
    assert not wants(None, "transcript")
    assert not wants([], "status-update")
    assert wants(["transcript"], "transcript")
    body = envelope("hang", timestamp_ms=5, call={"id": "c"}, artifact=None)
    assert body == {"message": {"type": "hang", "timestamp": 5, "call": {"id": "c"}}}

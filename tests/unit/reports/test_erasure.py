"""Who hears that a call's data was erased."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from ari_assistant.reports.erasure import erasure_message
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.server import Server
from tests.support.telephony import Office

ORGS = Server(url="http://org.example")
WANTS = {"serverMessages": ["call.deleted"]}


def office(folder: Path, **assistant: Any) -> Office:
    return Office(folder, {}, assistants={"a1": assistant})


async def told(office: Office, call: JsonObject, org: Server | None = ORGS) -> list[JsonObject] | None:
    catalogue, sender = cast(Any, office.services.catalogue), cast(Any, office.sender)
    outbox = await erasure_message(catalogue, sender, org, "call.deleted", {"id": "call-1", **call})
    if outbox is None:
        return None
    await outbox.run()
    return office.sender.delivered


async def test_the_server_of_the_calls_assistant_hears_of_it_and_of_nothing_more(tmp_path: Path) -> None:
    (message,) = await told(office(tmp_path, **WANTS), {"assistantId": "a1"}) or []
    assert (message["type"], message["call"]["id"]) == ("call.deleted", "call-1")


async def test_a_transient_assistant_is_the_one_that_the_call_holds(tmp_path: Path) -> None:
    assert await told(office(tmp_path), {"assistant": WANTS})


@pytest.mark.parametrize(
    ("call", "org"),
    [
        ({"assistantId": "a1"}, None),
        ({"assistantId": "gone"}, ORGS),
        ({"assistant": {"serverMessages": "broken"}}, ORGS),
    ],
)
async def test_without_anybody_who_wants_it_nothing_is_sent(
    tmp_path: Path, call: JsonObject, org: Server | None
) -> None:
    assert await told(office(tmp_path, **WANTS), call, org) is None

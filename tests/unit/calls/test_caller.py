"""Where the caller's channel is: with us, with a REFER, or gone."""

from __future__ import annotations

from typing import Any

import pytest

from ari_assistant.ari.events import AriEvent, parse_event
from ari_assistant.calls.caller import Caller
from tests.support.telephony import CALLER, FakeAsterisk


def event(kind: str, **more: Any) -> AriEvent:
    return parse_event({"type": kind, "channel": {"id": CALLER}, **more})


@pytest.fixture
def caller() -> Caller:
    return Caller(FakeAsterisk().channels.get(CALLER))


@pytest.mark.parametrize(
    ("kind", "here", "referred"),
    [
        ("StasisEnd", True, False),
        ("ChannelDestroyed", True, True),
        ("ChannelHangupRequest", False, True),
        ("ChannelVarset", False, False),
    ],
)
def test_what_means_that_they_have_left_depends_on_where_they_are(
    caller: Caller, kind: str, here: bool, referred: bool
) -> None:
    with caller.referred({}):
        assert caller.leaves_with(event(kind)) is referred
    assert caller.is_up is not referred
    again = Caller(caller.channel)
    assert again.leaves_with(event(kind)) is here
    assert again.gone.is_set() is here


def test_a_transfer_that_has_worked_is_known_however_soon_they_leave(caller: Caller) -> None:
    transfer: dict[str, str] = {}
    told = event("ChannelVarset", variable="TRANSFERSTATUS", value="SUCCESS")
    caller.leaves_with(told)
    assert transfer == {}
    with caller.referred(transfer):
        caller.leaves_with(event("ChannelVarset", variable="TRANSFERSTATUS", value="FAILURE"))
        assert transfer == {}
        caller.leaves_with(told)
    assert transfer == {"status": "completed"}


async def test_who_is_hung_up_is_not_hung_up_again(caller: Caller) -> None:
    await caller.hang_up(reason_code=21)
    assert not caller.is_up
    assert not caller.gone.is_set(), "that is told by Asterisk"

"""Who enters the application, and what becomes of them; what is left in Asterisk that no call owns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from ari_assistant.ari.events import AriEvent, StasisStart, parse_event
from ari_assistant.calls.admission import Load
from ari_assistant.calls.live import LiveCalls
from ari_assistant.calls.outbound import CallRefused
from ari_assistant.calls.transfer import REFER_CONTEXT
from ari_assistant.vapi.call import CreateCall, Customer
from tests.support.telephony import CALLER, Office, invite_start

ANSWER = f"POST channels/{CALLER}/answer"


def enters(channel_id: str, *, name: str = "PJSIP/a-1", context: str = "", args: tuple[str, ...] = ()) -> AriEvent:
    channel = {"id": channel_id, "name": name, "state": "Up", "dialplan": {"context": context}}
    return parse_event({"type": "StasisStart", "args": list(args), "channel": channel})


class Serving:
    """A server's calls."""

    def __init__(self, folder: Path) -> None:
        number = {"server": {"url": "http://s.example"}, "assistantId": "a1"}
        self.office = Office(folder, number, assistants={"a1": {}})
        self.asterisk = self.office.asterisk
        self.live = LiveCalls(self.office.services)

    def deleted(self) -> list[str]:
        return [name.removeprefix("DELETE ") for name in self.asterisk.asked if name.startswith("DELETE")]

    async def talks(self) -> None:
        start = invite_start()
        start.data["channel"].setdefault("dialplan", {})
        self.live.stasis_started(start)
        await self.asterisk.wait_for(ANSWER)
        await self.office.sessions[-1].running.wait()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[Serving, None]:
    house = Serving(tmp_path)
    yield house
    await house.live.aclose()
    await house.office.background.done()


async def test_a_caller_is_served_until_the_server_stops_and_nobody_after_that(house: Serving) -> None:
    await house.talks()
    assert (len(house.live), house.office.admission.calls) == (1, 1)
    await house.live.aclose()
    assert (len(house.live), house.office.admission.calls) == (0, 0)
    await house.office.background.done()
    assert house.office.stored["endedReason"] == "worker-shutdown"
    house.live.stasis_started(enters("late"))
    await house.office.background.done()
    assert house.asterisk.parameters("DELETE channels/late") == {"reason_code": "34"}


async def test_a_caller_who_is_back_from_a_refer_that_nobody_waits_for_is_hung_up(
    house: Serving, log_lines: list[Any]
) -> None:
    house.live.stasis_started(enters("c9", context=REFER_CONTEXT, args=("FAILED", "603")))
    await house.office.background.done()
    assert house.deleted() == ["channels/c9"]
    assert [line["event"] for line in log_lines] == ["refer_without_a_call"]


@pytest.mark.parametrize(
    "event",
    [
        enters("l1", name="Local/x@y-1;1"),
        enters("l2", args=("dialled",)),
        enters("aa-em-other.call-1"),
    ],
)
async def test_what_is_no_caller_goes_on_in_the_dialplan(house: Serving, event: StasisStart) -> None:
    house.live.stasis_started(event)
    await house.office.background.done()
    assert house.asterisk.asked == [f"POST channels/{event.channel.id}/continue"]
    assert len(house.live) == 0


async def test_what_this_server_made_is_waited_for_by_its_call(house: Serving) -> None:
    house.live.stasis_started(enters("aa-em-app.call-1"))
    assert house.asterisk.asked == []


async def test_a_reconnect_ends_calls_that_asterisk_has_forgotten_and_sweeps_what_no_call_owns(
    house: Serving,
) -> None:
    await house.talks()
    bridge = next(iter(house.live._calls)).bridge_id
    gone = [{"id": "aa-em-app.old"}, {"id": "aa-em-other.theirs"}, {"id": "stuck"}]
    house.asterisk.replies["GET channels"] = gone
    house.asterisk.replies["GET applications/app"] = {"channel_ids": ["stuck"]}
    bridges = [{"id": bridge}, {"id": "aa-br-app.old"}, {"id": "aa-br-other.theirs"}]
    house.asterisk.replies["GET bridges"] = bridges
    await house.live.reconcile()
    assert sorted(house.deleted()[:3]) == ["bridges/aa-br-app.old", "channels/aa-em-app.old", "channels/stuck"]
    await house.live.aclose()
    await house.office.background.done()
    assert house.office.stored["endedReason"] == "call.in-progress.sip-completed-call"


async def test_a_reconnect_leaves_a_call_alone_that_is_still_there(house: Serving) -> None:
    await house.talks()
    (call,) = house.live._calls
    house.asterisk.replies["GET channels"] = [{"id": name} for name in call.owned_channels]
    house.asterisk.replies["GET applications/app"] = {"channel_ids": sorted(call.owned_channels)}
    house.asterisk.replies["GET bridges"] = [{"id": call.bridge_id}]
    await house.live.reconcile()
    assert len(house.live) == 1
    assert house.deleted() == []


async def test_a_call_can_be_placed_unless_the_server_stops_or_is_full(house: Serving) -> None:
    body = CreateCall.model_validate(
        {"assistantId": "a1", "phoneNumberId": "n1", "customer": {"sipUri": "sip:a@b"}}
    )
    customer = Customer.model_validate({"sipUri": "sip:a@b"})
    placed = await house.live.place(body, customer)
    assert placed["status"] == "queued"
    await house.asterisk.wait_for(f"POST channels/aa-call-app.{placed['id']}")
    house.office.admission.calls = 2
    for second in range(4):
        house.office.admission.observe(Load(server_late_ms=900), now=second)
    with pytest.raises(CallRefused, match="lags"):
        await house.live.place(body, customer)
    await house.live.aclose()
    with pytest.raises(CallRefused, match="stopping"):
        await house.live.place(body, customer)


async def test_a_call_that_is_placed_while_the_server_stops_is_ended_like_the_others(house: Serving) -> None:
    body = CreateCall.model_validate(
        {"assistantId": "a1", "phoneNumberId": "n1", "customer": {"sipUri": "sip:a@b"}}
    )
    house.office.calls.held = asyncio.Event()
    placing = asyncio.create_task(house.live.place(body, Customer.model_validate({"sipUri": "sip:a@b"})))
    await house.office.calls.waiting.wait()
    closing = asyncio.create_task(house.live.aclose())
    await asyncio.wait({closing})
    house.office.calls.held.set()
    with pytest.raises(CallRefused, match="stopping"):
        await placing
    assert len(house.live) == 0
    await house.office.background.done()
    assert house.office.stored["status"] == "ended"
    assert not [name for name in house.asterisk.asked if name.startswith("POST channels/aa-call")]

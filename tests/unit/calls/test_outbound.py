"""A customer who is dialled, without Asterisk."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ari_assistant.calls.outbound import CallRefused, OutboundCall, ending_of_cause
from ari_assistant.conversation.ending import ASSISTANT_ENDED, SHUTDOWN
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.call import CreateCall, Customer
from tests.support.telephony import Office

CUSTOMER = {"sipUri": "sip:ada@phone.example", "name": "Ada"}


class Order:
    """One call that a program has ordered."""

    def __init__(self, folder: Path) -> None:
        number = {"server": {"url": "http://server.example"}, "name": "Desk"}
        self.office = Office(folder, number, assistants={"a1": {"name": "Bob"}})
        self.asterisk = self.office.asterisk

    async def placed(self, customer: JsonObject = CUSTOMER, **body: Any) -> OutboundCall:
        given = {"assistantId": "a1", "phoneNumberId": "n1", "customer": customer, **body}
        self.call = await OutboundCall.create(
            self.office.services, CreateCall.model_validate(given), Customer.model_validate(customer)
        )
        return self.call

    async def rings(self, **body: Any) -> asyncio.Task[None]:
        await self.placed(**body)
        serving = asyncio.create_task(self.call.run())
        await self.asterisk.wait_for(self.dial)
        return serving

    @property
    def dial(self) -> str:
        return f"POST channels/{self.call.channel_id}"

    def statuses(self) -> list[str]:
        return [message["status"] for message in self.office.sender.of("status-update")]


@pytest.fixture
def order(tmp_path: Path) -> Order:
    return Order(tmp_path)


async def test_who_asks_for_the_call_at_once_finds_it_queued(order: Order) -> None:
    call = await order.placed(name="Reminder")
    assert order.office.stored == call.record.wire()
    assert (order.office.stored["status"], order.office.stored["name"]) == ("queued", "Reminder")
    assert not call.has_channel
    call.end(SHUTDOWN)
    await call.run()
    await order.office.background.done()


async def test_the_customer_is_dialled_and_talked_with_when_they_answer(order: Order) -> None:
    overrides = {"variableValues": {"who": "Ada"}}
    serving = await order.rings(assistantOverrides=overrides, transport={"dialTimeout": 20})
    dialled = order.asterisk.parameters(order.dial)
    assert (dialled["endpoint"], dialled["timeout"]) == ("PJSIP/outbound/sip:ada@phone.example", "20")
    assert dialled["callerId"] == '"Desk" <desk>'
    order.asterisk.tell("StasisStart", order.call.channel_id, state="Up", args=["dialled"])
    await order.asterisk.wait_for(f"POST channels/{order.call.channel_id}/answer")
    (session,) = order.office.sessions
    await session.running.wait()
    assert session.variables.values["who"] == "Ada"
    assert session.variables.values["customer"]["name"] == "Ada"
    order.call.end(ASSISTANT_ENDED)
    record = await order.office.over(serving)
    assert (record["type"], record["status"]) == ("outboundPhoneCall", "ended")
    assert order.statuses() == ["ringing", "in-progress", "ended"]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"cause": 17}, "customer-busy"),
        ({"cause": 21, "tech_cause": 403}, ending_of_cause(21, 403).reason),
        ({"cause": 23}, "call.in-progress.error-sip-outbound-call-failed-to-connect"),
    ],
)
async def test_who_is_not_reached_ends_the_call_with_what_the_far_end_said(
    order: Order, told: dict[str, Any], reason: str
) -> None:
    serving = await order.rings()
    order.asterisk.tell("ChannelDestroyed", order.call.channel_id, **told)
    record = await order.office.over(serving)
    assert record["endedReason"] == reason
    assert f"DELETE channels/{order.call.channel_id}" not in order.asterisk.asked, "it is gone"
    assert not order.office.sessions
    assert order.statuses() == ["ringing", "ended"]


async def test_a_redirect_is_not_followed_and_known_before_the_channel_is_gone(order: Order) -> None:
    serving = await order.rings()
    order.asterisk.tell("Dial", order.call.channel_id, forward="PJSIP/elsewhere")
    order.asterisk.tell("ChannelDestroyed", order.call.channel_id, cause=0)
    record = await order.office.over(serving)
    assert "302" in record["endedMessage"]


async def test_what_asterisk_does_not_even_dial_ends_with_its_text(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ari_assistant.calls.call._LEAVING_SECONDS", 0.0)
    call = await order.placed()
    order.asterisk.refuses[order.dial] = 400
    record = await order.office.over(asyncio.create_task(call.run()))
    assert record["endedReason"] == "call.in-progress.error-sip-outbound-call-failed-to-connect"
    assert "400" in record["endedMessage"]


async def test_a_server_that_stops_while_it_rings_hangs_up(order: Order) -> None:
    serving = await order.rings()
    order.call.end(SHUTDOWN)
    record = await order.office.over(serving)
    assert record["endedReason"] == "worker-shutdown"
    assert f"DELETE channels/{order.call.channel_id}" in order.asterisk.asked


@pytest.mark.parametrize(
    ("customer", "body", "text"),
    [
        (CUSTOMER, {"assistantId": "gone"}, "gone"),
        (CUSTOMER, {"assistantId": None}, "Couldn't Get Assistant or Phone Number"),
        (CUSTOMER, {"phoneNumberId": "gone"}, "Couldn't Get Assistant or Phone Number"),
        ({"number": "+15551230000"}, {}, "needs a trunk"),
    ],
)
async def test_what_cannot_be_placed_is_refused_by_name_and_nothing_is_left(
    order: Order, customer: JsonObject, body: JsonObject, text: str
) -> None:
    with pytest.raises(CallRefused, match=text):
        await order.placed(customer, **body)
    assert not order.office.calls.saved
    assert not order.office.background.tasks


async def test_a_call_that_cannot_be_stored_is_not_placed_and_leaves_nothing(order: Order) -> None:
    order.office.calls.fault = OSError("disk full")
    with pytest.raises(OSError, match="disk full"):
        await order.placed()
    with pytest.raises(OSError, match="disk full"):  # the save that was to come soon
        await order.office.background.done()
    assert not order.asterisk.asked

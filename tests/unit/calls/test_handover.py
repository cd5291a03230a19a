"""An answered caller who is sent on: what the far end does is what the record says, and who comes back is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from ari_assistant.ari.events import parse_event
from ari_assistant.calls.inbound import InboundCall
from ari_assistant.calls.transfer import REFER_CONTEXT
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.destination import Destination
from tests.support.telephony import CALLER, Office, invite_start

ANSWER = f"POST channels/{CALLER}/answer"
CONTINUE = f"POST channels/{CALLER}/continue"
ADD = "addChannel"
NOTHING = "I'm sorry, the transfer did not work."


class Talk:
    """A conversation whose assistant sends the caller on."""

    def __init__(self, folder: Path) -> None:
        number = {"server": {"url": "http://server.example"}, "assistantId": "a1"}
        self.office = Office(folder, number, assistants={"a1": {"name": "Ada"}})
        self.asterisk = self.office.asterisk
        exists = f"DIALPLAN_EXISTS({REFER_CONTEXT},refer,1)"
        self.asterisk.replies[f"GET channels/{CALLER}/variable"] = {"variable": exists, "value": "1"}
        self.call = InboundCall(self.office.services, invite_start())
        self.serving = asyncio.create_task(self.call.run())

    async def begins(self) -> None:
        await self.asterisk.wait_for(ANSWER)
        await self.session.running.wait()

    @property
    def session(self) -> Any:
        return self.office.sessions[-1]

    def sends_on(self, **plan: Any) -> asyncio.Task[None]:
        given: JsonObject = {"type": "sip", "sipUri": "sip:op@pbx.example"}
        given["transferPlan"] = {"mode": "blind-transfer", **plan}
        return asyncio.create_task(self.session.control.transfer(Destination.model_validate(given)))

    def back(self, status: str, code: str) -> None:
        """The caller's channel comes back from the dialplan."""
        channel = {"id": CALLER, "name": "PJSIP/a-1", "state": "Up", "dialplan": {"context": REFER_CONTEXT}}
        event = {"type": "StasisStart", "args": [status, code], "channel": channel}
        self.asterisk._dispatch(parse_event(event))

    async def report(self) -> JsonObject:
        await self.office.over(self.serving)
        return self.office.sender.of("end-of-call-report")[-1]

    async def refers(self, **plan: Any) -> asyncio.Task[None]:
        """A REFER that is out."""
        sending = self.sends_on(**plan)
        await self.asterisk.wait_for(CONTINUE)
        self.asterisk.tell("StasisEnd", state="Up")  # it is in the dialplan, and not gone
        return sending

    @property
    def leg(self) -> str:
        return next(name for name in self.call.owned_channels if name.startswith("aa-out-"))

    async def dials(self, **plan: Any) -> asyncio.Task[None]:
        """A second leg that rings."""
        sending = self.sends_on(sipVerb="dial", **plan)
        await self.asterisk.wait_for(f"POST channels/{self.leg}")
        return sending

    def statuses(self) -> list[str]:
        return [message["status"] for message in self.office.sender.of("status-update")]


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncGenerator[Talk, None]:
    talk = Talk(tmp_path)
    await talk.begins()
    yield talk
    if not talk.serving.done():
        talk.asterisk.tell("StasisEnd")
        await talk.report()


async def test_a_refer_that_fails_comes_back_is_told_and_the_conversation_goes_on(talk: Talk) -> None:
    sending = await talk.refers(fallbackPlan={"message": "Nobody is there.", "endCallEnabled": False})
    talk.back("FAILED", "603")
    await sending
    assert talk.session.heard[-3:] == ["step aside", "come back", ("say", "Nobody is there.")]
    assert talk.asterisk.asked.count(ANSWER) == 2, "bridged again"
    assert not talk.serving.done()
    talk.asterisk.tell("StasisEnd", state="Up")
    report = await talk.report()
    assert report["endedReason"] == "customer-ended-call"
    assert report["artifact"]["transfers"][0]["status"] == "failed"
    assert talk.statuses() == ["in-progress", "forwarding", "in-progress", "ended"]


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        ("486", "busy", "call.forwarding.operator-busy"),
        ("480", "no-answer", "call.forwarding.no-answer"),
        ("", "failed", "call.in-progress.error-transfer-failed"),
    ],
)
async def test_without_a_plan_a_transfer_that_fails_ends_the_call_with_what_the_far_end_said(
    talk: Talk, code: str, status: str, reason: str
) -> None:
    await talk.refers()
    talk.back("FAILED", code)
    report = await talk.report()
    assert ("say", NOTHING) in talk.session.heard
    assert (report["artifact"]["transfers"][0]["status"], report["endedReason"]) == (status, reason)


async def test_a_refer_that_works_ends_our_part(talk: Talk) -> None:
    sending = await talk.refers()
    talk.back("SUCCESS", "200")
    await asyncio.wait({sending})
    report = await talk.report()
    assert report["artifact"]["transfers"][0]["status"] == "completed"
    assert report["endedReason"] == "assistant-forwarded-call"
    assert "come back" not in talk.session.heard
    assert f"DELETE channels/{CALLER}" in talk.asterisk.asked


async def test_of_a_caller_who_leaves_with_their_refer_nothing_is_claimed(talk: Talk) -> None:
    await talk.refers()
    talk.asterisk.tell("ChannelHangupRequest", state="Up")
    report = await talk.report()
    assert "status" not in report["artifact"]["transfers"][0]
    assert report["endedReason"] == "assistant-forwarded-call"


async def test_a_destination_that_asterisk_refuses_is_a_failed_transfer(talk: Talk) -> None:
    talk.asterisk.refuses[CONTINUE] = 409
    talk.sends_on()
    report = await talk.report()
    assert report["artifact"]["transfers"][0]["status"] == "failed"
    assert report["endedReason"] == "call.in-progress.error-transfer-failed"
    assert "409" in report["call"]["endedMessage"]


async def test_bye_leaves_the_transfer_to_somebody_else(talk: Talk) -> None:
    talk.sends_on(sipVerb="bye")
    report = await talk.report()
    assert report["endedReason"] == "assistant-forwarded-call"
    assert "status" not in report["artifact"]["transfers"][0]
    assert CONTINUE not in talk.asterisk.asked


async def test_two_people_talk_until_the_dialled_one_leaves(talk: Talk) -> None:
    sending = await talk.dials()
    talk.asterisk.tell("StasisStart", talk.leg, args=["dialled"])
    bridge = talk.call.bridge_id
    await talk.asterisk.wait_for(f"POST bridges/{bridge}/removeChannel")
    assert talk.asterisk.parameters(f"POST bridges/{bridge}/addChannel")["channel"] == talk.leg
    talk.asterisk.tell("ChannelDestroyed", talk.leg, cause=16)
    await asyncio.wait({sending})
    report = await talk.report()
    assert report["artifact"]["transfers"][0]["status"] == "completed"
    assert report["endedReason"] == "assistant-forwarded-call"


async def test_who_hangs_up_while_two_people_talk_completes_the_transfer_and_frees_the_second_leg(
    talk: Talk,
) -> None:
    sending = await talk.dials()
    talk.asterisk.tell("StasisStart", talk.leg, args=["dialled"])
    await talk.asterisk.wait_for(f"POST bridges/{talk.call.bridge_id}/removeChannel")
    sending.cancel()  # as the end of the conversation does
    await asyncio.wait({sending})
    talk.asterisk.tell("StasisEnd", state="Up")
    report = await talk.report()
    assert report["artifact"]["transfers"][0]["status"] == "completed"
    assert report["endedReason"] == "assistant-forwarded-call"
    assert f"DELETE channels/{talk.leg}" in talk.asterisk.asked


async def test_who_hangs_up_while_it_rings_has_cancelled_the_transfer(talk: Talk) -> None:
    sending = await talk.dials()
    sending.cancel()
    await asyncio.wait({sending})
    talk.asterisk.tell("StasisEnd", state="Up")
    report = await talk.report()
    assert report["artifact"]["transfers"][0]["status"] == "cancelled"
    assert report["endedReason"] == "customer-ended-call"
    assert f"DELETE channels/{talk.leg}" in talk.asterisk.asked


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"kind": "ChannelDestroyed", "cause": 17}, "busy"),
        ({"kind": "ChannelDestroyed", "cause": 19}, "no-answer"),
        ({"kind": "Dial", "forward": "PJSIP/elsewhere"}, "redirected"),
    ],
)
async def test_a_second_leg_that_is_not_answered_gives_the_caller_back(
    talk: Talk, told: dict[str, Any], status: str
) -> None:
    sending = await talk.dials(fallbackPlan={"message": "No.", "endCallEnabled": False})
    talk.asterisk.tell(told.pop("kind"), talk.leg, **told)
    await sending
    assert talk.session.heard[-2:] == ["come back", ("say", "No.")]
    talk.asterisk.tell("StasisEnd", state="Up")
    report = await talk.report()
    assert report["artifact"]["transfers"][0]["status"] == status


async def test_a_number_needs_a_trunk_and_says_so(talk: Talk) -> None:
    destination = Destination.model_validate({"type": "number", "number": "+15551230000"})
    await talk.session.control.transfer(destination)
    report = await talk.report()
    assert report["artifact"]["transfers"][0]["status"] == "failed"
    assert "trunk" in report["call"]["endedMessage"]

"""However events, endings and refusals fall into a call: it ends once, with its first reason, and leaves nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import structlog
from hypothesis import given
from hypothesis import strategies as st

from ari_assistant.calls.inbound import InboundCall
from ari_assistant.conversation.ending import Ending
from ari_assistant.vapi.destination import Destination
from tests.support.telephony import CALLER, Office, invite_start

FIRST, SECOND = Ending("silence-timed-out"), Ending("worker-shutdown")
OPERATOR = Destination.model_validate({"type": "sip", "sipUri": "sip:op@pbx.example"})
EVENTS: dict[str, dict[str, Any]] = {
    "hold": {"kind": "ChannelHold"},
    "key": {"kind": "ChannelDtmfReceived", "digit": "1"},
    "quality": {"kind": "ChannelVarset", "variable": "RTPAUDIOQOS", "value": "rtt=0.031"},
    "leaves": {"kind": "StasisEnd"},
    "leaves answered": {"kind": "StasisEnd", "state": "Up"},
    "destroyed": {"kind": "ChannelDestroyed", "cause": 16},
}
REFUSALS = [
    f"POST channels/{CALLER}/answer",
    f"POST channels/{CALLER}/redirect",
    f"POST channels/{CALLER}/ring",
    "POST bridges",
    "POST channels/externalMedia",
]
ANSWERS: list[Any] = [
    {"assistant": {"name": "Ada"}},
    {"destination": {"type": "sip", "sipUri": "sip:op@pbx.example"}},
    {"error": "Closed."},
    {},
]
steps = st.lists(st.sampled_from(["turn", "first", "second", "transfer", *EVENTS]), max_size=12)


class Drive:
    """One call, driven."""

    def __init__(self, refused: str | None, status: int, answer: Any) -> None:
        self.office = Office(Path("/nowhere"), {"server": {"url": "http://s.example"}})
        self.office.sender.answer = lambda _: answer
        if refused is not None:
            self.office.asterisk.refuses[refused] = status
        self.call = InboundCall(self.office.services, invite_start())
        self.transfers: list[asyncio.Task[None]] = []

    async def take(self, step: str) -> None:
        match step:
            case "turn":
                for _ in range(5):
                    await asyncio.sleep(0)
            case "first":
                self.call.end(FIRST)
            case "second":
                self.call.end(SECOND)
            case "transfer":
                for session in self.office.sessions:
                    if session.running.is_set():
                        self.transfers.append(asyncio.create_task(session.control.transfer(OPERATOR)))
            case _:
                event = dict(EVENTS[step])
                self.office.asterisk.tell(event.pop("kind"), **event)

    async def run(self, taken: list[str]) -> None:
        serving = asyncio.create_task(self.call.run())
        for step in taken:
            await self.take(step)
        self.office.asterisk.tell("StasisEnd")
        self.office.asterisk.tell("ChannelHangupRequest")
        async with asyncio.timeout(5):
            await serving
        for task in self.transfers:
            task.cancel()  # as the end of the conversation does
        await asyncio.gather(*self.transfers, return_exceptions=True)
        await self.office.background.done()
        assert asyncio.all_tasks() == {asyncio.current_task()}


@given(
    steps,
    st.sampled_from([None, *REFUSALS]),
    st.sampled_from([404, 409, 500]),
    st.sampled_from(ANSWERS),
)
def test_a_call_ends_once_and_leaves_nothing(
    taken: list[str], refused: str | None, status: int, answer: Any
) -> None:
    async def drive() -> None:
        driven = Drive(refused, status, answer)
        await driven.run(taken)
        office = driven.office
        assert all(stream.closed for stream in office.media.streams)
        saved = office.calls.saved
        assert bool(saved) is bool(office.sender.of("end-of-call-report"))
        if not saved:
            return
        assert saved[-1]["status"] == "ended"
        assert [m["status"] for m in office.sender.of("status-update")].count("ended") == 1
        (report,) = office.sender.of("end-of-call-report")
        assert report["endedReason"] == saved[-1]["endedReason"]
        ends = [step for step in taken if step in ("first", "second")]
        if saved[-1]["endedReason"] in (FIRST.reason, SECOND.reason):
            assert saved[-1]["endedReason"] == {"first": FIRST, "second": SECOND}[ends[0]].reason
        if office.sessions:
            assert any(name.startswith("DELETE bridges/") for name in office.asterisk.asked)

    with structlog.testing.capture_logs():
        asyncio.run(drive())

"""A caller, from the INVITE to the report, without Asterisk."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ari_assistant.calls.admission import Load
from ari_assistant.calls.inbound import InboundCall
from ari_assistant.conversation.ending import ASSISTANT_ENDED, SHUTDOWN
from tests.support.telephony import CALLER, Office, invite_start

HANG_UP = f"DELETE channels/{CALLER}"
ANSWER = f"POST channels/{CALLER}/answer"
REDIRECT = f"POST channels/{CALLER}/redirect"
SERVER = {"url": "http://server.example/vapi"}
ASSISTANTS = {"a1": {"name": "Ada", "firstMessage": "Hi."}}


class Line:
    """One caller of one office."""

    def __init__(self, folder: Path, **number: Any) -> None:
        self.office = Office(folder, {"server": SERVER, **number}, assistants=ASSISTANTS)
        self.asterisk = self.office.asterisk

    def calls(self, **headers: str) -> asyncio.Task[None]:
        self.call = InboundCall(self.office.services, invite_start(**headers))
        return asyncio.create_task(self.call.run())

    async def talks(self, **headers: str) -> asyncio.Task[None]:
        """A call whose conversation has begun."""
        serving = self.calls(**headers)
        await self.asterisk.wait_for(ANSWER)
        await self.session.running.wait()
        return serving

    @property
    def session(self) -> Any:
        return self.office.sessions[-1]

    @property
    def cause(self) -> str | None:
        """The Q.850 cause with which the caller was hung up."""
        return self.asterisk.parameters(HANG_UP).get("reason_code")

    @property
    def media(self) -> str:
        """The ExternalMedia channel."""
        return next(name for name in self.call.owned_channels if name.startswith("aa-em-"))

    def statuses(self) -> list[str]:
        return [message["status"] for message in self.office.sender.of("status-update")]


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path, assistantId="a1")


async def test_a_call_is_recorded_answered_told_of_and_given_back(line: Line) -> None:
    serving = await line.talks(X_Lang="en")
    line.session.control.end(ASSISTANT_ENDED)
    record = await line.office.over(serving)
    assert (record["status"], record["endedReason"]) == ("ended", "assistant-ended-call")
    assert record["assistantId"] == "a1"
    assert record["assistantOverrides"]["variableValues"] == {"lang": "en", "cid": "sip-1"}
    assert line.statuses() == ["in-progress", "ended"]
    assert [m["endedReason"] for m in line.office.sender.of("end-of-call-report")] == ["assistant-ended-call"]
    assert line.cause is None, "an ordinary BYE"
    media = f"aa-em-app.{record['id']}"
    assert {HANG_UP, f"DELETE channels/{media}", f"DELETE bridges/aa-br-app.{record['id']}"} <= {
        name for name in line.asterisk.asked if name.startswith("DELETE")
    }
    assert all(stream.closed for stream in line.office.media.streams)
    assert [s["status"] for s in line.office.calls.saved] == sorted(
        (s["status"] for s in line.office.calls.saved), key=["ringing", "in-progress", "ended"].index
    ), "saves are in order"


async def test_nobody_waits_on_the_telephone_for_the_report(line: Line) -> None:
    serving = await line.talks()
    line.session.control.end(ASSISTANT_ENDED)
    await serving
    assert HANG_UP in line.asterisk.asked
    assert not line.office.sender.of("end-of-call-report")
    await line.office.background.done()
    assert line.session.heard[-1] == ("after the end", "assistant-ended-call")
    assert line.office.sender.of("end-of-call-report")


async def test_the_first_reason_given_counts(line: Line) -> None:
    serving = await line.talks()
    line.call.end(ASSISTANT_ENDED)
    line.call.end(SHUTDOWN)
    assert (await line.office.over(serving))["endedReason"] == "assistant-ended-call"


async def test_a_call_that_is_ended_before_it_is_served_does_nothing(line: Line) -> None:
    call = InboundCall(line.office.services, invite_start())
    call.end(SHUTDOWN)
    await call.run()
    assert line.asterisk.asked == [HANG_UP]
    assert not line.office.calls.saved


async def test_a_caller_who_leaves_before_their_call_is_served_is_heard_of(line: Line) -> None:
    call = InboundCall(line.office.services, invite_start())
    line.asterisk.tell("StasisEnd")  # it came with the StasisStart
    async with asyncio.timeout(5):
        await call.run()
    assert line.asterisk.asked == []


async def test_a_caller_who_leaves_before_anything_is_known_leaves_nothing(line: Line) -> None:
    line.asterisk.held[f"GET channels/{CALLER}/variables"] = asyncio.Event()
    start = invite_start()
    object.__setattr__(start, "args", ("2", start.args[1]))  # a second part has to be fetched
    serving = asyncio.create_task(InboundCall(line.office.services, start).run())
    await line.asterisk.wait_for(f"GET channels/{CALLER}/variables")
    line.asterisk.tell("StasisEnd")
    await serving
    assert HANG_UP not in line.asterisk.asked, "they have"
    assert not line.office.calls.saved


async def test_a_caller_who_leaves_while_the_server_thinks_has_cancelled(tmp_path: Path) -> None:
    line = Line(tmp_path)

    async def thinks() -> None:
        await asyncio.get_running_loop().create_future()

    line.office.sender.answer = lambda _: thinks()
    serving = line.calls()
    await line.office.sender.asked.wait()
    line.asterisk.tell("StasisEnd")
    record = await line.office.over(serving)
    assert record["endedReason"] == "call.ringing.sip-inbound-caller-hungup-before-call-connect"
    assert record.get("startedAt") is None
    assert not line.office.sessions


async def test_a_caller_who_leaves_in_the_conversation_has_hung_up(line: Line) -> None:
    serving = await line.talks()
    line.asterisk.tell("ChannelVarset", variable="RTPAUDIOQOS", value="rtt=0.031")
    line.asterisk.tell("StasisEnd")
    record = await line.office.over(serving)
    assert record["endedReason"] == "customer-ended-call"
    assert record["artifact"]["mediaStatistics"]["callerRoundTripMs"] == 31.0
    assert HANG_UP not in line.asterisk.asked


async def test_who_was_up_when_they_left_was_answered_though_we_had_not_heard_of_it(line: Line) -> None:
    line.asterisk.held[ANSWER] = asyncio.Event()
    serving = line.calls()
    await line.asterisk.wait_for(ANSWER)
    line.asterisk.tell("StasisEnd", state="Up")
    record = await line.office.over(serving)
    assert record["endedReason"] == "customer-ended-call"
    assert record["startedAt"]
    assert line.statuses() == ["in-progress", "ended"]


async def test_who_leaves_while_the_first_words_are_made_is_not_answered_and_nobody_makes_them_on(
    line: Line,
) -> None:
    line.office.slow = True
    serving = line.calls()
    await line.office.begun.wait()
    await line.session.preparing.wait()
    line.asterisk.tell("StasisEnd")
    record = await line.office.over(serving)
    assert record["endedReason"] == "call.ringing.sip-inbound-caller-hungup-before-call-connect"
    assert ANSWER not in line.asterisk.asked


async def test_who_left_while_it_was_answered_has_cancelled(line: Line) -> None:
    line.asterisk.refuses[ANSWER] = 404
    serving = line.calls()
    await line.asterisk.wait_for(ANSWER)
    line.asterisk.tell("StasisEnd")
    record = await line.office.over(serving)
    assert record["endedReason"] == "call.ringing.sip-inbound-caller-hungup-before-call-connect"


async def test_a_fault_of_asterisk_ends_the_call_with_503_and_its_text(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ari_assistant.calls.call._LEAVING_SECONDS", 0.0)  # nothing more will be heard of it
    line.asterisk.refuses[ANSWER] = 500
    record = await line.office.over(line.calls())
    assert record["endedReason"] == "call.ringing.error-sip-inbound-call-failed-to-connect"
    assert "500" in record["endedMessage"]
    assert line.cause == "34"


async def test_a_fault_of_ours_ends_the_call_with_its_reason(line: Line) -> None:
    line.office.media.fault = ZeroDivisionError("oops")
    record = await line.office.over(line.calls())
    assert record["endedReason"] == "call.in-progress.error-vapifault-worker-died"
    assert "oops" in record["endedMessage"]


async def test_what_the_caller_does_with_their_telephone_reaches_the_conversation(line: Line) -> None:
    serving = await line.talks()
    line.asterisk.tell("ChannelDtmfReceived", digit="5")
    line.asterisk.tell("ChannelHold")
    line.asterisk.tell("ChannelUnhold")
    await line.call.press("12#")
    assert line.session.heard[-3:] == [("key", "5"), ("hold", True), ("hold", False)]
    assert line.asterisk.parameters(f"POST channels/{CALLER}/dtmf")["dtmf"] == "12#"
    line.call.end(SHUTDOWN)
    await line.office.over(serving)


async def test_the_conversation_hears_that_its_media_channel_has_left(line: Line) -> None:
    serving = await line.talks()
    line.asterisk.tell("StasisEnd", line.media)
    record = await line.office.over(serving)
    assert record["endedReason"] == "call.in-progress.sip-completed-call"


# -- who is not let in, and whom nobody answers -----------------------------------------------------------------


async def test_an_unknown_number_is_404_and_leaves_no_record(line: Line) -> None:
    line.office.known = False
    await line.calls()
    assert line.asterisk.asked == [HANG_UP]
    assert line.cause == "1"
    assert not line.office.calls.saved


async def test_who_does_not_come_through_the_numbers_endpoint_is_403(tmp_path: Path, log_lines: list[Any]) -> None:
    login = {"username": "a-user-with-a-long-name", "password": "correct-horse-battery-staple"}
    line = Line(tmp_path, assistantId="a1", authentication=login)
    await line.calls()
    assert line.cause == "21"
    assert [entry["event"] for entry in log_lines] == ["caller_not_authenticated"]


def overloaded(line: Line) -> None:
    line.office.admission.calls = 2
    for second in range(4):
        line.office.admission.observe(Load(server_late_ms=900), now=second)


async def test_who_cannot_be_served_well_is_503_before_anything_is_recorded(line: Line) -> None:
    overloaded(line)
    await line.calls()
    assert (line.asterisk.asked, line.cause) == ([HANG_UP], "34")
    assert not line.office.calls.saved


async def test_who_cannot_be_served_well_goes_to_the_numbers_fallback(tmp_path: Path) -> None:
    line = Line(tmp_path, assistantId="a1", fallbackDestination={"type": "sip", "sipUri": "sip:op@pbx.example"})
    overloaded(line)
    record = await line.office.over(line.calls())
    assert line.asterisk.asked == [REDIRECT], "a redirected telephone is not hung up"
    assert record["endedReason"] == "call.ringing.error-vapifault-overloaded"
    assert record["destination"]["sipUri"] == "sip:op@pbx.example"


async def test_the_reason_of_a_redirect_stands_before_it_is_heard_that_they_left(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.office.sender.answer = lambda _: {"destination": {"type": "sip", "sipUri": "sip:op@pbx.example"}}
    go = line.asterisk.held[REDIRECT] = asyncio.Event()
    serving = line.calls()
    await line.asterisk.wait_for(REDIRECT)
    line.asterisk.tell("StasisEnd")  # before Asterisk has answered our request
    line.call.end(SHUTDOWN)
    go.set()
    record = await line.office.over(serving)
    assert record["endedReason"] == "assistant-request-returned-forwarding-phone-number"
    assert line.statuses() == ["forwarding", "ended"]
    assert not line.office.sessions


async def test_who_could_not_be_redirected_is_told_so_and_the_operator_too(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.office.sender.answer = lambda _: {"destination": {"type": "sip", "sipUri": "sip:op@pbx.example"}}
    line.asterisk.refuses[REDIRECT] = 409
    record = await line.office.over(line.calls())
    assert line.session.heard[-2:][0] == ("announce", line.office.services.options.prompts.unavailable)
    assert record["endedReason"] == "call.in-progress.error-transfer-failed"
    (ended,) = [m for m in line.office.sender.of("status-update") if m["status"] == "ended"]
    told = ended["inboundPhoneCallDebuggingArtifacts"]
    assert told["assistantRequestError"] == "call.in-progress.error-transfer-failed"


async def test_the_server_names_the_assistant_while_the_caller_hears_ringing(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.office.sender.answer = lambda _: {"assistant": {"name": "Bob", "recordingEnabled": False}}
    serving = await line.talks()
    assert f"POST channels/{CALLER}/ring" in line.asterisk.asked
    assert line.office.media.recordings == [None], "the assistant wants no recording"
    assert line.session.assistant.name == "Bob"
    line.call.end(ASSISTANT_ENDED)
    record = await line.office.over(serving)
    assert record["assistant"]["name"] == "Bob"
    assert "recordingUrl" not in record["artifact"]


async def test_of_an_announcement_nothing_is_analysed_and_its_text_is_what_the_server_says(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.office.sender.answer = lambda _: {"error": "We are closed."}
    record = await line.office.over(line.calls())
    assert ("announce", "We are closed.") in line.session.heard
    assert record["endedReason"] == "assistant-request-returned-error"
    assert record["analysis"] == {}

"""Who answers, and what is tried when nobody can: decisions, before anything is done."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from ari_assistant.assistants.lookup import Chosen
from ari_assistant.calls.assistant_request import Forward, NoAnswer, Speak, UseAssistant
from ari_assistant.calls.reception import (
    Announce,
    AskServer,
    Converse,
    Reception,
    SendOn,
    ending_hook,
    ringing_hook,
)
from ari_assistant.conversation.ending import Ending
from ari_assistant.reports.invite import Invite
from ari_assistant.reports.record import CallRecord, Installation
from ari_assistant.reports.recorded import Recorded
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.phone_number import phone_number_schema
from tests.support.telephony import Office

APOLOGY = "Nobody is there."
FALLBACK = {"type": "sip", "sipUri": "sip:fallback@pbx.example"}
OPERATOR = Destination.model_validate({"type": "sip", "sipUri": "sip:op@pbx.example"})
FAILED = Ending("assistant-request-failed", "timed out")


class Desk:
    """The reception of one call to a number."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.opened: list[tuple[Office, Recorded]] = []

    async def __call__(self, **number: Any) -> Reception:
        office = Office(folder=self.folder, number=number, assistants={"a1": {"name": "Ada"}})
        found = await office._find("sip:desk@localhost", source="")
        assert found is not None
        invite = Invite("sip:desk@localhost", "sip-1", "sip:+4930123@h", "Ada", "", headers=(("X-Name", "Ada"),))
        record = CallRecord(Installation("o", "http://h"), found.resource.wire(), invite)
        self.recorded = office.services.records.open(record, number_server=found.number.server)
        self.opened.append((office, self.recorded))
        return Reception(self.recorded, found, office.services.catalogue, apology=APOLOGY)


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Desk, None]:
    monkeypatch.setattr("ari_assistant.reports.journal._SAVE_SECONDS", 0.0)
    desk = Desk(tmp_path)
    yield desk
    for office, recorded in desk.opened:
        recorded.close()
        await office.background.done()


def hook(on: str, do: dict[str, Any]) -> dict[str, Any]:
    return {"on": on, "do": [do]}


async def test_the_numbers_assistant_answers_and_is_in_the_record(desk: Desk) -> None:
    decision = await (await desk(assistantId="a1")).arrived("+4930123")
    assert isinstance(decision, Converse)
    assert decision.assistant.name == "Ada"
    assert desk.recorded.record.answering is decision.assistant
    assert desk.recorded.record.assistant_id == "a1"


async def test_without_an_assistant_the_numbers_server_is_asked(desk: Desk) -> None:
    decision = await (await desk(server={"url": "http://s.example"})).arrived("1")
    assert isinstance(decision, AskServer)
    assert decision.server.url == "http://s.example"


async def test_with_neither_the_caller_hears_a_sentence(desk: Desk) -> None:
    decision = await (await desk()).arrived("1")
    assert decision == Announce(APOLOGY, Ending("call-start-error-neither-assistant-nor-server-set"))


async def test_an_assistant_that_is_gone_is_named_to_the_operator(desk: Desk, log_lines: list[Any]) -> None:
    decision = await (await desk(assistantId="gone")).arrived("1")
    assert isinstance(decision, Announce)
    assert decision.ending.reason == "assistant-not-found"
    assert desk.recorded.record.debugging == {
        "error": "`assistantId` gone does not exist",
        "assistantRequestError": "assistant-not-found",
    }
    assert [line["event"] for line in log_lines] == ["no_assistant"]


async def test_what_the_server_says_is_done(desk: Desk) -> None:
    reception = await desk()
    chosen = Chosen(None, {"name": "Bob"}, {}, "s1")
    assert isinstance(reception.answered(UseAssistant(chosen)), Converse)
    assert desk.recorded.record.squad_id == "s1"
    reason = "assistant-request-returned-forwarding-phone-number"
    assert reception.answered(Forward(OPERATOR)) == SendOn(OPERATOR, reason, last=False)
    spoken = reception.answered(Speak("Closed."))
    assert spoken == Announce("Closed.", Ending("assistant-request-returned-error", "Closed."))


async def test_an_assistant_that_cannot_be_read_is_nobody(desk: Desk) -> None:
    decision = (await desk()).answered(UseAssistant(Chosen(None, {"silenceTimeoutSeconds": "x"}, {})))
    assert isinstance(decision, Announce)
    assert decision.ending.reason == "assistant-request-returned-invalid-assistant"
    assert desk.recorded.record.assistant is None


async def test_when_nobody_answers_the_fallback_is_tried_and_then_the_sentence(desk: Desk) -> None:
    reception = await desk(fallbackDestination=FALLBACK)
    tried = reception.answered(NoAnswer(FAILED, {"secret": "x"}))
    assert isinstance(tried, SendOn)
    assert (tried.destination.sip_uri, tried.reason, tried.last) == (FALLBACK["sipUri"], FAILED.reason, True)
    told = reception.not_sent_on(tried, "refused")
    assert told == Announce(APOLOGY, Ending("call.in-progress.error-transfer-failed", "refused"))


async def test_a_destination_of_the_servers_that_fails_leaves_the_fallback(desk: Desk) -> None:
    reception = await desk(fallbackDestination=FALLBACK)
    tried = reception.answered(Forward(OPERATOR))
    assert isinstance(tried, SendOn)
    after = reception.not_sent_on(tried, "refused")
    assert isinstance(after, SendOn)
    assert after.destination.sip_uri == FALLBACK["sipUri"]


async def test_an_ending_hook_comes_before_the_fallback_and_only_for_a_request_that_failed(desk: Desk) -> None:
    do = {"type": "say", "exact": "We are closed, {{name}}."}
    reception = await desk(hooks=[hook("call.ending", do)], fallbackDestination=FALLBACK)
    decision = reception.answered(NoAnswer(FAILED))
    assert decision == Announce("We are closed, Ada.", Ending("call.ending.hook-executed-say"))
    assert isinstance(reception.answered(NoAnswer(Ending("assistant-not-found"))), SendOn)


async def test_a_ringing_hook_comes_before_everything(desk: Desk) -> None:
    do = {"type": "transfer", "destination": {"type": "sip", "sipUri": "sip:night@pbx.example"}}
    reception = await desk(assistantId="a1", hooks=[hook("call.ringing", do)], fallbackDestination=FALLBACK)
    tried = await reception.arrived("1")
    assert isinstance(tried, SendOn)
    assert (tried.reason, tried.last) == ("call.ringing.hook-executed-transfer", False)
    assert isinstance(reception.not_sent_on(tried, "refused"), SendOn), "the fallback"


def test_a_hook_is_meant_for_whom_its_filters_fit() -> None:
    say = {"type": "say", "exact": "x"}
    caller = {"type": "startsWith", "key": "number", "startsWith": ["+49"]}
    body: dict[str, Any] = {"provider": "vapi", "sipUri": "sip:a@b"}
    ringing = phone_number_schema.validate_python(
        body | {"hooks": [{"on": "call.ringing", "do": [say], "filters": [caller]}]}
    )
    assert ringing_hook(ringing, "4930123") is not None
    assert ringing_hook(ringing, "+1555") is None
    assert ending_hook(ringing, FAILED) is None
    chosen = {"type": "oneOf", "key": "call.endedReason", "oneOf": ["assistant-request-failed"]}
    ending = phone_number_schema.validate_python(
        body | {"hooks": [{"on": "call.ending", "do": [say], "filters": [chosen]}]}
    )
    assert ending_hook(ending, FAILED) is not None
    assert ending_hook(ending, Ending("assistant-request-returned-no-assistant")) is None

"""After the last word: what is found out, kept and told, and that what fails keeps nothing else back."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ari_assistant.assistants.lookup import Chosen
from ari_assistant.assistants.resolved import ResolvedAssistant
from ari_assistant.conversation.ending import ASSISTANT_ENDED
from ari_assistant.dialogue.history import Entry, History
from ari_assistant.dialogue.variables import Variables
from ari_assistant.providers.model import ModelRequest, TextDelta
from ari_assistant.reports.call_state import CallEvent
from ari_assistant.reports.record import CallRecord, Dialled, Installation
from ari_assistant.reports.recorded import Held
from ari_assistant.reports.report import CallReport
from ari_assistant.telemetry import CallLog
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.server import Server
from tests.support.telephony import FakeSession, Office

OUTPUT = {"name": "who", "type": "regex", "regex": "Ada", "schema": {}}


class Analyst:
    """A model that says the same of every call."""

    name = "analyst"

    async def reply(self, request: ModelRequest) -> AsyncGenerator[TextDelta, None]:
        yield TextDelta("A call.")


class Over:
    """A call that is over, and has been stored as such."""

    def __init__(self, folder: Path) -> None:
        self.office = Office(folder, {}, structured_outputs={"s1": OUTPUT, "s2": {"name": ""}})
        self.record = CallRecord(Installation("o", "http://h"), {"id": "n1"}, Dialled({}))
        self.recorded = self.office.services.records.open(self.record, number_server=Server(url="http://s"))
        self.log_path = folder / "logs" / "c.jsonl"

    def held(self, **document: Any) -> Held:
        assistant = Assistant.model_validate(document)
        self.record.take_assistant(assistant, Chosen("a1", document, {}))
        variables = Variables({}, History(), log=None)
        nobody: Any = None
        resolved = ResolvedAssistant(assistant, nobody, Analyst(), nobody, nobody, None, {})
        surroundings: Any = SimpleNamespace(control=None)
        self.session = session = cast(Any, FakeSession(resolved, variables, surroundings, None, log=None))
        session.history.add(Entry("bot", "Who is there?", 0.0, 1.0))
        session.history.add(Entry("user", "Ada.", 1.0, 2.0))
        self.record.follow(session, variables)
        return Held(session, resolved, variables)

    async def reported(self, held: Held | None) -> JsonObject:
        self.record.ending = ASSISTANT_ENDED
        self.record.happened(CallEvent.ENDED)
        await self.recorded.journal.save()
        outputs = self.office.services.catalogue.structured_outputs
        await CallReport(self.recorded, ASSISTANT_ENDED, outputs, self.log_path).make(held)
        await self.office.background.done()
        assert self.record.id not in CallLog._open, "nothing more is logged of it"
        (report,) = self.office.sender.of("end-of-call-report")
        return report


@pytest.fixture
async def over(tmp_path: Path) -> Over:
    return Over(tmp_path)


async def test_a_call_without_a_conversation_is_reported_with_what_there_is(over: Over) -> None:
    report = await over.reported(None)
    assert (report["endedReason"], report["transcript"], report["messages"]) == ("assistant-ended-call", "", [])
    assert (report["durationSeconds"], report["cost"], report["analysis"]) == (0.0, 0, {})
    assert over.office.stored["status"] == "ended"


async def test_what_is_found_out_is_in_the_report_and_in_the_record(over: Over) -> None:
    plan = {"structuredOutputIds": ["s1", "gone", "s2"], "structuredOutputs": [{**OUTPUT, "name": "inline"}]}
    held = over.held(artifactPlan=plan)
    report = await over.reported(held)
    assert report["summary"] == report["analysis"]["summary"] == "A call."
    assert report["artifact"]["structuredOutputs"] == {
        "s1": {"name": "who", "result": "Ada"},
        "inline": {"name": "inline", "result": "Ada"},
    }
    assert over.session.heard == [("after the end", "assistant-ended-call")]
    assert over.office.stored["analysis"] == report["analysis"]
    assert [item["type"] for item in report["costs"]][:3] == ["transport", "transcriber", "model"]


async def test_the_log_of_the_call_is_kept_for_its_owner_alone(over: Over) -> None:
    report = await over.reported(over.held())
    assert over.log_path.stat().st_mode & 0o777 == 0o600
    assert report["artifact"]["logUrl"].endswith("/call-logs")


async def test_an_assistant_may_want_no_log(over: Over) -> None:
    report = await over.reported(over.held(artifactPlan={"loggingEnabled": False}))
    assert not over.log_path.exists()
    assert "logUrl" not in report["artifact"]


async def test_a_log_that_cannot_be_written_is_told_and_keeps_no_report_back(
    over: Over, log_lines: list[Any]
) -> None:
    over.log_path.mkdir(parents=True)
    assert "logUrl" not in (await over.reported(over.held()))["artifact"]
    assert "call_log_not_kept" in [line["event"] for line in log_lines]


async def test_a_call_that_was_erased_stays_so_and_leaves_no_log(over: Over) -> None:
    over.office.calls.erased = True
    await over.reported(over.held())
    assert not over.log_path.exists()
    assert [document["status"] for document in over.office.calls.saved].count("ended") == 1, "not the last one"


async def test_what_fails_on_the_way_is_logged_and_the_report_is_sent(over: Over, log_lines: list[Any]) -> None:
    held = over.held()

    async def fails(_: object) -> None:
        raise ZeroDivisionError("oops")

    over.session.after_the_end = fails
    assert (await over.reported(held))["endedReason"] == "assistant-ended-call"
    assert "report_incomplete" in [line["event"] for line in log_lines]

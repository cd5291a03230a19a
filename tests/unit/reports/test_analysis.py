"""What the model is asked about a call, and what becomes of its answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

import pytest

from ari_assistant.conversation.usage import Consumption
from ari_assistant.dialogue.template import render
from ari_assistant.providers.errors import ProviderUnavailable
from ari_assistant.providers.model import ModelRequest, TextDelta, Usage
from ari_assistant.reports.analysis import Analyst, CallText, analyse, structured_outputs
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.plans import AnalysisPlan
from ari_assistant.vapi.structured_output import StructuredOutput

TEXT = CallText("User: I am Ada.\n", "customer-ended-call", "You book rooms.", messages=4)
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}


class Model:
    """Answers what `answer` says to the text of its first message."""

    name = "model"

    def __init__(self, answer: Callable[[str], str]) -> None:
        self.answer = answer
        self.asked: list[ModelRequest] = []

    async def reply(self, request: ModelRequest) -> AsyncGenerator[TextDelta | Usage, None]:
        self.asked.append(request)
        text = self.answer(request.messages[0].content)
        yield TextDelta(text[:3])
        yield TextDelta(text[3:])
        yield Usage(prompt=10, completion=2)


def by_kind(system: str) -> str:
    if system.startswith("Summarise"):
        return " Ada called. "
    return '```json\n{"name": "Ada"}\n```' if system.startswith("Extract") else "true"


def fill(template: str, extra: Mapping[str, Any]) -> str:
    return render(template, dict(extra)).text


class Desk:
    def __init__(self, answer: Callable[[str], str] = by_kind) -> None:
        self.model = Model(answer)
        self.used = Consumption()
        self.analyst = Analyst(self.model, fill, TEXT, self.used)

    async def finds(self, plan: JsonObject | None, text: CallText = TEXT) -> JsonObject:
        given = AnalysisPlan.model_validate(plan) if plan is not None else None
        return await analyse(given, self.analyst, text)


async def test_without_a_plan_it_is_summarised_and_judged() -> None:
    desk = Desk()
    assert await desk.finds(None) == {"summary": "Ada called.", "successEvaluation": "true"}
    assert {key: usage.prompt for key, usage in desk.used.analysis.items()} == {
        "summary": 10,
        "successEvaluation": 10,
    }
    judged = desk.model.asked[1].messages
    assert "You book rooms." in judged[0].content
    assert judged[1].content == f"Transcript:\n\n{TEXT.transcript}\n\nEnded reason: customer-ended-call"


async def test_a_call_of_too_few_words_is_not_analysed() -> None:
    desk = Desk()
    short = CallText("", "", "", messages=3)
    assert await desk.finds({"minMessagesThreshold": 4}, short) == {}
    assert not desk.model.asked
    assert await desk.finds({"minMessagesThreshold": 3}, short)


async def test_what_is_switched_off_is_not_asked() -> None:
    off = {"summaryPlan": {"enabled": False}, "successEvaluationPlan": {"enabled": False}}
    desk = Desk()
    assert await desk.finds(off) == {}
    assert not desk.model.asked


async def test_data_are_read_with_or_without_a_fence_and_fit_the_schema_that_was_asked() -> None:
    desk = Desk()
    found = await desk.finds(
        {
            "summaryPlan": {"enabled": False},
            "successEvaluationPlan": {"enabled": False},
            "structuredDataPlan": {"enabled": True, "schema": SCHEMA},
            "structuredDataMultiPlan": [{"key": "who", "plan": {"enabled": True, "schema": SCHEMA}}],
        }
    )
    assert found == {"structuredData": {"name": "Ada"}, "structuredDataMulti": [{"who": {"name": "Ada"}}]}
    assert desk.model.asked[0].json_schema == SCHEMA


@pytest.mark.parametrize("fault", [TimeoutError(), ProviderUnavailable("test", "gone")])
async def test_one_answer_that_fails_leaves_its_field_out(fault: Exception, log_lines: list[Any]) -> None:
    def answer(system: str) -> str:
        if system.startswith("Summarise"):
            raise fault
        return "true"

    assert await Desk(answer).finds(None) == {"successEvaluation": "true"}
    assert [(line["event"], line["what"]) for line in log_lines] == [("analysis_failed", "summary")]


async def test_a_model_that_takes_too_long_is_not_waited_for() -> None:
    class Slow(Model):
        async def reply(self, request: ModelRequest) -> AsyncGenerator[TextDelta | Usage, None]:
            await asyncio.get_running_loop().create_future()
            yield TextDelta("")

    analyst = Analyst(Slow(by_kind), fill, TEXT, Consumption())
    assert await analyst.ask("summary", None, "x", 0.001) is None


async def test_data_that_are_no_json_are_none_and_said(log_lines: list[Any]) -> None:
    plan = {"structuredDataPlan": {"enabled": True, "schema": SCHEMA}, "summaryPlan": {"enabled": False}}
    found = await Desk(lambda _: "I do not know.").finds(plan)
    assert found == {"successEvaluation": "I do not know."}
    assert [line["event"] for line in log_lines] == ["analysis_unreadable"]


async def test_outputs_by_pattern_need_no_model_and_others_do() -> None:
    outputs = {
        "r": StructuredOutput.model_validate({"name": "who", "type": "regex", "regex": "Ada|Bob", "schema": {}}),
        "a": StructuredOutput.model_validate({"name": "data", "type": "ai", "schema": SCHEMA}),
    }
    without = await structured_outputs(outputs, None, TEXT)
    assert without == {"r": {"name": "who", "result": "Ada"}, "a": {"name": "data", "result": None}}
    desk = Desk()
    asked = await structured_outputs(outputs, desk.analyst, TEXT)
    assert asked["a"] == {"name": "data", "result": {"name": "Ada"}}
    assert list(desk.used.analysis) == ["structuredOutput"]

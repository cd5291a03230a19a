"""What is found out about a call after its end (contract §12.2), by the assistant's own language model."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from ari_assistant.conversation.usage import Consumption
from ari_assistant.dialogue.template import TemplateRenderer
from ari_assistant.providers.errors import ProviderError
from ari_assistant.providers.model import ChatMessage, Model, ModelRequest, TextDelta, Usage
from ari_assistant.telemetry import Private, get_logger
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.json_text import read_json
from ari_assistant.vapi.pattern import BadPattern, Pattern
from ari_assistant.vapi.plans import AnalysisPlan
from ari_assistant.vapi.structured_output import StructuredOutput

__all__ = ["Analyst", "CallText", "analyse", "structured_outputs"]

log = get_logger("reports.analysis")

_SECONDS = 5.0
_MAX_TOKENS = 500
_SUMMARY = "Summarise this telephone call in two or three sentences. Say only what the transcript says."
_DATA = (
    "Extract data from this telephone call. Answer with one JSON object that fits this JSON Schema and nothing else;"
    " leave out what the transcript does not say.\n\n{{schema}}"
)
_EVALUATION = (
    "Judge whether this telephone call reached the assistant's goal, by this rubric: {{rubric}}.\n"
    "The assistant's instructions were:\n{{systemPrompt}}\n\nAnswer with the rubric's value and nothing else."
)
_RUBRICS = {
    "NumericScale": "a number from 1 to 10",
    "DescriptiveScale": "one word: Excellent, Good, Fair or Poor",
    "Checklist": "a JSON object of criteria and whether each was met",
    "Matrix": "a JSON object of criteria, each with a rating",
    "PercentageScale": "a percentage from 0% to 100%",
    "LikertScale": "one of: Strongly Agree, Agree, Neutral, Disagree, Strongly Disagree",
    "AutomaticRubric": "a JSON object of criteria that you choose, each with a rating",
    "PassFail": "true or false",
}
_USER = "Transcript:\n\n{{transcript}}\n\nEnded reason: {{endedReason}}"


@dataclass(frozen=True, slots=True)
class CallText:
    """What there is to be read of a call that is over."""

    transcript: str
    ended_reason: str
    system_prompt: str
    messages: int
    """How many it was."""

    def variables(self) -> JsonObject:
        """Of the templates with which the model is asked."""
        return {
            "transcript": self.transcript,
            "endedReason": self.ended_reason,
            "systemPrompt": self.system_prompt,
        }


class Analyst:
    """Asks the model about one call, each question within its own time; what fails leaves its field out."""

    def __init__(self, model: Model, fill: TemplateRenderer, text: CallText, used: Consumption) -> None:
        self._model = model
        self._fill = fill
        self._variables = text.variables()
        self._used = used

    async def ask(
        self,
        kind: str,
        templates: Sequence[JsonObject] | None,
        system: str,
        seconds: float | None,
        *,
        schema: JsonObject | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> str | None:
        """The model's answer to `templates` (`role`, `content`), or to `system` and the transcript where there are
        none. None when there is no answer within `seconds`."""
        given = templates or [{"role": "system", "content": system}, {"role": "user", "content": _USER}]
        variables = {**self._variables, **(extra or {})}
        messages = [
            ChatMessage(
                "system" if m.get("role") == "system" else "user",
                self._fill(str(m.get("content") or ""), variables),
            )
            for m in given
        ]
        request = ModelRequest(messages, temperature=0, max_tokens=_MAX_TOKENS, json_schema=schema)
        text, usage = "", Usage()
        try:
            async with asyncio.timeout(seconds or _SECONDS), aclosing(self._model.reply(request)) as events:
                async for event in events:
                    if isinstance(event, TextDelta):
                        text += event.text
                    elif isinstance(event, Usage):
                        usage += event
        except (TimeoutError, ProviderError) as fault:
            log.warning("analysis_failed", what=kind, reason=str(fault) or "no answer in time")
            return None
        finally:
            self._used.analysis[kind] = self._used.analysis.get(kind, Usage()) + usage
        return text.strip() or None

    async def ask_data(
        self,
        schema: JsonObject | None,
        templates: Sequence[JsonObject] | None = None,
        system: str = _DATA,
        seconds: float | None = None,
        *,
        kind: str = "structuredData",
    ) -> Any:
        """Have data extracted that fits a JSON Schema; None without any."""
        text = await self.ask(
            kind,
            templates,
            system,
            seconds,
            schema=schema,
            extra={"schema": json.dumps(schema or {}, ensure_ascii=False)},
        )
        return _json(text) if text is not None else None


async def analyse(plan: AnalysisPlan | None, analyst: Analyst, text: CallText) -> JsonObject:
    """`analysis`: summary, structured data and success evaluation, asked at the same time."""
    plan = plan or AnalysisPlan()
    threshold = 2 if plan.min_messages_threshold is None else plan.min_messages_threshold
    if text.messages < threshold:
        return {}
    jobs = _questions(plan, analyst)
    multi = plan.structured_data_multi_plan or []
    several = [
        analyst.ask_data(item.plan.json_schema, item.plan.messages, seconds=item.plan.timeout_seconds)
        for item in multi
    ]
    results = await asyncio.gather(*jobs.values(), *several)
    analysis = {key: value for key, value in zip(jobs, results, strict=False) if value is not None}
    if multi:
        found = results[len(jobs) :]
        analysis["structuredDataMulti"] = [
            {item.key: value} for item, value in zip(multi, found, strict=True) if value is not None
        ]
    return analysis


def _questions(plan: AnalysisPlan, analyst: Analyst) -> dict[str, Coroutine[Any, Any, Any]]:
    """What the plan wants to know: the field of `analysis` → its asking."""
    jobs: dict[str, Coroutine[Any, Any, Any]] = {}
    summary, data, success = plan.summary_plan, plan.structured_data_plan, plan.success_evaluation_plan
    if summary is None or summary.enabled is not False:
        jobs["summary"] = analyst.ask(
            "summary",
            summary.messages if summary else None,
            plan.summary_prompt or _SUMMARY,
            summary.timeout_seconds if summary else None,
        )
    if (data is not None and data.enabled) or (data is None and plan.structured_data_schema):
        jobs["structuredData"] = analyst.ask_data(
            (data.json_schema if data else None) or plan.structured_data_schema,
            data.messages if data else None,
            plan.structured_data_prompt or _DATA,
            data.timeout_seconds if data else None,
        )
    if success is None or success.enabled is not False:
        rubric = (success.rubric if success else None) or plan.success_evaluation_rubric or "PassFail"
        jobs["successEvaluation"] = analyst.ask(
            "successEvaluation",
            success.messages if success else None,
            plan.success_evaluation_prompt or _EVALUATION,
            success.timeout_seconds if success else None,
            extra={"rubric": _RUBRICS.get(rubric, rubric)},
        )
    return jobs


async def structured_outputs(
    outputs: Mapping[str, StructuredOutput], analyst: Analyst | None, text: CallText
) -> JsonObject:
    """`artifact.structuredOutputs`: id → `{"name", "result"}`. A `regex` one needs no model."""

    async def one(output: StructuredOutput) -> Any:
        if output.type == "regex":
            try:
                return await asyncio.to_thread(Pattern(output.regex or "").find, text.transcript)
            except BadPattern:
                return None
        if analyst is None:
            return None
        return await analyst.ask_data(output.json_schema, kind="structuredOutput")

    results = await asyncio.gather(*(one(output) for output in outputs.values()))
    return {
        key: {"name": output.name, "result": result}
        for (key, output), result in zip(outputs.items(), results, strict=True)
    }


def _json(text: str) -> Any:
    """The JSON in a model's answer, with or without a Markdown fence around it."""
    fenced = re.search(r"```(?:json)?\s*(.*?)```", text, re.DOTALL)
    try:
        return read_json(fenced[1] if fenced else text)
    except ValueError as fault:
        log.warning("analysis_unreadable", reason=str(fault), text=Private(text[:200]))
        return None

"""Aggregate queries over calls (`POST /analytics`)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from ari_assistant.vapi.base import Contract

__all__ = ["AnalyticsOperation", "AnalyticsQueries", "AnalyticsQuery", "TimeRange"]


class AnalyticsOperation(Contract):
    """One figure."""

    operation: Literal["sum", "avg", "count", "min", "max", "history"]
    column: Literal[
        "id",
        "cost",
        "costBreakdown.llm",
        "costBreakdown.stt",
        "costBreakdown.tts",
        "costBreakdown.vapi",
        "costBreakdown.transport",
        "costBreakdown.analysisBreakdown.summary",
        "costBreakdown.transcriber",
        "costBreakdown.ttsCharacters",
        "costBreakdown.llmPromptTokens",
        "costBreakdown.llmCompletionTokens",
        "costBreakdown.llmCachedPromptTokens",
        "duration",
        "concurrency",
        "minutesUsed",
    ]
    alias: Annotated[str, Field(max_length=40)] | None = None

    @property
    def key(self) -> str:
        """The figure's name in the result: `countId`, `sumDuration`, or the alias."""
        column = self.column.rsplit(".", 1)[-1]
        return self.alias or f"{self.operation}{column[0].upper()}{column[1:]}"


class TimeRange(Contract):
    """Calls created from `start` on and before `end`, in steps where `step` is given."""

    step: (
        Literal[
            "second",
            "minute",
            "hour",
            "day",
            "week",
            "month",
            "quarter",
            "year",
            "decade",
            "century",
            "millennium",
        ]
        | None
    ) = None
    start: str | None = None
    end: str | None = None
    timezone: str | None = None

    @field_validator("start", "end")
    @classmethod
    def _is_time(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                raise ValueError("must be a valid ISO 8601 date string") from None
            if not 1970 <= moment.year <= 9_000:
                raise ValueError("must be a date from 1970 to 9000")
        return value

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ZoneInfo(value)
            except (KeyError, ValueError, OSError):
                raise ValueError("must be an IANA time zone, for example Europe/Berlin") from None
        return value


class VariableValueGroupBy(Contract):
    """Groups by the value that a variable had in the end."""

    key: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")]


class AnalyticsQuery(Contract):
    """One query."""

    table: Literal["call", "subscription"]
    name: Annotated[str, Field(max_length=40)]
    operations: Annotated[list[AnalyticsOperation], Field(min_length=1, max_length=50)]
    group_by: (
        list[Literal["type", "assistantId", "endedReason", "analysis.successEvaluation", "status"]] | None
    ) = None
    group_by_variable_value: Annotated[list[VariableValueGroupBy], Field(max_length=10)] | None = None
    time_range: TimeRange | None = None


class AnalyticsQueries(Contract):
    """`AnalyticsQueryDTO`."""

    queries: list[AnalyticsQuery]

"""Counts and sums over calls, grouped and in steps of time."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, literal, select
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from ari_assistant.store.tables import CallRow
from ari_assistant.vapi.analytics import AnalyticsOperation, AnalyticsQuery
from ari_assistant.vapi.base import JsonObject, iso

__all__ = ["run_query"]

_COLUMNS: dict[str, Any] = {
    "id": literal(1),
    "duration": CallRow.duration_seconds / 60.0,
    "costBreakdown.ttsCharacters": CallRow.voice_characters,
    "costBreakdown.llmPromptTokens": CallRow.prompt_tokens,
    "costBreakdown.llmCompletionTokens": CallRow.completion_tokens,
    "costBreakdown.llmCachedPromptTokens": CallRow.cached_prompt_tokens,
}
"""`duration` is in minutes. What is not here is money, of which this server takes none: 0."""
_GROUPS: dict[str, Any] = {
    "type": CallRow.type,
    "assistantId": CallRow.assistant_id,
    "endedReason": CallRow.ended_reason,
    "analysis.successEvaluation": CallRow.success_evaluation,
    "status": CallRow.status,
}
_MINUTE, _SECOND = 16, 19
"""Letters of an ISO time up to its minute, and its second."""


async def run_query(engine: AsyncEngine, query: AnalyticsQuery) -> JsonObject:
    """`{"name", "timeRange", "result"}`: one row a group and step, oldest step first.

    The database aggregates by minute (or second) at most; longer steps are put together here, so that time
    zones and calendars need nothing of the database.
    """
    span = query.time_range
    zone = ZoneInfo((span and span.timezone) or "UTC")
    step = span.step if span else None
    now = datetime.now(UTC)
    start = _moment(span.start if span else None, now - timedelta(days=7), zone)
    end = _moment(span.end if span else None, now, zone)
    time_range = {"start": iso(start), "end": iso(end), "timezone": str(zone), **({"step": step} if step else {})}
    if query.table != "call":
        return {"name": query.name, "timeRange": time_range, "result": []}

    groups: list[tuple[str, Any]] = [(name, _GROUPS[name]) for name in query.group_by or ()]
    for variable in query.group_by_variable_value or ():
        key = variable.key
        groups.append((key, CallRow.document[("artifact", "variableValues", key)].as_string()))
    bucket = func.substr(CallRow.created_at, 1, _SECOND if step == "second" else _MINUTE)
    keys = [expression for _, expression in groups] + ([bucket] if step else [])
    figures = []
    for operation in query.operations:
        column = _COLUMNS.get(operation.column, literal(0))
        figures += [func.count(column), func.sum(column), func.min(column), func.max(column)]
    statement = (
        select(*keys, *figures)
        .where(CallRow.created_at >= iso(start), CallRow.created_at < iso(end))
        .group_by(*keys)
    )
    sessions = async_sessionmaker(engine)
    async with sessions() as session:
        rows = (await session.execute(statement)).all()

    merged: dict[tuple[Any, ...], list[tuple[int, float, float, float]]] = {}
    parts: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for row in rows:
        values = list(row)
        group: tuple[Any, ...] = tuple(values[: len(groups)])
        if step:
            group = (_begin(datetime.fromisoformat(values[len(groups)]).replace(tzinfo=UTC), step, zone), *group)
        parts[group].append(values[len(keys) :])
    for group, found in parts.items():
        merged[group] = [_merge([p[4 * n : 4 * n + 4] for p in found]) for n in range(len(query.operations))]
    result = []
    for group in sorted(merged, key=lambda item: tuple(str(part) for part in item)):
        names = (["date"] if step else []) + [name for name, _ in groups]
        row_of: JsonObject = dict(zip(names, group, strict=True))
        for operation, figure in zip(query.operations, merged[group], strict=True):
            row_of[operation.key] = _figure(operation, figure)
        result.append(row_of)
    if not result and not groups and not step:
        result = [{operation.key: 0 for operation in query.operations}]
    return {"name": query.name, "timeRange": time_range, "result": result}


def _moment(text: str | None, default: datetime, zone: ZoneInfo) -> datetime:
    if text is None:
        return default
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _merge(parts: list[Any]) -> tuple[int, float, float, float]:
    count = sum(int(p[0] or 0) for p in parts)
    total = sum(float(p[1] or 0) for p in parts)
    return count, total, min(float(p[2] or 0) for p in parts), max(float(p[3] or 0) for p in parts)


def _figure(operation: AnalyticsOperation, figure: tuple[int, float, float, float]) -> float:
    count, total, least, most = figure
    value = {
        "count": float(count),
        "sum": total,
        "avg": total / count if count else 0.0,
        "min": least,
        "max": most,
    }[operation.operation]
    return round(value) if value == round(value) else round(value, 6)


def _begin(moment: datetime, step: str, zone: ZoneInfo) -> str:
    """When the step that `moment` lies in began, in `zone`."""
    local = moment.astimezone(zone)
    match step:
        case "second":
            local = local.replace(microsecond=0)
        case "minute":
            local = local.replace(second=0, microsecond=0)
        case "hour":
            local = local.replace(minute=0, second=0, microsecond=0)
        case _:
            local = local.replace(hour=0, minute=0, second=0, microsecond=0)
    match step:
        case "week":
            local -= timedelta(days=local.weekday())
        case "month":
            local = local.replace(day=1)
        case "quarter":
            local = local.replace(month=(local.month - 1) // 3 * 3 + 1, day=1)
        case "year" | "decade" | "century" | "millennium":
            years = {"year": 1, "decade": 10, "century": 100, "millennium": 1000}[step]
            local = local.replace(year=max(1, local.year // years * years), month=1, day=1)
    return local.isoformat(timespec="seconds")

"""`POST /analytics`: counts and sums over calls."""

from __future__ import annotations

from aiohttp import web

from ari_assistant.api.context import CONTEXT
from ari_assistant.api.endpoint import EndpointGroup
from ari_assistant.api.errors import ApiFault, json_object
from ari_assistant.store.analytics import run_query
from ari_assistant.vapi.analytics import AnalyticsQueries

__all__ = ["endpoints"]

endpoints = EndpointGroup("Analytics")
_MAX_QUERIES = 20


@endpoints.add(
    "POST",
    "/analytics",
    body=AnalyticsQueries,
    answer={"type": "array", "items": {"type": "object"}},
    status=201,
)
async def analytics(request: web.Request) -> web.Response:
    """Counts, sums, averages, least and greatest of calls, by group and by step of time."""
    body = AnalyticsQueries.model_validate(await json_object(request))
    if len(body.queries) > _MAX_QUERIES:
        raise ApiFault(400, [f"queries must contain no more than {_MAX_QUERIES} elements"])
    for number, query in enumerate(body.queries):
        for place, operation in enumerate(query.operations):
            if operation.operation == "history":
                path = f"queries.{number}.operations.{place}.operation"
                raise ApiFault(400, [f"{path} must be one of the following values: sum, avg, count, min, max"])
    engine = request.app[CONTEXT].store.engine
    return web.json_response([await run_query(engine, query) for query in body.queries], status=201)

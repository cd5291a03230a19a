"""`limit`, `createdAtGt`, … of the list endpoints, and pages of the paginated ones (§1)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime

from aiohttp import web

from ari_assistant.api.endpoint import Query
from ari_assistant.api.errors import ApiFault
from ari_assistant.store.repositories import Listing, Resource
from ari_assistant.vapi.base import JsonObject, iso

__all__ = ["LIST_QUERY", "PAGE_QUERY", "listed", "listing", "page_metadata", "wired"]

_TIMES = {
    f"{field}{suffix}": f"{column}_{suffix.lower()}"
    for field, column in (("createdAt", "created_at"), ("updatedAt", "updated_at"))
    for suffix in ("Gt", "Ge", "Lt", "Le")
}
LIST_QUERY = (
    Query("limit", {"type": "integer", "minimum": 0, "maximum": 1000, "default": 100}),
    *(Query(name, {"type": "string", "format": "date-time"}) for name in _TIMES),
)
PAGE_QUERY = (
    Query("page", {"type": "integer", "minimum": 1, "default": 1}),
    Query("sortOrder", {"type": "string", "enum": ["ASC", "DESC"], "default": "DESC"}),
    Query("sortBy", {"type": "string", "enum": ["createdAt"], "default": "createdAt"}),
    *LIST_QUERY,
)
_MAX_TEXT = 200


def listing(
    request: web.Request,
    equal: Mapping[str, str] | None = None,
    *,
    in_document: Collection[str] = (),
    paged: bool = False,
    search: bool = False,
) -> Listing:
    """Read the query. `equal` maps query names to columns, `in_document` names fields of the document that must
    have the given value. Raises ApiFault (400)."""
    faults: list[str] = []
    limit, page, oldest_first, part = 100, 1, False, None
    times: dict[str, str] = {}
    columns: dict[str, str] = {}
    fields: dict[str, str] = {}
    for name, value in request.query.items():
        if "\0" in value or len(value) > _MAX_TEXT or not value.isprintable():
            faults.append(f"{name} must be shorter than or equal to {_MAX_TEXT} printable characters")
        elif name == "limit":
            limit = _integer(name, value, 0, 1_000, faults)
        elif name in _TIMES:
            try:
                moment = datetime.fromisoformat(value)
                times[_TIMES[name]] = iso(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
            except (ValueError, OverflowError):
                faults.append(f"{name} must be a valid ISO 8601 date string")
        elif paged and name == "page":
            page = _integer(name, value, 1, 1_000_000, faults)
        elif paged and name == "sortOrder":
            if value not in ("ASC", "DESC"):
                faults.append("sortOrder must be one of the following values: ASC, DESC")
            oldest_first = value == "ASC"
        elif paged and name == "sortBy":
            if value != "createdAt":
                faults.append("sortBy must be one of the following values: createdAt")
        elif search and name == "search":
            # Where a number is meant, its `+` may be missing here, or there; in a query it often comes as a space.
            digits = value.strip().removeprefix("+")
            part = digits if digits.isdecimal() else value
        elif name in (equal or {}):
            columns[(equal or {})[name]] = value
        elif name in in_document:
            fields[name] = value
        else:
            faults.append(f"property {name} should not exist")
    if faults:
        raise ApiFault(400, faults)
    found = Listing(limit=limit, times=times, equal=columns, fields=fields, search=part, oldest_first=oldest_first)
    return replace(found, offset=(page - 1) * limit)


def _integer(name: str, value: str, least: int, most: int, faults: list[str]) -> int:
    if value.isdecimal() and least <= int(value) <= most:
        return int(value)
    faults.append(f"{name} must be an integer number from {least} to {most}")
    return least


async def wired(
    pages: AsyncGenerator[Sequence[Resource], None], wire: Callable[[Resource], JsonObject]
) -> AsyncGenerator[Sequence[str], None]:
    """Each resource as JSON, written in a thread."""
    async with aclosing(pages):
        async for page in pages:
            yield await asyncio.to_thread(_written, page, wire)


def _written(page: Sequence[Resource], wire: Callable[[Resource], JsonObject]) -> Sequence[str]:
    return [json.dumps(wire(resource)) for resource in page]


async def listed(
    request: web.Request, pages: AsyncGenerator[Sequence[str], None], metadata: JsonObject | None = None
) -> web.StreamResponse:
    """Answer with an array of what the pages hold, page by page; with `metadata` it is one of a paginated answer."""
    before = "[" if metadata is None else '{"results": ['
    after = "]" if metadata is None else f'], "metadata": {json.dumps(metadata)}}}'
    response: web.StreamResponse | None = None
    waiting, begun = before, False
    async with aclosing(pages):
        async for page in pages:
            if begun:  # more than one page: the answer is sent as it comes
                if response is None:
                    response = web.StreamResponse(headers={"Content-Type": "application/json; charset=utf-8"})
                    await response.prepare(request)
                    if request.method == "HEAD":
                        return response
                await response.write(waiting.encode())
                waiting = ", " if page else ""
            waiting += ", ".join(page)
            begun = begun or bool(page)
    if response is None:
        return web.Response(text=waiting + after, content_type="application/json")
    await response.write((waiting + after).encode())
    return response


def page_metadata(wanted: Listing, total: int) -> JsonObject:
    """`metadata` of a paginated answer (§1)."""
    size = max(1, wanted.limit)
    page = wanted.offset // size + 1
    return {
        "itemsPerPage": wanted.limit,
        "totalItems": total,
        "currentPage": page,
        "totalPages": -(-total // size),
        "hasNextPage": page * size < total,
        "sortOrder": "ASC" if wanted.oldest_first else "DESC",
    }

"""`/eval`: this server runs no evaluations and no simulations. A program that lists them finds none."""

from __future__ import annotations

from aiohttp import web

from ari_assistant.api.endpoint import EndpointGroup, Query
from ari_assistant.api.listing import PAGE_QUERY, listing, page_metadata

__all__ = ["endpoints"]

endpoints = EndpointGroup("Eval")
_TEXT = {"type": "string"}
_PAGED = ("/eval", "/eval/run")
_PLAIN = {
    "/eval/simulation": ("idAny", "standaloneOnly"),
    "/eval/simulation/personality": (),
    "/eval/simulation/scenario": ("idAny", "name"),
    "/eval/simulation/suite": ("name",),
    "/eval/simulation/run": ("status", "filterStatus", "targetType", "targetId"),
}
"""Path → its filters beside those of all lists."""


def _add_paged(path: str) -> None:
    query = (Query("id", _TEXT), *PAGE_QUERY)

    @endpoints.add("GET", path, query=query, answer={"type": "object"}, errors=(400,), summary="List: none")
    async def pages(request: web.Request) -> web.Response:
        wanted = listing(request, {"id": "id"}, paged=True)
        return web.json_response({"results": [], "metadata": page_metadata(wanted, 0)})


def _add_plain(path: str, filters: tuple[str, ...]) -> None:
    query = (*(Query(name, _TEXT) for name in filters), *PAGE_QUERY)
    answer = {"type": "array", "items": {"type": "object"}}

    @endpoints.add("GET", path, query=query, answer=answer, errors=(400,), summary="List: none")
    async def plain(request: web.Request) -> web.Response:
        listing(request, {name: name for name in filters}, paged=True)
        return web.json_response([])


for _path in _PAGED:
    _add_paged(_path)
for _path, _filters in _PLAIN.items():
    _add_plain(_path, _filters)

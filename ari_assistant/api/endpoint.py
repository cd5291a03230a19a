"""Endpoints that know their own description: routes and the OpenAPI document come from one place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from ari_assistant.api.errors import Handler
from ari_assistant.vapi.base import JsonObject

__all__ = ["Access", "Endpoint", "EndpointGroup", "Query"]

Access = Literal["private", "open"]
"""`private`: a private key is needed; `open`: none is."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query parameter, described by a JSON Schema."""

    name: str
    schema: JsonObject


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path. `body` and `answer` are pydantic schemas, or JSON Schemas as they are."""

    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    body: Any = None
    body_type: str = "application/json"
    body_required: bool = True
    query: tuple[Query, ...] = ()
    answer: Any = None
    answer_type: str = "application/json"
    status: int = 200
    errors: tuple[int, ...] = ()
    access: Access = "private"


@dataclass(slots=True)
class EndpointGroup:
    """The endpoints of one resource."""

    tag: str
    items: list[Endpoint] = field(default_factory=list)

    def add(self, method: str, path: str, **details: Any) -> Callable[[Handler], Handler]:
        """A decorator; the handler's docstring is the summary."""

        def register(handler: Handler) -> Handler:
            summary = details.pop("summary", None) or (handler.__doc__ or "").split("\n")[0].rstrip(".")
            self.items.append(Endpoint(method, path, handler, summary, self.tag, **details))
            return handler

        return register


def add_routes(app: web.Application, groups: Sequence[EndpointGroup]) -> None:
    """Serve all of them. GET also answers HEAD, as aiohttp does it."""
    for group in groups:
        for endpoint in group.items:
            if endpoint.method == "GET":
                app.router.add_get(endpoint.path, endpoint.handler)
            else:
                app.router.add_route(endpoint.method, endpoint.path, endpoint.handler)

"""The five endpoints that every stored resource has (§1.3)."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any, Protocol

from aiohttp import web
from pydantic import BaseModel, ConfigDict, TypeAdapter

from ari_assistant.api.context import CONTEXT, ApiContext
from ari_assistant.api.documents import Schema, created, patched
from ari_assistant.api.endpoint import EndpointGroup, Query
from ari_assistant.api.errors import ApiFault, json_object, not_found
from ari_assistant.api.listing import LIST_QUERY, listed, listing, wired
from ari_assistant.store.repositories import Change, Listing, Resource
from ari_assistant.vapi.base import JsonObject, new_id
from ari_assistant.vapi.json_text import check_size

__all__ = ["Crud", "StoredFields", "StoredResources", "found_in", "partial", "stored"]


class StoredResources(Protocol):
    """What the endpoints need of a repository."""

    async def get(self, resource_id: str) -> Resource | None: ...
    def pages(self, listing: Listing) -> AsyncGenerator[Sequence[Resource], None]: ...
    async def create(self, resource_id: str, document: JsonObject) -> Resource: ...
    async def change(self, resource_id: str, change: Change) -> Resource | None: ...
    async def delete(self, resource_id: str) -> Resource | None: ...


class StoredFields(BaseModel):
    """What every stored resource has beside its own fields (§1)."""

    model_config = ConfigDict(extra="allow")

    id: str
    orgId: str
    createdAt: str
    updatedAt: str


def stored(name: str, *schemas: type[BaseModel]) -> Any:
    """The schema of a stored resource, for the description."""
    made = [_beside_stored(name if len(schemas) == 1 else f"Stored{s.__name__}", s) for s in schemas]
    return made[0] if len(made) == 1 else TypeAdapter(reduce(or_, made))


def _beside_stored(name: str, schema: type[BaseModel]) -> type[BaseModel]:
    members = {"model_config": ConfigDict(extra="allow"), "__doc__": schema.__doc__, "__module__": __name__}
    return type(name, (schema, StoredFields), members)


def partial(name: str, *schemas: type[BaseModel]) -> JsonObject:
    """The JSON Schema of a PATCH's body: the resource's own fields, none of them required, each may be null."""
    properties: JsonObject = {}
    for schema in schemas:
        for key, field_info in schema.model_fields.items():
            properties[field_info.alias or key] = {}
    return {"type": "object", "title": name, "properties": properties, "additionalProperties": False}


async def found_in(resources: Any, noun: str, resource_id: str) -> Resource:
    """The resource with this id. Raises ApiFault (404)."""
    return await existing(resources, noun, resource_id, lambda own, id_: own.get(id_))


Act = Callable[[Any, str], Awaitable[Resource | None]]
"""`await act(resources, id)`: what is read or written, None when there is no resource with the id."""


async def existing(resources: Any, noun: str, resource_id: str, act: Act) -> Resource:
    """What `act` gives. Raises ApiFault (404); no id holds a NUL, which PostgreSQL would not take."""
    resource = await act(resources, resource_id) if "\0" not in resource_id else None
    if resource is None:
        raise not_found(noun, resource_id)
    return resource


async def _nothing(_: web.Request, __: JsonObject) -> None:
    return None


@dataclass(frozen=True)
class Crud:
    """Builds the endpoints of one resource."""

    path: str
    noun: str
    """In the text of a 404."""
    schema: Schema
    body: Any
    """The schema of POST's body, for the description."""
    patch: JsonObject
    answer: Any
    resources: Callable[[ApiContext], StoredResources]
    check: Callable[[web.Request, JsonObject], Awaitable[None]] = _nothing
    """Raises ApiFault when a document that fits the schema cannot be stored all the same."""
    wire: Callable[[Resource], JsonObject] = Resource.wire
    completed: Callable[[JsonObject, JsonObject], JsonObject] = lambda stored, patch: patch
    """What a PATCH means to a stored document: `wire` may have hidden a part of it."""
    two_spellings: bool = False
    """The resource knows `serverUrl` and `serverUrlSecret` beside `server`."""
    list_query: tuple[Query, ...] = LIST_QUERY
    list_answer: Any = field(default_factory=lambda: {"type": "array", "items": {"type": "object"}})
    endpoints: EndpointGroup = field(init=False)

    def __post_init__(self) -> None:
        group = EndpointGroup(self.noun)
        object.__setattr__(self, "endpoints", group)
        one = f"{self.path}/{{id}}"
        noun = f"{'an' if self.noun[0] in 'AEIO' else 'a'} {self.noun.lower()}"
        described, many = self.answer, self.list_answer
        add = group.add
        add("POST", self.path, body=self.body, answer=described, status=201, summary=f"Create {noun}")(self.create)
        add("GET", self.path, query=self.list_query, answer=many, errors=(400,), summary="List, newest first")(
            self.list_all
        )
        add("GET", one, answer=described, errors=(404,), summary=f"Get {noun}")(self.get)
        add("PATCH", one, body=self.patch, answer=described, errors=(404,), summary=f"Change {noun}")(self.update)
        add("DELETE", one, answer=described, errors=(400, 404), summary=f"Delete {noun}")(self.delete)

    async def found(self, request: web.Request) -> Resource:
        """The resource of the path. Raises ApiFault (404)."""
        return await found_in(self._resources(request), self.noun, request.match_info["id"])

    async def create(self, request: web.Request) -> web.Response:
        """Create: 201."""
        document = created(self.schema, await json_object(request), two_spellings=self.two_spellings)
        await self.check(request, document)
        resource = await self._resources(request).create(new_id(), document)
        return web.json_response(self.wire(resource), status=201)

    async def list_all(self, request: web.Request) -> web.StreamResponse:
        """All, newest first."""
        return await listed(request, wired(self._resources(request).pages(listing(request)), self.wire))

    async def get(self, request: web.Request) -> web.Response:
        """One."""
        return web.json_response(self.wire(await self.found(request)))

    async def update(self, request: web.Request) -> web.Response:
        """Change: absent keys keep their values, null clears."""
        patch = await json_object(request)

        async def change(document: JsonObject) -> JsonObject:
            given = self.completed(document, patch)
            document = patched(self.schema, document, given, two_spellings=self.two_spellings)
            await self.check(request, document)
            try:
                check_size(json.dumps(document, ensure_ascii=False))
            except ValueError as fault:
                raise ApiFault(400, f"with this change the document cannot be taken: {fault}") from None
            return document

        return web.json_response(
            self.wire(await self._existing(request, lambda own, id_: own.change(id_, change)))
        )

    async def delete(self, request: web.Request) -> web.Response:
        """Delete and return what it was. A body is accepted and not read."""
        return web.json_response(self.wire(await self._existing(request, lambda own, id_: own.delete(id_))))

    async def _existing(self, request: web.Request, act: Act) -> Resource:
        return await existing(self._resources(request), self.noun, request.match_info["id"], act)

    def _resources(self, request: web.Request) -> StoredResources:
        return self.resources(request.app[CONTEXT])

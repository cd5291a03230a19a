"""The five endpoints that every stored resource has (§1.3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any, Protocol

from aiohttp import web
from pydantic import BaseModel, ConfigDict, TypeAdapter

from ari_assistant.api.context import CONTEXT, ApiContext
from ari_assistant.api.documents import Schema, created, patched
from ari_assistant.api.endpoint import Endpoints, Query
from ari_assistant.api.errors import json_object, not_found
from ari_assistant.api.listing import LIST_QUERY, listing
from ari_assistant.store.repositories import Listing, Resource
from ari_assistant.vapi.base import JsonObject, new_id

__all__ = ["Crud", "Stored", "StoredResources", "found_in", "partial", "stored"]


class StoredResources(Protocol):
    """What the endpoints need of a repository."""

    async def get(self, resource_id: str) -> Resource | None: ...
    async def list(self, listing: Listing) -> list[Resource]: ...
    async def create(self, resource_id: str, document: JsonObject) -> Resource: ...
    async def replace(self, resource_id: str, document: JsonObject) -> Resource | None: ...
    async def delete(self, resource_id: str) -> Resource | None: ...


class Stored(BaseModel):
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
    return type(name, (schema, Stored), members)


def partial(name: str, *schemas: type[BaseModel]) -> JsonObject:
    """The JSON Schema of a PATCH's body: the resource's own fields, none of them required, each may be null."""
    properties: JsonObject = {}
    for schema in schemas:
        for key, field_info in schema.model_fields.items():
            properties[field_info.alias or key] = {}
    return {"type": "object", "title": name, "properties": properties, "additionalProperties": False}


async def found_in(resources: Any, noun: str, resource_id: str) -> Resource:
    """The resource with this id. Raises ApiFault (404); no id holds a NUL, which PostgreSQL would not take."""
    resource: Resource | None = await resources.get(resource_id) if "\0" not in resource_id else None
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
    endpoints: Endpoints = field(init=False)

    def __post_init__(self) -> None:
        group = Endpoints(self.noun)
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

    async def list_all(self, request: web.Request) -> web.Response:
        """All, newest first."""
        found = await self._resources(request).list(listing(request))
        return web.json_response([self.wire(resource) for resource in found])

    async def get(self, request: web.Request) -> web.Response:
        """One."""
        return web.json_response(self.wire(await self.found(request)))

    async def update(self, request: web.Request) -> web.Response:
        """Change: absent keys keep their values, null clears."""
        resource = await self.found(request)
        patch = self.completed(resource.document, await json_object(request))
        document = patched(self.schema, resource.document, patch, two_spellings=self.two_spellings)
        await self.check(request, document)
        replaced = await self._resources(request).replace(resource.id, document)
        if replaced is None:
            raise not_found(self.noun, resource.id)
        return web.json_response(self.wire(replaced))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete and return what it was. A body is accepted and not read."""
        resource = await self.found(request)
        await self._resources(request).delete(resource.id)
        return web.json_response(self.wire(resource))

    def _resources(self, request: web.Request) -> StoredResources:
        return self.resources(request.app[CONTEXT])

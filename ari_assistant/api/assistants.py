"""`/assistant` (§2)."""

from __future__ import annotations

from aiohttp import web
from pydantic import ValidationError

from ari_assistant.api.context import CONTEXT
from ari_assistant.api.documents import created, patched
from ari_assistant.api.errors import ApiFault, json_object, not_found
from ari_assistant.api.listing import listing
from ari_assistant.calls.models import rules_config
from ari_assistant.store.repositories import Resource
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject, new_id
from ari_assistant.vapi.error import validation_messages

__all__ = ["routes"]

routes = web.RouteTableDef()


def _checked(document: JsonObject) -> JsonObject:
    try:
        rules_config(Assistant.model_validate(document))
    except ValidationError as fault:
        raise ApiFault(400, [f"model.{text}" for text in validation_messages(fault)]) from None
    return document


async def _found(request: web.Request) -> Resource:
    resource_id = request.match_info["id"]
    resource = await request.app[CONTEXT].catalogue.assistant(resource_id)
    if resource is None:
        raise not_found("Assistant", resource_id)
    return resource


@routes.post("/assistant")
async def create(request: web.Request) -> web.Response:
    """Create an assistant: 201."""
    document = _checked(created(Assistant, await json_object(request)))
    resource = await request.app[CONTEXT].catalogue.create_assistant(new_id(), document)
    return web.json_response(resource.wire(), status=201)


@routes.get("/assistant")
async def list_all(request: web.Request) -> web.Response:
    """The assistants, newest first."""
    found = await request.app[CONTEXT].catalogue.list_assistants(listing(request))
    return web.json_response([resource.wire() for resource in found])


@routes.get("/assistant/{id}")
async def get(request: web.Request) -> web.Response:
    """One assistant."""
    return web.json_response((await _found(request)).wire())


@routes.patch("/assistant/{id}")
async def update(request: web.Request) -> web.Response:
    """Change an assistant."""
    resource = await _found(request)
    document = _checked(patched(Assistant, resource.document, await json_object(request)))
    replaced = await request.app[CONTEXT].catalogue.replace_assistant(resource.id, document)
    if replaced is None:
        raise not_found("Assistant", resource.id)
    return web.json_response(replaced.wire())


@routes.delete("/assistant/{id}")
async def delete(request: web.Request) -> web.Response:
    """Delete an assistant and return what it was. A body is accepted and not read."""
    resource = await _found(request)
    await request.app[CONTEXT].catalogue.delete_assistant(resource.id)
    return web.json_response(resource.wire())

"""`/phone-number` of provider `vapi` (§3.1)."""

from __future__ import annotations

from aiohttp import web

from ari_assistant.api.context import CONTEXT
from ari_assistant.api.documents import created, patched
from ari_assistant.api.errors import ApiFault, json_object, not_found
from ari_assistant.api.listing import listing
from ari_assistant.store.repositories import Resource
from ari_assistant.vapi.base import JsonObject, new_id
from ari_assistant.vapi.phone_number import PhoneNumber

__all__ = ["routes"]

routes = web.RouteTableDef()


def _wire(resource: Resource) -> JsonObject:
    return {"assistantId": None, "status": "active", **resource.wire()}


async def _check_assistant(request: web.Request, document: JsonObject) -> None:
    assistant_id = document.get("assistantId")
    if assistant_id is not None and await request.app[CONTEXT].catalogue.assistant(assistant_id) is None:
        raise ApiFault(400, f"Couldn't Get Assistant. `assistantId` {assistant_id} Does Not Exist.")


async def _found(request: web.Request) -> Resource:
    resource_id = request.match_info["id"]
    resource = await request.app[CONTEXT].catalogue.phone_number(resource_id)
    if resource is None:
        raise not_found("Phone number", resource_id)
    return resource


@routes.post("/phone-number")
async def create(request: web.Request) -> web.Response:
    """Create a phone number: 201."""
    body = await json_object(request)
    provider = body.get("provider")
    if isinstance(provider, str) and provider != "vapi":
        raise ApiFault(
            400, [f"provider must be one of the following values: vapi ({provider} numbers need a trunk)"]
        )
    document = created(PhoneNumber, body)
    await _check_assistant(request, document)
    resource = await request.app[CONTEXT].catalogue.create_phone_number(new_id(), document)
    return web.json_response(_wire(resource), status=201)


@routes.get("/phone-number")
async def list_all(request: web.Request) -> web.Response:
    """The phone numbers, newest first."""
    found = await request.app[CONTEXT].catalogue.list_phone_numbers(listing(request))
    return web.json_response([_wire(resource) for resource in found])


@routes.get("/phone-number/{id}")
async def get(request: web.Request) -> web.Response:
    """One phone number."""
    return web.json_response(_wire(await _found(request)))


@routes.patch("/phone-number/{id}")
async def update(request: web.Request) -> web.Response:
    """Change a phone number. `assistantId: null` with a `serverUrl` makes every call ask that server."""
    resource = await _found(request)
    document = patched(PhoneNumber, resource.document, await json_object(request))
    await _check_assistant(request, document)
    replaced = await request.app[CONTEXT].catalogue.replace_phone_number(resource.id, document)
    if replaced is None:
        raise not_found("Phone number", resource.id)
    return web.json_response(_wire(replaced))


@routes.delete("/phone-number/{id}")
async def delete(request: web.Request) -> web.Response:
    """Delete a phone number and return what it was."""
    resource = await _found(request)
    await request.app[CONTEXT].catalogue.delete_phone_number(resource.id)
    return web.json_response(_wire(resource))

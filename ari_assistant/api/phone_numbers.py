"""`/phone-number` (§3) and `/v2/phone-number`."""

from __future__ import annotations

from aiohttp import web

from ari_assistant.api.context import CONTEXT
from ari_assistant.api.crud import Crud, partial, stored
from ari_assistant.api.endpoint import EndpointGroup, Query
from ari_assistant.api.errors import ApiFault
from ari_assistant.api.listing import PAGE_QUERY, listed, listing, page_metadata, wired
from ari_assistant.store.repositories import Resource
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.phone_number import ByoPhoneNumber, PhoneNumber, phone_number_schema

__all__ = ["endpoints"]


class _PhoneNumbers(Crud):
    """The schema is chosen by `provider`; who answers must exist."""

    async def create(self, request: web.Request) -> web.Response:
        """Create a phone number: 201."""
        answer = await Crud.create(self, request)
        request.app[CONTEXT].operations.numbers_changed()
        return answer

    async def update(self, request: web.Request) -> web.Response:
        """Change it. `assistantId: null` with a `serverUrl` makes every call ask that server."""
        answer = await Crud.update(self, request)
        request.app[CONTEXT].operations.numbers_changed()
        return answer

    async def delete(self, request: web.Request) -> web.Response:
        """Delete it and return what it was."""
        answer = await Crud.delete(self, request)
        request.app[CONTEXT].operations.numbers_changed()
        return answer


def _wire(resource: Resource) -> JsonObject:
    return {"assistantId": None, "status": "active", **resource.wire()}


async def _check(request: web.Request, document: JsonObject) -> None:
    catalogue = request.app[CONTEXT].store.catalogue
    assistant_id, squad_id = document.get("assistantId"), document.get("squadId")
    if assistant_id is not None and await catalogue.assistants.get(assistant_id) is None:
        raise ApiFault(400, f"Couldn't Get Assistant. `assistantId` {assistant_id} Does Not Exist.")
    if squad_id is not None and await catalogue.squads.get(squad_id) is None:
        raise ApiFault(400, f"Couldn't Get Squad. `squadId` {squad_id} Does Not Exist.")
    if document.get("workflowId") is not None:
        raise ApiFault(
            400, ["workflowId must be absent: this server has no workflows, use assistantId or squadId"]
        )
    if document["provider"] == "byo-phone-number":
        credential = await catalogue.credentials.get(document["credentialId"])
        if credential is None or credential.document.get("provider") != "byo-sip-trunk":
            raise ApiFault(400, ["credentialId must be the id of a credential with provider byo-sip-trunk"])


_crud = _PhoneNumbers(
    path="/phone-number",
    noun="Phone number",
    schema=phone_number_schema,
    body=phone_number_schema,
    patch=partial("PhoneNumberPatch", PhoneNumber, ByoPhoneNumber),
    answer=stored("StoredPhoneNumber", PhoneNumber, ByoPhoneNumber),
    resources=lambda context: context.store.catalogue.phone_numbers,
    check=_check,
    two_spellings=True,
    wire=_wire,
)
endpoints: EndpointGroup = _crud.endpoints
SEARCH = Query("search", {"type": "string", "maxLength": 100})


@endpoints.add("GET", "/v2/phone-number", query=(SEARCH, *PAGE_QUERY), answer={"type": "object"}, errors=(400,))
async def pages(request: web.Request) -> web.StreamResponse:
    """Search and page through phone numbers."""
    numbers = request.app[CONTEXT].store.catalogue.phone_numbers
    wanted = listing(request, paged=True, search=True)
    return await listed(
        request, wired(numbers.pages(wanted), _wire), page_metadata(wanted, await numbers.count(wanted))
    )

"""`/structured-output`: what an analysis takes out of a call."""

from __future__ import annotations

from aiohttp import web

from ari_assistant.api.context import CONTEXT
from ari_assistant.api.crud import Crud, partial, stored
from ari_assistant.api.endpoint import Query
from ari_assistant.api.errors import ApiFault
from ari_assistant.api.listing import PAGE_QUERY, listed, listing, page_metadata, wired
from ari_assistant.store.repositories import Resource
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.pattern import BadPattern, Pattern
from ari_assistant.vapi.structured_output import StructuredOutput

__all__ = ["endpoints"]


async def _check(_: web.Request, document: JsonObject) -> None:
    if document.get("type") == "regex":
        try:
            Pattern(document.get("regex") or "")
        except BadPattern as fault:
            raise ApiFault(400, [f"regex must be a regular expression: {fault}"]) from None


class _StructuredOutputs(Crud):
    """Their list is paginated."""

    async def list_all(self, request: web.Request) -> web.StreamResponse:
        """All, newest first, in pages."""
        outputs = request.app[CONTEXT].store.catalogue.structured_outputs
        wanted = listing(request, {"id": "id"}, paged=True)
        metadata = page_metadata(wanted, await outputs.count(wanted))
        return await listed(request, wired(outputs.pages(wanted), Resource.wire), metadata)


endpoints = _StructuredOutputs(
    path="/structured-output",
    noun="Structured output",
    schema=StructuredOutput,
    body=StructuredOutput,
    patch=partial("StructuredOutputPatch", StructuredOutput),
    answer=stored("StoredStructuredOutput", StructuredOutput),
    resources=lambda context: context.store.catalogue.structured_outputs,
    check=_check,
    list_query=(Query("id", {"type": "string"}), *PAGE_QUERY),
    list_answer={"type": "object"},
).endpoints

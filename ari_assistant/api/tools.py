"""`/tool`, `/squad`, `/structured-output` and `/credential`: stored, validated, used by calls."""

from __future__ import annotations

from aiohttp import web

from ari_assistant.api.context import CONTEXT
from ari_assistant.api.crud import Crud, partial, stored
from ari_assistant.api.endpoint import Query
from ari_assistant.api.errors import ApiFault
from ari_assistant.api.listing import PAGE_QUERY, listed, listing, page_metadata, wired
from ari_assistant.store.repositories import Resource
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.credential import (
    ByoSipTrunkCredential,
    CustomCredential,
    ProviderCredential,
    WebhookCredential,
    credential_schema,
    credential_union,
)
from ari_assistant.vapi.pattern import BadPattern, Pattern
from ari_assistant.vapi.secret import with_secrets_of, without_secrets
from ari_assistant.vapi.squad import Squad
from ari_assistant.vapi.structured_output import StructuredOutput
from ari_assistant.vapi.tool import (
    ApiRequestTool,
    DtmfTool,
    EndCallTool,
    FunctionTool,
    OtherTool,
    TransferCallTool,
    tool_schema,
)

__all__ = ["credentials", "squads", "structured_outputs", "tools"]

_TOOLS = (FunctionTool, EndCallTool, TransferCallTool, DtmfTool, ApiRequestTool, OtherTool)
_CREDENTIALS = (CustomCredential, WebhookCredential, ByoSipTrunkCredential, ProviderCredential)


async def _check_squad(request: web.Request, document: JsonObject) -> None:
    assistants = request.app[CONTEXT].catalogue.assistants
    for number, member in enumerate(document["members"]):
        assistant_id = member.get("assistantId")
        if assistant_id is not None and await assistants.get(assistant_id) is None:
            raise ApiFault(400, [f"members.{number}.assistantId {assistant_id} does not exist"])


async def _check_output(_: web.Request, document: JsonObject) -> None:
    if document.get("type") == "regex":
        try:
            Pattern(document.get("regex") or "")
        except BadPattern as fault:
            raise ApiFault(400, [f"regex must be a regular expression: {fault}"]) from None


def _without_secrets(resource: Resource) -> JsonObject:
    return without_secrets(resource.wire(), credential_union)


def _with_hidden(stored: JsonObject, patch: JsonObject) -> JsonObject:
    """A program that sends back what it was shown does not lose what it was not shown; nor does a key become that of
    another provider, which is asked elsewhere."""
    if patch.get("provider", stored["provider"]) != stored["provider"]:
        hidden = stored.keys() - without_secrets(stored, credential_union).keys()
        return dict.fromkeys(hidden) | patch
    named = {key: value for key, value in stored.items() if key in patch}
    return with_secrets_of(named, patch, credential_union)


_anything: JsonObject = {"type": "object"}

tools = Crud(
    path="/tool",
    noun="Tool",
    schema=tool_schema,
    body=tool_schema,
    patch={"type": "object", "title": "ToolPatch"},
    answer=stored("StoredTool", *_TOOLS),
    resources=lambda context: context.catalogue.tools,
).endpoints
squads = Crud(
    path="/squad",
    noun="Squad",
    schema=Squad,
    body=Squad,
    patch=partial("SquadPatch", Squad),
    answer=stored("StoredSquad", Squad),
    resources=lambda context: context.catalogue.squads,
    check=_check_squad,
).endpoints
credentials = Crud(
    path="/credential",
    noun="Credential",
    schema=credential_schema,
    body=credential_union,
    patch={"type": "object", "title": "CredentialPatch"},
    answer={"type": "object"},
    resources=lambda context: context.catalogue.credentials,
    wire=_without_secrets,
    completed=_with_hidden,
).endpoints


class _StructuredOutputs(Crud):
    """Their list is paginated."""

    async def list_all(self, request: web.Request) -> web.StreamResponse:
        """All, newest first, in pages."""
        outputs = request.app[CONTEXT].catalogue.structured_outputs
        wanted = listing(request, {"id": "id"}, paged=True)
        metadata = page_metadata(wanted, await outputs.count(wanted))
        return await listed(request, wired(outputs.pages(wanted), Resource.wire), metadata)


structured_outputs = _StructuredOutputs(
    path="/structured-output",
    noun="Structured output",
    schema=StructuredOutput,
    body=StructuredOutput,
    patch=partial("StructuredOutputPatch", StructuredOutput),
    answer=stored("StoredStructuredOutput", StructuredOutput),
    resources=lambda context: context.catalogue.structured_outputs,
    check=_check_output,
    list_query=(Query("id", {"type": "string"}), *PAGE_QUERY),
    list_answer=_anything,
).endpoints

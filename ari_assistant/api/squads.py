"""`/squad`: assistants that hand a call over to each other."""

from __future__ import annotations

from aiohttp import web

from ari_assistant.api.context import CONTEXT
from ari_assistant.api.crud import Crud, partial, stored
from ari_assistant.api.errors import ApiFault
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.squad import Squad

__all__ = ["endpoints"]


async def _check(request: web.Request, document: JsonObject) -> None:
    assistants = request.app[CONTEXT].store.catalogue.assistants
    for number, member in enumerate(document["members"]):
        assistant_id = member.get("assistantId")
        if assistant_id is not None and await assistants.get(assistant_id) is None:
            raise ApiFault(400, [f"members.{number}.assistantId {assistant_id} does not exist"])


endpoints = Crud(
    path="/squad",
    noun="Squad",
    schema=Squad,
    body=Squad,
    patch=partial("SquadPatch", Squad),
    answer=stored("StoredSquad", Squad),
    resources=lambda context: context.store.catalogue.squads,
    check=_check,
).endpoints

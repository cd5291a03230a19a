"""From what a program names (`assistantId`, `assistant`, `squadId`, `squad`) to one assistant's document."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from ari_assistant.store.catalogue import Catalogue
from ari_assistant.vapi.assistant import Assistant, AssistantOverrides
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.error import validation_messages
from ari_assistant.vapi.overrides import merge_overrides
from ari_assistant.vapi.server import normalise_server
from ari_assistant.vapi.squad import Squad

__all__ = ["AssistantMissing", "AssistantUnusable", "Chosen", "choose_assistant"]


class AssistantMissing(Exception):
    """An id that nothing has."""


class AssistantUnusable(Exception):
    """What was given is no assistant; the text says why."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who answers. `assistant_id` is None for a transient one; `document` has the overrides in it."""

    assistant_id: str | None
    document: JsonObject
    overrides: JsonObject
    squad_id: str | None = None


async def choose_assistant(catalogue: Catalogue, body: JsonObject) -> Chosen | None:
    """Read `assistant`, `assistantId`, `squad`, `squadId` with their overrides, in that order; None when there is
    none of them. Of a squad the first member answers.

    Raises AssistantMissing and AssistantUnusable.
    """
    overrides = _overrides(body.get("assistantOverrides"))
    if body.get("assistant") is not None:
        document = _assistant(body["assistant"])
        return Chosen(None, merge_overrides(document, overrides), overrides)
    if body.get("assistantId") is not None:
        found = await _stored(catalogue, str(body["assistantId"]))
        return Chosen(found[0], merge_overrides(found[1], overrides), overrides)
    squad_id: str | None = None
    if body.get("squad") is not None:
        given = body["squad"]
    elif body.get("squadId") is not None:
        squad_id = str(body["squadId"])
        resource = await catalogue.squads.get(squad_id)
        if resource is None:
            raise AssistantMissing(f"`squadId` {squad_id} does not exist")
        given = resource.document
    else:
        return None
    try:
        squad = Squad.model_validate(given)
    except ValidationError as fault:
        raise AssistantUnusable("; ".join(f"squad.{text}" for text in validation_messages(fault))) from None
    member = squad.members[0]
    if member.assistant is not None:
        assistant_id, document = None, normalise_server(member.assistant.wire())
    else:
        assistant_id, document = await _stored(catalogue, str(member.assistant_id))
    for layer in (member.assistant_overrides, squad.members_overrides):
        if layer is not None:
            document = merge_overrides(document, normalise_server(layer.wire()))
    laid = _overrides(body.get("squadOverrides")) | overrides
    return Chosen(assistant_id, merge_overrides(document, laid), laid, squad_id)


async def _stored(catalogue: Catalogue, assistant_id: str) -> tuple[str, JsonObject]:
    found = await catalogue.assistants.get(assistant_id)
    if found is None:
        raise AssistantMissing(f"`assistantId` {assistant_id} does not exist")
    return found.id, found.document


def _assistant(given: object) -> JsonObject:
    try:
        return normalise_server(Assistant.model_validate(given).wire())
    except ValidationError as fault:
        raise AssistantUnusable("; ".join(validation_messages(fault))) from None


def _overrides(given: object) -> JsonObject:
    try:
        return normalise_server(AssistantOverrides.model_validate(given or {}).wire())
    except ValidationError as fault:
        raise AssistantUnusable(
            "; ".join(f"assistantOverrides.{text}" for text in validation_messages(fault))
        ) from None

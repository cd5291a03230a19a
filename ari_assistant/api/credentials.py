"""`/credential`: keys and trunks, whose secrets are never shown again."""

from __future__ import annotations

from ari_assistant.api.crud import Crud
from ari_assistant.store.repositories import Resource
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.credential import credential_schema, credential_union
from ari_assistant.vapi.secret import with_secrets_of, without_secrets

__all__ = ["endpoints"]


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


endpoints = Crud(
    path="/credential",
    noun="Credential",
    schema=credential_schema,
    body=credential_union,
    patch={"type": "object", "title": "CredentialPatch"},
    answer={"type": "object"},
    resources=lambda context: context.store.catalogue.credentials,
    wire=_without_secrets,
    completed=_with_hidden,
).endpoints

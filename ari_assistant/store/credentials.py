"""Looking a credential up."""

from __future__ import annotations

from pydantic import ValidationError

from ari_assistant.store.catalogue import Catalogue
from ari_assistant.vapi.credential import (
    AuthenticationPlan,
    CustomCredential,
    WebhookCredential,
    credential_schema,
)

__all__ = ["authentication_plan"]


async def authentication_plan(catalogue: Catalogue, credential_id: str) -> AuthenticationPlan | None:
    """How requests are authenticated with a stored credential; None when there is none, or it is of another kind."""
    resource = await catalogue.credentials.get(credential_id)
    if resource is None:
        return None
    try:
        credential = credential_schema.validate_python(resource.document)
    except ValidationError:
        return None
    return credential.authentication_plan if isinstance(credential, CustomCredential | WebhookCredential) else None

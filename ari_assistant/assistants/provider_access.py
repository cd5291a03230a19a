"""Keys and addresses of providers: who may be asked, where, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ari_assistant.providers.errors import ProviderError
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.store.repositories import Listing
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject

__all__ = ["ProviderAccess", "access_for", "canonical", "fell_back"]

log = get_logger("assistants.provider_access")

_FLEXIBLE = {"elevenlabs": "11labs", "eleven-labs": "11labs", "together": "together-ai", "deepseek": "deep-seek"}


@dataclass(frozen=True, slots=True)
class ProviderAccess:
    """Provider → key, and provider → base URL where it is not the vendor's own."""

    keys: Mapping[str, str] = field(default_factory=dict)
    urls: Mapping[str, str] = field(default_factory=dict)

    def key(self, provider: str) -> str | None:
        """The key, or None."""
        return self.keys.get(canonical(provider))

    def url(self, provider: str, default: str) -> str:
        """Where it is asked, without a slash at the end."""
        return self.urls.get(canonical(provider), default).rstrip("/")

    def knows(self, provider: str) -> bool:
        """There is a key, or an address that may need none."""
        return canonical(provider) in self.keys or canonical(provider) in self.urls


def canonical(provider: str) -> str:
    """The contract's name of a provider (§13)."""
    return _FLEXIBLE.get(provider, provider)


async def access_for(assistant: Assistant, catalogue: Catalogue, installation: ProviderAccess) -> ProviderAccess:
    """The assistant's own `credentials`, then stored ones (those of its `credentialIds` before others), then the
    installation's settings."""
    stored = await catalogue.credentials.list(Listing(limit=1000))
    chosen = set(assistant.credential_ids or ())
    stored.sort(key=lambda resource: resource.id in chosen)
    keys = dict(installation.keys)
    for document in [*(r.document for r in stored), *(assistant.credentials or ())]:
        if (found := _key_of(document)) is not None:
            keys[found[0]] = found[1]
    return ProviderAccess(keys, installation.urls)


def _key_of(document: JsonObject) -> tuple[str, str] | None:
    provider, key = document.get("provider"), document.get("apiKey")
    if not isinstance(provider, str) or not isinstance(key, str) or not key:
        return None
    return canonical(provider), key


def fell_back(what: str, fault: ProviderError) -> None:
    """Log that a provider failed and the next one is tried."""
    log.warning("provider_fallback", what=what, provider=fault.provider, reason=str(fault))

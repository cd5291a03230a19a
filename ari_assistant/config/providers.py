"""Settings that concern providers, as the calls want them."""

from __future__ import annotations

from ari_assistant.assistants.model_providers import ChatEndpoint
from ari_assistant.assistants.provider_access import ProviderAccess, canonical
from ari_assistant.config.settings import Settings

__all__ = ["chat_endpoint", "provider_access"]


def chat_endpoint(settings: Settings) -> ChatEndpoint:
    """The language model of assistants that name none of their own."""
    return ChatEndpoint(
        url=settings.chat_url,
        api_key=settings.chat_api_key.get_secret_value() if settings.chat_api_key else None,
        model=settings.chat_model,
    )


def provider_access(settings: Settings) -> ProviderAccess:
    """The installation's keys and addresses."""
    return ProviderAccess(
        keys={canonical(name): key for name, key in settings.keys_by_provider.items()},
        urls={canonical(name): url for name, url in settings.urls_by_provider.items()},
    )

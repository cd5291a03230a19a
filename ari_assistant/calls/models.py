"""Which model answers for an assistant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ari_assistant.calls.services import Fill
from ari_assistant.dialogue.rules import RulesConfig, RulesModel
from ari_assistant.providers.model import Model
from ari_assistant.providers.openai import OpenAIModel, base_url
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.model import BUILT_IN

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ["ChatEndpoint", "ModelChoice", "rules_config"]


class ChatEndpoint:
    """The OpenAI-compatible endpoint that the settings name, if any."""

    def __init__(self, *, url: str | None = None, api_key: str | None = None, model: str | None = None) -> None:
        self.url = url or ("https://api.openai.com/v1" if api_key else None)
        self.api_key = api_key
        self.model = model or "gpt-4.1-mini"


def rules_config(assistant: Assistant) -> RulesConfig:
    """The built-in dialogue's part of an assistant. Raises pydantic.ValidationError, with the paths as they
    are below `model`."""
    if assistant.model is None or assistant.model.provider != BUILT_IN:
        return RulesConfig()
    return RulesConfig.model_validate(assistant.model.model_extra or {})


class ModelChoice:
    """Chooses and keeps the clients; one connection pool an endpoint."""

    def __init__(self, endpoint: ChatEndpoint) -> None:
        self._endpoint = endpoint
        self._clients: dict[tuple[str, str, tuple[tuple[str, str], ...], float], AsyncOpenAI] = {}

    def choose(self, assistant: Assistant, fill: Fill) -> Model:
        """`built-in` is the deterministic dialogue. A model with a `url` is asked there (`custom-llm`). Any other
        provider is asked at the endpoint of the settings, and answered by the built-in dialogue when there is
        none, so that no assistant is without a voice."""
        model = assistant.model
        if model is not None and model.provider != BUILT_IN and model.url:
            client = self._client(model.url, None, model.headers or {}, model.timeout_seconds or 20)
            return OpenAIModel(client, model=model.model or "default", name=model.provider)
        wants_endpoint = model is None or model.provider != BUILT_IN
        if wants_endpoint and self._endpoint.url is not None:
            client = self._client(self._endpoint.url, self._endpoint.api_key, {}, 20)
            return OpenAIModel(client, model=self._endpoint.model, name="openai")
        return RulesModel(rules_config(assistant), fill)

    def _client(self, url: str, key: str | None, headers: dict[str, str], seconds: float) -> AsyncOpenAI:
        from openai import AsyncOpenAI

        identity = (base_url(url), key or "", tuple(sorted(headers.items())), seconds)
        if identity not in self._clients:
            self._clients[identity] = AsyncOpenAI(
                base_url=identity[0],
                api_key=key or "none",
                default_headers=headers,
                timeout=seconds,
                max_retries=0,
            )
        return self._clients[identity]

    async def aclose(self) -> None:
        """Close all connections."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.close()

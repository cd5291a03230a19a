"""Which model answers for an assistant."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextvars import ContextVar
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any

from ari_assistant.assistants.provider_access import ProviderAccess, canonical, fell_back
from ari_assistant.dialogue.rules.config import RulesConfig, rules_config
from ari_assistant.dialogue.rules.model import RulesModel
from ari_assistant.dialogue.template import TemplateRenderer, fill_for_speech
from ari_assistant.providers.fallback import FallbackModel
from ari_assistant.providers.model import Model, ModelEvent, ModelRequest
from ari_assistant.providers.openai import CHAT_PROVIDERS, OpenAIModel, base_url
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.model import BUILT_IN, CUSTOM_LLM
from ari_assistant.webhooks.redirects import followed
from ari_assistant.webhooks.url_policy import UrlPolicy

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ["ChatEndpoint", "ModelChoice"]

_MAX_CLIENTS = 64


class ChatEndpoint:
    """The OpenAI-compatible endpoint that the settings name, if any."""

    def __init__(self, *, url: str | None = None, api_key: str | None = None, model: str | None = None) -> None:
        self.url = url or (CHAT_PROVIDERS["openai"] if api_key else None)
        self.api_key = api_key
        self.model = model or "gpt-4.1-mini"


@cache
def _certificates() -> ssl.SSLContext:
    """The certificates that all clients trust. Reading them takes 20 ms, the library's first import half a second."""
    import httpx2
    import openai.resources.chat.completions  # noqa: F401

    return httpx2.create_ssl_context()


class BuiltInDialogue:
    """The built-in dialogue of one call, worked out in a thread: an operator may have given it a thousand facts. What
    is made of an assistant's facts is kept for its next call."""

    name = BUILT_IN

    def __init__(self, config: RulesConfig, fill: TemplateRenderer) -> None:
        self._config = config
        self._fill = fill

    async def reply(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """See `Model`."""
        for event in await asyncio.to_thread(self._events, request):
            yield event

    def _events(self, request: ModelRequest) -> list[ModelEvent]:
        filling = _filling.set(self._fill)
        try:
            return _finished(_all_of(_dialogue(self._config.model_dump_json()).reply(request)))
        finally:
            _filling.reset(filling)


_filling: ContextVar[TemplateRenderer] = ContextVar("filling")
"""Of the call whose reply is worked out in this thread: the dialogue itself is shared."""


@lru_cache(maxsize=64)
def _dialogue(config: str) -> RulesModel:
    return RulesModel(RulesConfig.model_validate_json(config), lambda text, slots: _filling.get()(text, slots))


async def _all_of(events: AsyncGenerator[ModelEvent, None]) -> list[ModelEvent]:
    return [event async for event in events]


def _finished(work: Coroutine[Any, Any, list[ModelEvent]]) -> list[ModelEvent]:
    """The result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        events: list[ModelEvent] = done.value
        return events
    raise AssertionError("the built-in dialogue waits for something")


class ModelChoice:
    """Chooses and keeps the clients; one connection pool an endpoint, the one that rested longest goes first."""

    def __init__(self, endpoint: ChatEndpoint, policy: UrlPolicy) -> None:
        """`policy` says where an assistant's own `url` may point."""
        self._endpoint = endpoint
        self._policy = policy
        self._clients: dict[tuple[str, str, tuple[tuple[str, str], ...], float], AsyncOpenAI] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def load(self) -> None:
        """Make ready what the first call with a language model would have to wait for, off the event loop."""
        await asyncio.to_thread(_certificates)

    def choose(self, assistant: Assistant, fill: TemplateRenderer, access: ProviderAccess) -> Model:
        """`built-in` is the deterministic dialogue. `custom-llm` is asked at the assistant's `url`, with the key of
        that name and no other. A provider with a key is asked at its own endpoint. Any other is asked at the endpoint
        of the settings, and answered by the built-in dialogue when there is none, so that no assistant is mute."""
        return self.remote(assistant, access) or BuiltInDialogue(
            rules_config(assistant), partial(fill_for_speech, fill)
        )

    def remote(self, assistant: Assistant, access: ProviderAccess) -> Model | None:
        """The language model of an assistant, or None when the built-in dialogue answers."""
        model = assistant.model
        if model is not None and model.provider == BUILT_IN:
            return None
        if model is not None and model.provider == CUSTOM_LLM and model.url:
            key = access.key(CUSTOM_LLM)
            client = self._client(model.url, key, model.headers or {}, model.timeout_seconds or 20, guarded=True)
            return OpenAIModel(client, model=model.model or "default", name=model.provider)
        if model is not None and access.knows(model.provider):
            provider = canonical(model.provider)
            url = access.url(provider, CHAT_PROVIDERS.get(provider, ""))
            if url:
                client = self._client(url, access.key(provider), {}, 20)
                fallbacks = (model.model_extra or {}).get("fallbackModels") or ()
                names = [model.model or self._endpoint.model, *(str(name) for name in fallbacks)]
                models = [OpenAIModel(client, model=name, name=provider) for name in names]
                return models[0] if len(models) == 1 else FallbackModel(models, fell_back)
        if self._endpoint.url is not None:
            client = self._client(self._endpoint.url, self._endpoint.api_key, {}, 20)
            return OpenAIModel(client, model=self._endpoint.model, name="openai")
        return None

    def _client(
        self, url: str, key: str | None, headers: Mapping[str, str], seconds: float, *, guarded: bool = False
    ) -> AsyncOpenAI:
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient, omit

        identity = (base_url(url), key or "", tuple(sorted(headers.items())), seconds)
        client = self._clients.pop(identity, None)
        if client is None:
            checks: list[Callable[[Any], Awaitable[None]]] = [self._check] if guarded else []
            # What the environment holds for OpenAI's client is not for whoever is asked here.
            own: dict[str, Any] = {"OpenAI-Organization": omit, "OpenAI-Project": omit, **headers}
            client = AsyncOpenAI(
                base_url=identity[0],
                api_key=key or "none",
                default_headers=own,
                timeout=seconds,
                max_retries=0,
                http_client=DefaultAsyncHttpxClient(
                    event_hooks={"request": checks, "response": [_check_redirect]}, verify=_certificates()
                ),
            )
        self._clients[identity] = client
        if len(self._clients) > _MAX_CLIENTS:
            rested = self._clients.pop(next(iter(self._clients)))
            task = asyncio.create_task(rested.close(), name="close-client")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        return client

    async def _check(self, request: Any) -> None:
        """Each request, redirected ones too: may it go where its name points? Raises UrlRefused."""
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        found = await asyncio.get_running_loop().getaddrinfo(request.url.host, port, type=socket.SOCK_STREAM)
        for *_, address in found:
            self._policy.check(str(address[0]), port)

    async def aclose(self) -> None:
        """Close all connections."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.close()
        await asyncio.gather(*self._closing, return_exceptions=True)


async def _check_redirect(response: Any) -> None:
    """Raises RedirectRefused when the answer leads away from where the key and the conversation were sent."""
    if response.has_redirect_location:
        followed(str(response.request.url), response.headers["Location"])

"""Who plays in a call: tools, keys and providers of an assistant, and what stands in for what is missing."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web

from ari_assistant.assistants.model_providers import ChatEndpoint, ModelChoice
from ari_assistant.assistants.provider_access import ProviderAccess
from ari_assistant.assistants.resolved import ResolvedAssistant
from ari_assistant.assistants.resolver import AssistantResolver
from ari_assistant.assistants.speech_providers import SpeechChoice
from ari_assistant.audio.frame import Pcm
from ari_assistant.providers.voice_cache import CachedVoice
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.tool import TransferCallTool
from ari_assistant.webhooks.sender import WebhookSender
from ari_assistant.webhooks.url_policy import UrlPolicy
from tests.support.webhook import webhook_server

BOOK: JsonObject = {"type": "function", "function": {"name": "book"}}


class Local:
    """Both local engines."""

    name = "local"

    async def synthesize(self, text: str, *, rate: int = 8_000) -> AsyncGenerator[Pcm, None]:
        yield np.zeros(0, np.int16)

    async def transcribe(self, pcm: Pcm, *, rate: int = 8_000) -> str:
        return ""

    def choose(self, wanted: object) -> Local:
        return self


class Messages:
    """Builds messages that hold what they are about."""

    def build(self, kind: str, **fields: Any) -> JsonObject:
        return {"message": {"type": kind, **fields}}


class Resolver:
    """An installation whose own chat endpoint nobody is asked at."""

    def __init__(self, catalogue: Catalogue, session: aiohttp.ClientSession) -> None:
        local = Local()
        self.models = ModelChoice(ChatEndpoint(url="http://endpoint.example"), UrlPolicy())
        speech = SpeechChoice(transcribers=local, voice=CachedVoice(local), vendors=session, servers=session)
        self._resolver = AssistantResolver(
            catalogue, ProviderAccess(), WebhookSender(session), speech=speech, models=self.models
        )

    async def resolve(self, **assistant: Any) -> ResolvedAssistant:
        return await self._resolver.resolve(
            Assistant.model_validate(assistant),
            fill=lambda template, _: template,
            messages=Messages(),
            call_id="call",
        )


@pytest.fixture
async def resolver(empty_catalogue: Catalogue) -> AsyncGenerator[Resolver, None]:
    async with aiohttp.ClientSession() as session:
        made = Resolver(empty_catalogue, session)
        yield made
        await made.models.aclose()


async def test_an_assistant_that_names_nothing_has_the_installations_model_and_the_local_engines(
    resolver: Resolver,
) -> None:
    resolved = await resolver.resolve()
    assert (resolved.model.name, resolved.voice.name, resolved.transcriber.name) == ("openai", "local", "local")
    assert resolved.analyst is not None
    assert (resolved.stream, dict(resolved.tools)) == (None, {})


async def test_the_built_in_dialogue_may_hang_up_and_hand_over_and_analyses_nothing(resolver: Resolver) -> None:
    resolved = await resolver.resolve(model={"provider": "built-in", "handOver": {"to": "sip:desk@pbx"}})
    assert (resolved.model.name, resolved.analyst) == ("built-in", None)
    assert set(resolved.tools) == {"transferCall", "endCall"}
    transfer = resolved.tools["transferCall"].tool
    assert isinstance(transfer, TransferCallTool)
    assert [d.wire() for d in transfer.destinations or ()] == [
        {"type": "sip", "sipUri": "sip:desk@pbx", "message": ""}
    ]


async def test_a_language_model_may_hang_up_where_the_assistant_says_so(resolver: Resolver) -> None:
    assert set((await resolver.resolve(endCallFunctionEnabled=True)).tools) == {"endCall"}


async def test_stored_tools_are_offered_and_what_is_missing_or_unreadable_is_logged(
    resolver: Resolver, empty_catalogue: Catalogue, log_lines: list[dict[str, Any]]
) -> None:
    await empty_catalogue.tools.create("t1", BOOK)
    await empty_catalogue.tools.create("t2", {"type": "dtmf"})
    await empty_catalogue.tools.create("broken", {"type": "apiRequest"})
    model = {
        "provider": "openai",
        "model": "m",
        "toolIds": ["t1", "nowhere", "broken"],
        "toolRefs": [{"toolId": "t2"}, {}],
    }
    assert set((await resolver.resolve(model=model)).tools) == {"book", "dtmf"}
    assert [line["event"] for line in log_lines] == ["tool_unknown", "tool_unreadable"]


async def test_a_transcriber_whose_credential_is_missing_is_asked_without_it(
    resolver: Resolver, log_lines: list[dict[str, Any]]
) -> None:
    server = {"url": "ws://listens.example", "credentialId": "nowhere"}
    resolved = await resolver.resolve(transcriber={"provider": "custom-transcriber", "server": server})
    assert resolved.stream is not None
    assert [line["event"] for line in log_lines] == ["transcriber_credential_missing"]


async def test_a_custom_voice_is_asked_by_a_message_of_the_call(resolver: Resolver) -> None:
    async def speech(_: JsonObject) -> web.StreamResponse:
        return web.Response(body=np.full(24_000, 1_000, np.int16).tobytes())

    async with webhook_server() as webhook:
        webhook.replies["voice-request"] = speech
        resolved = await resolver.resolve(voice={"provider": "custom-voice", "server": {"url": webhook.url}})
        audio = [pcm async for pcm in resolved.voice.synthesize("Hello.", rate=8_000)]
        assert abs(sum(pcm.size for pcm in audio) - 8_000) < 80
        (asked,) = webhook.messages("voice-request")
        assert (asked["text"], asked["sampleRate"]) == ("Hello.", 24_000)
        assert webhook.requests[0][0]["X-Call-Id"] == "call"

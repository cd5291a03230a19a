"""Which voice and transcriber serve an assistant, and which model."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import numpy as np
import pytest

from ari_assistant.assistants.model_providers import ChatEndpoint, ModelChoice, metadata_fields
from ari_assistant.assistants.provider_access import ProviderAccess
from ari_assistant.assistants.speech_providers import SpeechChoice
from ari_assistant.audio.frame import Pcm
from ari_assistant.providers.errors import ProviderError
from ari_assistant.providers.model import ChatMessage, ModelRequest, TextDelta
from ari_assistant.providers.voice_cache import CachedVoice
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.model import Model
from ari_assistant.webhooks.url_policy import UrlPolicy
from tests.support.chat_server import chat_server


class Local:
    """Both local engines."""

    name = "local"

    async def synthesize(self, text: str, *, rate: int = 8_000) -> AsyncGenerator[Pcm, None]:
        yield np.zeros(0, np.int16)

    async def transcribe(self, pcm: Pcm, *, rate: int = 8_000) -> str:
        return ""


@pytest.fixture
async def choice() -> AsyncGenerator[SpeechChoice, None]:
    local = Local()
    async with aiohttp.ClientSession() as session:
        yield SpeechChoice(
            transcriber=lambda wanted: local, voice=CachedVoice(local), vendors=session, servers=session
        )


def assistant(**fields: Any) -> Assistant:
    return Assistant.model_validate(fields)


def ask(*_: Any) -> Any:
    raise AssertionError("nobody speaks here")


CUSTOM = {"provider": "custom-voice", "server": {"url": "http://h/v"}}


@pytest.mark.parametrize(
    ("voice", "keys", "name"),
    [
        (None, {}, "local"),
        ({"provider": "11labs", "voiceId": "x"}, {}, "local"),
        ({"provider": "11labs", "voiceId": "x"}, {"11labs": "k"}, "11labs"),
        ({"provider": "playht", "voiceId": "x"}, {"playht": "k"}, "local"),
        (CUSTOM, {}, "custom-voice"),
        ({"provider": "tomorrow", "anything": 1}, {}, "local"),
        ({"provider": "11labs", "voiceId": "x", "fallbackPlan": {"voices": [CUSTOM]}}, {}, "custom-voice"),
        ({"provider": "11labs", "voiceId": "x", "fallbackPlan": {"voices": [{"nonsense": 1}]}}, {}, "local"),
    ],
)
async def test_a_voice_without_a_key_is_the_next_one_and_at_last_the_local_one(
    choice: SpeechChoice, voice: Any, keys: dict[str, str], name: str
) -> None:
    given = assistant(voice=voice) if voice is not None else assistant()
    assert choice.voice(given, ProviderAccess(keys), ask).name == name


@pytest.mark.parametrize(
    ("transcriber", "keys", "stream", "name"),
    [
        (None, {}, None, "local"),
        ({"provider": "deepgram"}, {}, None, "local"),
        ({"provider": "deepgram"}, {"deepgram": "k"}, "deepgram", "local"),
        ({"provider": "openai", "model": "w"}, {"openai": "k"}, None, "openai"),
        ({"provider": "vosk"}, {"vosk": "-"}, None, "vosk"),
        ({"provider": "gladia"}, {"gladia": "k"}, None, "local"),
        ({"provider": "custom-transcriber", "server": {"url": "ws://h"}}, {}, "custom-transcriber", "local"),
    ],
)
async def test_a_transcriber_listens_along_where_it_can_and_the_local_one_stands_behind_it(
    choice: SpeechChoice, transcriber: Any, keys: dict[str, str], stream: str | None, name: str
) -> None:
    given = assistant(transcriber=transcriber) if transcriber is not None else assistant()
    listener = choice.listener(given, ProviderAccess(keys), {})
    assert (listener.stream.name if listener.stream else None, listener.transcriber.name) == (stream, name)


@pytest.mark.parametrize(("enabled", "falls_back"), [(None, True), (True, True), (False, False)])
@pytest.mark.parametrize("provider", ["vosk", "deepgram"])
async def test_the_local_transcriber_takes_over_unless_automatic_fallback_is_disabled(
    choice: SpeechChoice, provider: str, enabled: bool | None, falls_back: bool
) -> None:
    plan = {"autoFallback": {"enabled": enabled} if enabled is not None else {}}
    given = assistant(transcriber={"provider": provider, "fallbackPlan": plan})
    access = ProviderAccess({provider: "-"}, urls={"vosk": "ws://127.0.0.1:9"})
    listener = choice.listener(given, access, {})
    if falls_back:
        assert await listener.transcriber.transcribe(np.zeros(160, np.int16)) == ""
    else:
        with pytest.raises(ProviderError):
            await listener.transcriber.transcribe(np.zeros(160, np.int16))


@pytest.mark.parametrize(
    ("model", "keys", "endpoint", "name"),
    [
        (None, {}, None, "built-in"),
        ({"provider": "built-in"}, {"openai": "k"}, "http://e", "built-in"),
        ({"provider": "openai", "model": "m"}, {}, None, "built-in"),
        ({"provider": "openai", "model": "m"}, {}, "http://e", "openai"),
        ({"provider": "anthropic", "model": "m"}, {"anthropic": "k"}, "http://e", "anthropic"),
        ({"provider": "tomorrow"}, {"tomorrow": "k"}, None, "built-in"),
        ({"provider": "custom-llm", "url": "http://h/v1", "model": "m"}, {}, None, "custom-llm"),
    ],
)
async def test_a_model_is_asked_where_there_is_a_key_or_a_url(
    model: Any, keys: dict[str, str], endpoint: str | None, name: str
) -> None:
    models = ModelChoice(ChatEndpoint(url=endpoint), UrlPolicy())
    given = assistant(model=model) if model is not None else assistant()
    assert models.choose(given, lambda text, _: text, ProviderAccess(keys)).name == name
    await models.aclose()


def test_what_a_custom_model_is_told_of_the_call() -> None:
    envelope = {
        "call": {"id": "c"},
        "phoneNumber": {"id": "n"},
        "customer": {"number": "1"},
        "assistant": {"x": 1},
    }
    common = {"call": {"id": "c"}, "phoneNumber": {"id": "n"}, "customer": {"number": "1"}}

    def fields(mode: str | None) -> Any:
        model = {"provider": "custom-llm", "url": "http://h", "model": "m"}
        given = model if mode is None else {**model, "metadataSendMode": mode}
        return metadata_fields(assistant(model=given, metadata={"a": 1, "messages": "no"}), envelope)

    assert fields("off") == {}
    assert fields(None) == fields("variable") == {"metadata": {"a": 1, "messages": "no"}, **common}
    assert fields("destructured") == {"a": 1, **common}


async def test_a_key_goes_to_its_providers_address_and_only_custom_llms_to_the_assistants_url(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor does the assistant's URL see what the environment holds for OpenAI's own client."""
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "of-the-machine")
    ask = ModelRequest([ChatMessage("user", "Hello?")])
    async with chat_server() as owners, chat_server() as elsewhere:
        access = ProviderAccess({"openai": "sk-openai", "custom-llm": "sk-mine"}, {"openai": owners.url})
        models = ModelChoice(ChatEndpoint(), UrlPolicy())
        unchecked = Model.model_construct(provider="openai", model="m", url=elsewhere.url, headers={"X-A": "k"})
        mine = Model(provider="custom-llm", url=elsewhere.url, model="m", headers={"X-A": "1"})
        for model in (unchecked, mine):
            chosen = models.remote(Assistant.model_construct(model=model), access)
            assert chosen is not None
            assert [event async for event in chosen.reply(ask)] == [TextDelta("Hello.")]
        await models.aclose()
    (told,), (sent,) = owners.headers, elsewhere.headers
    assert (told["Authorization"], "x-a" in told) == ("Bearer sk-openai", False)
    assert (sent["Authorization"], sent["x-a"]) == ("Bearer sk-mine", "1")
    assert "of-the-machine" not in str(sent)

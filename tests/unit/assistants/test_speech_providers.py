"""Which voice and transcriber serve an assistant."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import numpy as np
import pytest

from ari_assistant.assistants.provider_access import ProviderAccess
from ari_assistant.assistants.speech_providers import SpeechChoice
from ari_assistant.audio.frame import Pcm
from ari_assistant.providers.errors import ProviderError
from ari_assistant.providers.voice_cache import CachedVoice
from ari_assistant.vapi.assistant import Assistant


class Local:
    """Both local engines."""

    name = "local"

    async def synthesize(self, text: str, *, rate: int = 8_000) -> AsyncGenerator[Pcm, None]:
        yield np.zeros(0, np.int16)

    async def transcribe(self, pcm: Pcm, *, rate: int = 8_000) -> str:
        return ""

    def choose(self, wanted: object) -> Local:
        return self


@pytest.fixture
async def choice() -> AsyncGenerator[SpeechChoice, None]:
    local = Local()
    async with aiohttp.ClientSession() as session:
        yield SpeechChoice(transcribers=local, voice=CachedVoice(local), vendors=session, servers=session)


def assistant(**fields: Any) -> Assistant:
    return Assistant.model_validate(fields)


class Requests:
    def post(self, *_: Any) -> Any:
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
    assert choice.voice(given, ProviderAccess(keys), Requests()).name == name


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


async def test_what_a_voice_has_said_is_kept_by_its_name_and_settings(choice: SpeechChoice) -> None:
    access = ProviderAccess({"11labs": "k", "openai": "k"})

    def voices(**voice: Any) -> list[Any]:
        made: Any = choice.voice(assistant(voice=voice), access, Requests())
        tried: list[Any] = made._voices
        return tried

    first = voices(provider="11labs", voiceId="x")[0]
    assert isinstance(first, CachedVoice)
    assert voices(provider="11labs", voiceId="x")[0] is first
    assert voices(provider="11labs", voiceId="y")[0] is not first
    assert not isinstance(voices(provider="11labs", voiceId="x", cachingEnabled=False)[0], CachedVoice)
    custom = voices(**CUSTOM)[0]
    assert not isinstance(custom, CachedVoice), "it may say who calls"

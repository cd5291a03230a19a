"""Speech by OpenAI's audio contract: OpenAI itself, and the local servers that imitate it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm
from ari_assistant.audio.wav import wav_bytes
from ari_assistant.providers.errors import ProviderRejected
from ari_assistant.providers.http_voice import HttpVoice, SpeechRequest, provider_faults
from ari_assistant.vapi.voice import Voice

__all__ = ["OpenAITranscriber", "openai_voice"]

_RATE = 24_000
"""Of `response_format: pcm`, as OpenAI documents it."""
_SECONDS = 20.0


def openai_voice(
    session: aiohttp.ClientSession, *, url: str, key: str, voice: Voice, name: str = "openai"
) -> HttpVoice:
    """`POST {url}/audio/speech`."""
    extra = voice.model_extra or {}

    def request(text: str) -> SpeechRequest:
        body: dict[str, Any] = {
            "model": voice.model or "gpt-4o-mini-tts",
            "voice": voice.voice_id or "alloy",
            "input": text,
            "response_format": "pcm",
        }
        if voice.speed is not None:
            body["speed"] = voice.speed
        if extra.get("instructions"):
            body["instructions"] = extra["instructions"]
        return SpeechRequest(f"{url}/audio/speech", {"Authorization": f"Bearer {key}"}, json=body)

    return HttpVoice(session, name, request, rate=_RATE)


class OpenAITranscriber:
    """`POST {url}/audio/transcriptions`, an utterance at a time, as a WAV file."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        url: str,
        key: str,
        model: str | None = None,
        language: str | None = None,
        name: str = "openai",
    ) -> None:
        self._session = session
        self._url = f"{url}/audio/transcriptions"
        self._key = key
        self._model = model or "gpt-4o-mini-transcribe"
        self._language = language
        self.name = name

    async def transcribe(self, pcm: Pcm, *, rate: int = SAMPLE_RATE) -> str:
        """See `Transcriber`."""
        form = aiohttp.FormData()
        form.add_field("model", self._model)
        form.add_field("response_format", "json")
        if self._language:
            form.add_field("language", self._language.partition("-")[0])
        form.add_field("file", wav_bytes(pcm, rate), filename="utterance.wav", content_type="audio/wav")
        headers = {"Authorization": f"Bearer {self._key}"}
        async with (
            provider_faults(self.name),
            asyncio.timeout(_SECONDS),
            self._session.post(self._url, data=form, headers=headers, allow_redirects=False) as response,
        ):
            text = await response.text()
            if response.status != 200:
                raise ProviderRejected(self.name, f"status {response.status}: {text[:300]}")
            answer = json.loads(text)
            if not isinstance(answer, dict) or not isinstance(answer.get("text"), str):
                raise ProviderRejected(self.name, "the answer has no text")
            return str(answer["text"]).strip()

"""Cartesia: voice."""

from __future__ import annotations

from typing import Any

import aiohttp

from ari_assistant.audio.frame import SAMPLE_RATE
from ari_assistant.providers.http_voice import HttpVoice, SpeechRequest
from ari_assistant.vapi.voice import Voice

__all__ = ["URL", "cartesia_voice"]

URL = "https://api.cartesia.ai"
_VERSION = "2025-04-16"


def cartesia_voice(session: aiohttp.ClientSession, *, url: str, key: str, voice: Voice) -> HttpVoice:
    """`POST /tts/bytes`, raw PCM at 8 kHz."""
    extra = voice.model_extra or {}

    def request(text: str) -> SpeechRequest:
        body: dict[str, Any] = {
            "model_id": voice.model or "sonic-2",
            "transcript": text,
            "voice": {"mode": "id", "id": voice.voice_id or "a0e99841-438c-4a64-b679-ae501e7d6091"},
            "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": SAMPLE_RATE},
            "language": extra.get("language") or "en",
        }
        headers = {"Authorization": f"Bearer {key}", "X-API-Key": key, "Cartesia-Version": _VERSION}
        return SpeechRequest(f"{url}/tts/bytes", headers, json=body)

    return HttpVoice(session, "cartesia", request, rate=SAMPLE_RATE)

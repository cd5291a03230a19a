"""ElevenLabs: voice (`11labs` in the contract)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import aiohttp

from ari_assistant.audio.frame import SAMPLE_RATE
from ari_assistant.providers.http_voice import HttpVoice, SpeechRequest
from ari_assistant.vapi.voice import Voice

__all__ = ["URL", "elevenlabs_voice"]

URL = "https://api.elevenlabs.io"
_DEFAULT_VOICE = "21m00Tcm4TlvDq8ikWAM"
_SETTINGS = {
    "stability": "stability",
    "similarityBoost": "similarity_boost",
    "style": "style",
    "useSpeakerBoost": "use_speaker_boost",
}


def elevenlabs_voice(session: aiohttp.ClientSession, *, url: str, key: str, voice: Voice) -> HttpVoice:
    """`POST /v1/text-to-speech/{voice}/stream`, PCM at 8 kHz."""
    extra = voice.model_extra or {}
    settings = {theirs: extra[ours] for ours, theirs in _SETTINGS.items() if extra.get(ours) is not None}
    if voice.speed is not None:
        settings["speed"] = voice.speed

    def request(text: str) -> SpeechRequest:
        body: dict[str, Any] = {"text": text, "model_id": voice.model or "eleven_flash_v2_5"}
        if settings:
            body["voice_settings"] = settings
        if extra.get("language"):
            body["language_code"] = extra["language"]
        return SpeechRequest(
            f"{url}/v1/text-to-speech/{quote(voice.voice_id or _DEFAULT_VOICE, safe='')}/stream",
            {"xi-api-key": key},
            {"output_format": "pcm_8000"},
            json=body,
        )

    return HttpVoice(session, "11labs", request, rate=SAMPLE_RATE)

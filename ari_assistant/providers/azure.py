"""Azure Speech: voice."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

import aiohttp

from ari_assistant.audio.frame import SAMPLE_RATE
from ari_assistant.providers.http_voice import HttpVoice, SpeechRequest
from ari_assistant.vapi.voice import Voice

__all__ = ["URL", "azure_voice"]

URL = "https://eastus.tts.speech.microsoft.com"
"""Of one region; another is set by its URL."""
_DEFAULT_VOICE = "en-US-AndrewNeural"


def azure_voice(session: aiohttp.ClientSession, *, url: str, key: str, voice: Voice) -> HttpVoice:
    """`POST /cognitiveservices/v1` with SSML, raw PCM at 8 kHz."""
    name = voice.voice_id or _DEFAULT_VOICE
    if "-" not in name:  # the contract's short names, `andrew`
        name = f"en-US-{name.capitalize()}Neural"
    language = "-".join(name.split("-")[:2])

    def request(text: str) -> SpeechRequest:
        inner = escape(text)
        if voice.speed is not None:
            inner = f"<prosody rate={quoteattr(f'{round((voice.speed - 1) * 100):+d}%')}>{inner}</prosody>"
        ssml = (
            f'<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang={quoteattr(language)}>'
            f"<voice name={quoteattr(name)}>{inner}</voice></speak>"
        )
        headers = {
            "Ocp-Apim-Subscription-Key": key,
            "Content-Type": "application/ssml+xml",
            "X-Microsoft-OutputFormat": "raw-8khz-16bit-mono-pcm",
            "User-Agent": "ari-assistant",
        }
        return SpeechRequest(f"{url}/cognitiveservices/v1", headers, data=ssml.encode())

    return HttpVoice(session, "azure", request, rate=SAMPLE_RATE)

"""A Vosk server: transcriber (websocket, an utterance at a time)."""

from __future__ import annotations

import asyncio
import json

import aiohttp

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm
from ari_assistant.providers.http_voice import provider_faults

__all__ = ["URL", "VoskTranscriber"]

URL = "ws://127.0.0.1:2700"
_SECONDS = 15.0
_CHUNK_SECONDS = 0.2


class VoskTranscriber:
    """Sends the utterance, then `eof`, and joins the texts that come back."""

    name = "vosk"

    def __init__(self, session: aiohttp.ClientSession, *, url: str) -> None:
        self._session = session
        self._url = url

    async def transcribe(self, pcm: Pcm, *, rate: int = SAMPLE_RATE) -> str:
        """See `Transcriber`."""
        texts: list[str] = []
        async with (
            provider_faults(self.name),
            asyncio.timeout(_SECONDS),
            self._session.ws_connect(self._url) as socket,
        ):
            await socket.send_str(json.dumps({"config": {"sample_rate": rate}}))
            chunk = round(rate * _CHUNK_SECONDS)
            for start in range(0, pcm.size, chunk):
                await socket.send_bytes(pcm[start : start + chunk].astype("<i2").tobytes())
                texts += _final(await socket.receive_str())
            await socket.send_str('{"eof" : 1}')
            texts += _final(await socket.receive_str())
        return " ".join(texts)


def _final(message: str) -> list[str]:
    """The text of a final result; a partial one has none."""
    text = str(json.loads(message).get("text") or "").strip()
    return [text] if text else []

"""Deepgram: transcriber (websocket) and voice."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import aiohttp

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm
from ari_assistant.providers.http_voice import HttpVoice, SpeechRequest
from ari_assistant.providers.websocket_stream import WebsocketTranscriber
from ari_assistant.vapi.transcriber import Transcriber
from ari_assistant.vapi.voice import Voice

__all__ = ["URL", "DeepgramTranscriber", "deepgram_voice"]

URL = "https://api.deepgram.com"


class DeepgramTranscriber(WebsocketTranscriber):
    """`/v1/listen` with interim results. A pause of ours asks for the final ones (`Finalize`)."""

    def __init__(self, session: aiohttp.ClientSession, *, url: str, key: str, transcriber: Transcriber) -> None:
        extra = transcriber.model_extra or {}
        query: list[tuple[str, str]] = [
            ("model", transcriber.model or "nova-3"),
            ("encoding", "linear16"),
            ("sample_rate", str(SAMPLE_RATE)),
            ("channels", "1"),
            ("interim_results", "true"),
            ("punctuate", "true"),
            ("language", transcriber.language or "en"),
            ("endpointing", str(extra.get("endpointing") or 10)),
        ]
        for ours, theirs in (
            ("smartFormat", "smart_format"),
            ("numerals", "numerals"),
            ("profanityFilter", "profanity_filter"),
            ("mipOptOut", "mip_opt_out"),
        ):
            if extra.get(ours) is not None:
                query.append((theirs, str(bool(extra[ours])).lower()))
        query += [("keywords", str(word)) for word in transcriber.keywords or ()]
        query += [("keyterm", str(word)) for word in extra.get("keyterm") or ()]
        query += [("redact", str(kind)) for kind in extra.get("redaction") or ()]
        self._threshold = 0.4 if transcriber.confidence_threshold is None else transcriber.confidence_threshold
        super().__init__(
            session,
            name="deepgram",
            url=f"{url.replace('http', 'ws', 1)}/v1/listen?{urlencode(query)}",
            headers={"Authorization": f"Token {key}"},
        )

    async def begin(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Nothing: the query says it all."""

    def pack(self, caller: Pcm, assistant: Pcm) -> bytes:
        """The caller alone."""
        return caller.astype("<i2", copy=False).tobytes()

    def receive_message(self, text: str) -> None:
        """`Results`; other messages tell nothing of words."""
        message = json.loads(text)
        if message.get("type") != "Results":
            return
        best = message["channel"]["alternatives"][0] if message["channel"]["alternatives"] else {}
        confidence = float(best.get("confidence") or 0.0)
        sure = confidence >= self._threshold
        final = bool(message.get("is_final"))
        text = str(best.get("transcript") or "")
        told = confidence if text else None
        self.finalized |= bool(message.get("from_finalize"))
        self.transcripts.add(text if sure or not final else "", final=final, confidence=told)

    async def finalize(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Deepgram answers with the rest as final."""
        await socket.send_str('{"type": "Finalize"}')


def deepgram_voice(session: aiohttp.ClientSession, *, url: str, key: str, voice: Voice) -> HttpVoice:
    """`POST /v1/speak`, PCM at 8 kHz. `voiceId` may be the short name."""
    name = voice.voice_id or "asteria"
    model = name if name.startswith("aura") else f"{voice.model or 'aura'}-{name}-en"

    def request(text: str) -> SpeechRequest:
        params = {"model": model, "encoding": "linear16", "sample_rate": str(SAMPLE_RATE), "container": "none"}
        return SpeechRequest(f"{url}/v1/speak", {"Authorization": f"Token {key}"}, params, json={"text": text})

    return HttpVoice(session, "deepgram", request, rate=SAMPLE_RATE)

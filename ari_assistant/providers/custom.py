"""The user's own speech servers: `custom-voice` and `custom-transcriber` (contract §11.3, §11.4)."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol

import aiohttp
import numpy as np
import soxr

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm
from ari_assistant.providers.http_voice import pcm_chunks
from ari_assistant.providers.websocket_stream import WebsocketTranscriber
from ari_assistant.vapi.server import Server

__all__ = ["VOICE_RATE", "CustomTranscriber", "CustomVoice", "VoiceRequests"]

VOICE_RATE = 24_000
"""What is asked of a custom voice: the rate that the contract's own sample uses, so the one that servers know."""
_LISTEN_RATE = 16_000


class VoiceRequests(Protocol):
    """Posts what a call's custom voices are to say."""

    def post(self, server: Server, text: str, rate: int) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """The answer to a `voice-request` (contract §11.3), as it comes."""


class CustomVoice:
    """`voice-request`: the server answers with raw PCM, streamed as it comes."""

    name = "custom-voice"

    def __init__(self, server: Server, requests: VoiceRequests) -> None:
        self._server = server
        self._requests = requests

    async def synthesize(self, text: str, *, rate: int = SAMPLE_RATE) -> AsyncGenerator[Pcm, None]:
        """See `Voice`."""
        chunks = pcm_chunks(
            self.name,
            lambda: self._requests.post(self._server, text, VOICE_RATE),
            rate=VOICE_RATE,
            wanted=rate,
        )
        async for pcm in chunks:
            yield pcm


class CustomTranscriber(WebsocketTranscriber):
    """A websocket that is told `start`, then hears both sides: channel 0 the caller, channel 1 the assistant."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        url: str,
        headers: Mapping[str, str],
        assistant_said: Callable[[str, Literal["partial", "final"]], None] = lambda *_: None,
    ) -> None:
        super().__init__(session, name="custom-transcriber", url=url, headers=headers)
        self._resampler = soxr.ResampleStream(SAMPLE_RATE, _LISTEN_RATE, 2, dtype="int16")
        self._assistant_said = assistant_said

    async def begin(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """The first message of the contract, as it stands there."""
        start = {
            "type": "start",
            "encoding": "linear16",
            "container": "raw",
            "sampleRate": _LISTEN_RATE,
            "channels": 2,
        }
        await socket.send_str(json.dumps(start))

    async def finalize(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """The contract has no message for it."""

    def pack(self, caller: Pcm, assistant: Pcm) -> bytes:
        """Both sides, interleaved, at 16 kHz."""
        both = np.stack([caller, assistant], axis=1)
        wide: bytes = self._resampler.resample_chunk(both).astype("<i2", copy=False).tobytes()
        return wide

    def receive_message(self, text: str) -> None:
        """`transcriber-response`; `transcriptType` is final when it is not there."""
        message = json.loads(text)
        if not isinstance(message, dict) or message.get("type") != "transcriber-response":
            return
        words = str(message.get("transcription") or "")
        kind: Literal["partial", "final"] = "partial" if message.get("transcriptType") == "partial" else "final"
        if message.get("channel") == "assistant":
            self._assistant_said(words, kind)
        else:
            self.transcripts.add(words, final=kind == "final")

"""A Wyoming server (faster-whisper, Rhasspy's others): transcriber over TCP, an utterance at a time.

The protocol: a JSON line `{"type", "data", "data_length", "payload_length"}`, then `data_length` bytes of JSON that
extend `data`, then `payload_length` bytes.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import soxr

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm
from ari_assistant.providers.errors import ProviderRejected
from ari_assistant.providers.http_voice import provider_faults

__all__ = ["URL", "WyomingTranscriber"]

URL = "tcp://127.0.0.1:10300"
_SECONDS = 20.0
_RATE = 16_000
_MAX_BYTES = 1 << 20


class WyomingTranscriber:
    """`transcribe`, `audio-start`, `audio-chunk`…, `audio-stop`; the answer is `transcript`."""

    name = "wyoming"

    def __init__(self, *, url: str, language: str | None = None) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or 10300
        self._language = language

    async def transcribe(self, pcm: Pcm, *, rate: int = SAMPLE_RATE) -> str:
        """See `Transcriber`."""
        wide = soxr.resample(pcm.astype(np.float32), rate, _RATE)
        audio = np.clip(wide, -32768, 32767).astype("<i2").tobytes()
        form = {"rate": _RATE, "width": 2, "channels": 1}
        async with provider_faults(self.name), asyncio.timeout(_SECONDS):
            reader, writer = await asyncio.open_connection(self._host, self._port)
            try:
                writer.write(_event("transcribe", {"language": self._language} if self._language else {}))
                writer.write(_event("audio-start", form))
                for start in range(0, len(audio), _RATE):
                    writer.write(_event("audio-chunk", form, audio[start : start + _RATE]))
                    await writer.drain()
                writer.write(_event("audio-stop", {}))
                await writer.drain()
                while True:
                    kind, data = await _read(reader)
                    if kind == "transcript":
                        return str(data.get("text") or "").strip()
                    if kind == "error":
                        raise ProviderRejected(self.name, str(data.get("text"))[:300])
            finally:
                writer.close()


def _event(kind: str, data: dict[str, Any], payload: bytes = b"") -> bytes:
    header: dict[str, Any] = {"type": kind, "data": data}
    if payload:
        header["payload_length"] = len(payload)
    return json.dumps(header).encode() + b"\n" + payload


async def _read(reader: asyncio.StreamReader) -> tuple[str, dict[str, Any]]:
    line = await reader.readline()
    if not line:
        raise EOFError("the connection was closed before the transcript")
    header = json.loads(line)
    if not isinstance(header, dict):
        raise ValueError("an event that is no object")  # noqa: TRY004 - what the network sent is no type of ours
    lengths = [int(header.get(key) or 0) for key in ("data_length", "payload_length")]
    if not all(0 <= length <= _MAX_BYTES for length in lengths):
        raise ValueError("an event that is too long")
    data = dict(header.get("data") or {})
    if lengths[0]:
        data |= json.loads(await reader.readexactly(lengths[0]))
    if lengths[1]:
        await reader.readexactly(lengths[1])
    return str(header.get("type")), data

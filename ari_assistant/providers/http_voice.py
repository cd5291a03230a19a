"""What all voices that answer an HTTP request with raw PCM have in common."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import numpy as np
import soxr

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm
from ari_assistant.providers.errors import ProviderError, ProviderRejected, ProviderTimeout, ProviderUnavailable

__all__ = ["HttpVoice", "SpeechRequest", "pcm_chunks", "provider_faults"]

_SILENCE_SECONDS = 10.0
"""The longest wait for the next piece of an answer."""


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """One POST. `json` or `data` is its body."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    data: bytes | None = None


class HttpVoice:
    """A vendor's voice: `request(text)` says what to ask for, the answer is int16 PCM at `rate` Hz, mono."""

    def __init__(
        self, session: aiohttp.ClientSession, name: str, request: Callable[[str], SpeechRequest], *, rate: int
    ) -> None:
        self._session = session
        self._request = request
        self._rate = rate
        self.name = name

    async def synthesize(self, text: str, *, rate: int = SAMPLE_RATE) -> AsyncGenerator[Pcm, None]:
        """See `Voice`."""
        request = self._request(text)

        def opened() -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
            return self._session.post(
                request.url,
                headers=request.headers,
                params=request.params,
                json=request.json,
                data=request.data,
                allow_redirects=False,
            )

        async for pcm in pcm_chunks(self.name, opened, rate=self._rate, wanted=rate):
            yield pcm


async def pcm_chunks(
    name: str,
    opened: Callable[[], AbstractAsyncContextManager[aiohttp.ClientResponse]],
    *,
    rate: int,
    wanted: int = SAMPLE_RATE,
) -> AsyncGenerator[Pcm, None]:
    """The answer's PCM (int16 little-endian, mono, `rate` Hz) at `wanted` Hz, as it comes. A WAV header is skipped.

    Raises ProviderError: the answer is not 200, is JSON or text, is empty, stops coming, or breaks off.
    """
    resampler = soxr.ResampleStream(rate, wanted, 1, dtype="int16") if rate != wanted else None
    rest = b""
    received = 0
    async with provider_faults(name), opened() as response:
        if response.status != 200:
            text = (await response.content.read(2_000)).decode("utf-8", "replace").strip()
            raise ProviderRejected(name, f"status {response.status}: {text[:300]}")
        kind = response.content_type
        if kind == "application/json" or kind.startswith("text/"):
            raise ProviderRejected(name, f"the answer is {kind}, not PCM")
        while True:
            async with asyncio.timeout(_SILENCE_SECONDS):
                chunk = await response.content.readany()
            if not chunk:
                break
            chunk = rest + chunk
            if received == 0 and len(chunk) < 44:
                rest = chunk
                continue
            if received == 0 and chunk[:4] == b"RIFF":
                at = chunk.find(b"data")
                chunk = chunk[at + 8 if 0 < at < 200 else 44 :]
            received += len(chunk)
            whole = len(chunk) - len(chunk) % 2
            rest = chunk[whole:]
            pcm = np.frombuffer(chunk[:whole], "<i2").astype(np.int16, copy=False)
            if resampler is not None:
                pcm = resampler.resample_chunk(pcm)
            if pcm.size:
                yield pcm
        if received == 0 and not rest:
            raise ProviderRejected(name, "the answer is empty")
        if resampler is not None:
            tail = resampler.resample_chunk(np.zeros(0, np.int16), last=True)
            if tail.size:
                yield tail


@asynccontextmanager
async def provider_faults(name: str) -> AsyncGenerator[None, None]:
    """Turn what the network does into ProviderError."""
    try:
        yield
    except ProviderError:
        raise
    except TimeoutError as fault:
        raise ProviderTimeout(name, "no answer in time") from fault
    except (aiohttp.ClientError, OSError, EOFError) as fault:
        raise ProviderUnavailable(name, f"{type(fault).__name__}: {fault}") from fault
    except (ValueError, TypeError, KeyError, IndexError) as fault:
        raise ProviderRejected(name, f"unreadable answer: {fault}"[:300]) from fault

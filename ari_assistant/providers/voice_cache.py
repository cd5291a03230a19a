"""Remembers what a voice has said: fixed prompts cost nothing the second time."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing

import numpy as np

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm
from ari_assistant.providers.voice import Voice

__all__ = ["CachedVoice"]


class CachedVoice:
    """A voice in front of a voice, bounded by `limit_bytes`; the text that was used longest ago goes first.

    Texts that were `keep`ed (the apology for a voice that died, say) stay.
    """

    def __init__(self, voice: Voice, *, limit_bytes: int = 32 << 20) -> None:
        self._voice = voice
        self._limit_bytes = limit_bytes
        self._texts: OrderedDict[tuple[str, int], Pcm] = OrderedDict()
        """By text and sample rate."""
        self._kept: dict[tuple[str, int], Pcm] = {}
        self._bytes = 0
        self._making: dict[tuple[str, int], asyncio.Event] = {}
        """What is being synthesised: set when it is known, or has failed."""

    @property
    def name(self) -> str:
        """See `Voice`."""
        return self._voice.name

    def use(self, voice: Voice) -> None:
        """Ask `voice` from now on for what is not known."""
        self._voice = voice

    async def keep(self, text: str, *, rate: int = SAMPLE_RATE) -> None:
        """Synthesise `text` now and never forget it. Raises ProviderError."""
        async with aclosing(self.synthesize(text, rate=rate)) as chunks:
            parts = [chunk async for chunk in chunks]
        self._kept[text, rate] = np.concatenate(parts) if parts else np.zeros(0, np.int16)

    async def synthesize(self, text: str, *, rate: int = SAMPLE_RATE) -> AsyncGenerator[Pcm, None]:
        """See `Voice`."""
        key = (text, rate)
        while True:
            known = self._kept.get(key)
            if known is None and (known := self._texts.get(key)) is not None:
                self._texts.move_to_end(key)
            if known is not None:
                yield known
                return
            if (made := self._making.get(key)) is None:
                break
            await made.wait()  # thirty callers at once are greeted with one synthesis
        self._making[key] = made = asyncio.Event()
        try:
            parts: list[Pcm] = []
            async with aclosing(self._voice.synthesize(text, rate=rate)) as chunks:
                async for chunk in chunks:
                    parts.append(chunk)
                    yield chunk
            if parts:
                self._remember(key, np.concatenate(parts))
        finally:
            del self._making[key]
            made.set()

    def _remember(self, key: tuple[str, int], pcm: Pcm) -> None:
        if (old := self._texts.pop(key, None)) is not None:
            self._bytes -= old.nbytes
        self._texts[key] = pcm
        self._bytes += pcm.nbytes
        while self._bytes > self._limit_bytes:
            _, dropped = self._texts.popitem(last=False)
            self._bytes -= dropped.nbytes

"""Remembers what a voice has said: fixed prompts cost nothing the second time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing

import numpy as np

from ari_assistant.media.frame import Pcm
from ari_assistant.providers.voice import Voice

__all__ = ["CachedVoice"]


class CachedVoice:
    """A voice in front of a voice, bounded by `limit_bytes`; the text that was used longest ago goes first.

    Texts that were `keep`ed (the apology for a voice that died, say) stay.
    """

    def __init__(self, voice: Voice, *, limit_bytes: int = 32 << 20) -> None:
        self._voice = voice
        self._limit_bytes = limit_bytes
        self._texts: OrderedDict[str, Pcm] = OrderedDict()
        self._kept: dict[str, Pcm] = {}
        self._bytes = 0

    @property
    def name(self) -> str:
        """See `Voice`."""
        return self._voice.name

    def use(self, voice: Voice) -> None:
        """Ask `voice` from now on for what is not known."""
        self._voice = voice

    async def keep(self, text: str) -> None:
        """Synthesise `text` now and never forget it. Raises ProviderError."""
        async with aclosing(self.synthesize(text)) as chunks:
            parts = [chunk async for chunk in chunks]
        self._kept[text] = np.concatenate(parts) if parts else np.zeros(0, np.int16)

    async def synthesize(self, text: str) -> AsyncGenerator[Pcm, None]:
        """See `Voice`."""
        known = self._kept.get(text)
        if known is None and (known := self._texts.get(text)) is not None:
            self._texts.move_to_end(text)
        if known is not None:
            yield known
            return
        parts: list[Pcm] = []
        async with aclosing(self._voice.synthesize(text)) as chunks:
            async for chunk in chunks:
                parts.append(chunk)
                yield chunk
        if parts:
            self._remember(text, np.concatenate(parts))

    def _remember(self, text: str, pcm: Pcm) -> None:
        if (old := self._texts.pop(text, None)) is not None:
            self._bytes -= old.nbytes
        self._texts[text] = pcm
        self._bytes += pcm.nbytes
        while self._bytes > self._limit_bytes:
            _, dropped = self._texts.popitem(last=False)
            self._bytes -= dropped.nbytes

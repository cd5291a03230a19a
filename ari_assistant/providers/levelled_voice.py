"""A voice at the level of the line, whoever made it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm
from ari_assistant.audio.level import ActiveLevel, Leveller
from ari_assistant.providers.voice import Voice

__all__ = ["LevelledVoice"]


class LevelledVoice:
    """Vendors and users' servers say nothing of how loud their voices are: `level` learns it while they speak, and is
    kept as long as the voice is."""

    def __init__(self, voice: Voice, level: ActiveLevel) -> None:
        self._voice = voice
        self._level = level

    @property
    def name(self) -> str:
        """See `Voice`."""
        return self._voice.name

    async def synthesize(self, text: str, *, rate: int = SAMPLE_RATE) -> AsyncGenerator[Pcm, None]:
        """See `Voice`."""
        leveller = Leveller(rate, gain_db=self._level.gain_db)
        async with aclosing(self._voice.synthesize(text, rate=rate)) as chunks:
            async for chunk in chunks:
                self._level.learn(chunk, rate)
                if (pcm := leveller.push(chunk)).size:  # who hears a chunk takes it for sound
                    yield pcm
        if (pcm := leveller.finish()).size:
            yield pcm

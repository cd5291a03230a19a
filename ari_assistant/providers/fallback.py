"""One provider after the other, for those that fail (contract: `fallbackPlan`, `fallbackModels`)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm
from ari_assistant.providers.errors import ProviderError, ProviderUnavailable
from ari_assistant.providers.model import Model, ModelEvent, ModelRequest
from ari_assistant.providers.transcriber import Transcriber
from ari_assistant.providers.voice import Voice

__all__ = ["FallbackModel", "FallbackTranscriber", "FallbackVoice", "NobodyElse"]

Failed = Callable[[str, ProviderError], None]
"""`failed(what, fault)`: hears of each one that failed and had a successor."""


class FallbackVoice:
    """Tries the voices in order. After the first sound of a clause there is no going back within it."""

    def __init__(self, voices: Sequence[Voice], failed: Failed) -> None:
        self._voices = voices
        self._failed = failed

    @property
    def name(self) -> str:
        """The first one's."""
        return self._voices[0].name

    async def synthesize(self, text: str, *, rate: int = SAMPLE_RATE) -> AsyncGenerator[Pcm, None]:
        """See `Voice`."""
        for number, voice in enumerate(self._voices):
            begun = False
            try:
                async with aclosing(voice.synthesize(text, rate=rate)) as chunks:
                    async for chunk in chunks:
                        begun = True
                        yield chunk
                return
            except ProviderError as fault:
                if begun or number + 1 == len(self._voices):
                    raise
                self._failed("voice", fault)


class FallbackModel:
    """Tries the models in order, each until its first event."""

    def __init__(self, models: Sequence[Model], failed: Failed) -> None:
        self._models = models
        self._failed = failed

    @property
    def name(self) -> str:
        """The first one's."""
        return self._models[0].name

    async def reply(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """See `Model`."""
        for number, model in enumerate(self._models):
            begun = False
            try:
                async with aclosing(model.reply(request)) as events:
                    async for event in events:
                        begun = True
                        yield event
                return
            except ProviderError as fault:
                if begun or number + 1 == len(self._models):
                    raise
                self._failed("model", fault)


class FallbackTranscriber:
    """Tries the transcribers in order."""

    def __init__(self, transcribers: Sequence[Transcriber], failed: Failed) -> None:
        self._transcribers = transcribers
        self._failed = failed

    @property
    def name(self) -> str:
        """The first one's."""
        return self._transcribers[0].name

    async def transcribe(self, pcm: Pcm, *, rate: int = SAMPLE_RATE) -> str:
        """See `Transcriber`."""
        for transcriber in self._transcribers[:-1]:
            try:
                return await transcriber.transcribe(pcm, rate=rate)
            except ProviderError as fault:
                self._failed("transcriber", fault)
        return await self._transcribers[-1].transcribe(pcm, rate=rate)


class NobodyElse:
    """A transcriber for those who want no other one when `name` is gone."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def transcribe(self, pcm: Pcm, *, rate: int = SAMPLE_RATE) -> str:
        """See `Transcriber`."""
        raise ProviderUnavailable(self.name, "it is gone, and fallbackPlan.autoFallback is not enabled")

"""The local transcriber, as an assistant wants it."""

from __future__ import annotations

from typing import Protocol

from ari_assistant.providers.faster_whisper import FasterWhisperTranscriber
from ari_assistant.providers.moonshine import MoonshineTranscriber
from ari_assistant.providers.process import EngineProcess
from ari_assistant.providers.transcriber import Transcriber
from ari_assistant.vapi import transcriber as schema

__all__ = ["LocalTranscribers", "MoonshineForAll", "WhisperForEach"]


class LocalTranscribers(Protocol):
    """Of one engine."""

    def choose(self, wanted: schema.Transcriber | None) -> Transcriber:
        """The engine for what an assistant says of its transcriber, if anything."""


class MoonshineForAll:
    """Moonshine knows English only: everybody has the same."""

    def __init__(self, engine: EngineProcess) -> None:
        self._transcriber = MoonshineTranscriber(engine)

    def choose(self, wanted: schema.Transcriber | None) -> Transcriber:
        """See `LocalTranscribers`."""
        return self._transcriber


class WhisperForEach:
    """Whisper knows languages, and is told keywords."""

    def __init__(self, engine: EngineProcess) -> None:
        self._engine = engine

    def choose(self, wanted: schema.Transcriber | None) -> Transcriber:
        """See `LocalTranscribers`."""
        if wanted is None:
            return FasterWhisperTranscriber(self._engine)
        language = (wanted.language or "en").partition("-")[0].lower()
        return FasterWhisperTranscriber(
            self._engine,
            language="en" if language == "multi" else language,
            keywords=tuple(word.partition(":")[0] for word in wanted.keywords or ()),
        )

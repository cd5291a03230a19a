"""Who plays in a call: the assistant with everything that its names stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ari_assistant.dialogue.tools import Offered
from ari_assistant.providers.model import Model
from ari_assistant.providers.transcriber import Transcriber, TranscriberStream
from ari_assistant.providers.voice import Voice
from ari_assistant.vapi.assistant import Assistant

__all__ = ["ResolvedAssistant"]


@dataclass(frozen=True, slots=True)
class ResolvedAssistant:
    """What a conversation needs of its assistant."""

    assistant: Assistant
    model: Model
    analyst: Model | None
    """The language model that is asked after the call; None when the built-in dialogue spoke."""
    voice: Voice
    transcriber: Transcriber
    stream: TranscriberStream | None
    """Listens along where the assistant's transcriber does that; `transcriber` takes over when it is gone."""
    tools: Mapping[str, Offered]

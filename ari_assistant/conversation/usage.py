"""What a call has used of what is paid for: tokens, characters, seconds of audio."""

from __future__ import annotations

from dataclasses import dataclass, field

from ari_assistant.providers.model import Usage

__all__ = ["Consumption"]


@dataclass(slots=True)
class Consumption:
    """What a call has used."""

    model: Usage = field(default_factory=Usage)
    voice_characters: int = 0
    heard_seconds: float = 0.0
    """Audio that was given to the transcriber."""
    analysis: dict[str, Usage] = field(default_factory=dict)
    """By `analysisType`."""

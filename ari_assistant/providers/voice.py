"""The voice protocol: a clause in, its audio out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm

__all__ = ["Voice"]


class Voice(Protocol):
    """Synthesises clauses."""

    @property
    def name(self) -> str:
        """For logs and call records."""

    def synthesize(self, text: str, *, rate: int = SAMPLE_RATE) -> AsyncGenerator[Pcm, None]:
        """Audio of `text` as it is made: int16 at `rate` (8 or 16 kHz), chunks of any length. Raises ProviderError.
        Closing the generator withdraws the request."""

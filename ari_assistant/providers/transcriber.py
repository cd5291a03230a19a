"""The transcriber protocol: an utterance in, its words out."""

from __future__ import annotations

from typing import Protocol

from ari_assistant.media.frame import Pcm

__all__ = ["Transcriber"]


class Transcriber(Protocol):
    """Recognises whole utterances that our own endpointing has cut."""

    @property
    def name(self) -> str:
        """For logs and call records."""

    async def transcribe(self, pcm: Pcm) -> str:
        """The words of one utterance (int16, 8 kHz); empty when there are none. Raises ProviderError.
        Cancelling it withdraws the request."""

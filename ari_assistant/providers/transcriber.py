"""The transcriber protocols: an utterance in, its words out; or a stream that listens along."""

from __future__ import annotations

from typing import Protocol

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm

__all__ = ["Transcriber", "TranscriberStream"]


class Transcriber(Protocol):
    """Recognises whole utterances that our own endpointing has cut."""

    @property
    def name(self) -> str:
        """For logs and call records."""

    async def transcribe(self, pcm: Pcm, *, rate: int = SAMPLE_RATE) -> str:
        """The words of one utterance (int16 at `rate`, 8 or 16 kHz); empty when there are none. Raises ProviderError.
        Cancelling it withdraws the request."""


class TranscriberStream(Protocol):
    """Listens to one call from its first frame to its last, and knows the words sooner."""

    @property
    def name(self) -> str:
        """For logs and call records."""

    async def run(self) -> None:
        """Keep the connection; returns or raises ProviderError when it is over, and is cancelled at the end of the
        call."""

    def push(self, caller: Pcm, assistant: Pcm) -> None:
        """One frame of both sides (int16, 8 kHz, 160 samples each). Returns at once; when the network is behind,
        the oldest audio is dropped."""

    async def words(self) -> str:
        """The words of the utterance that has just paused: the finished ones, and those that are still partial
        after a short wait. Raises ProviderError when the connection is gone."""

    @property
    def confidence(self) -> float | None:
        """How sure the words of this utterance are (0 … 1), where the vendor tells it."""

    def reset(self) -> None:
        """The utterance has been taken: what comes now belongs to the next one."""

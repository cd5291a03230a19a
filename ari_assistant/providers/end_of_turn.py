"""The end-of-turn protocol: the last seconds of an utterance in, the probability that it is over out."""

from __future__ import annotations

from typing import Protocol

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm

__all__ = ["EndOfTurnModel"]


class EndOfTurnModel(Protocol):
    """Listens to the prosody of an utterance that has just paused."""

    async def finished(self, pcm: Pcm, *, rate: int = SAMPLE_RATE) -> float:
        """The probability (0 … 1) that the caller has finished. `pcm`: the utterance with the silence behind it (int16
        at `rate`). Raises ProviderError. Cancelling it withdraws the request."""

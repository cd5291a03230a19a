"""Both sides of a call on one time line: caller left, assistant right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm

__all__ = ["ASSISTANT", "CALLER", "StereoTimeline"]

CALLER = 0
ASSISTANT = 1


class StereoTimeline:
    """Places audio by its sample position and hands it out interleaved, in order, once.

    Memory is bounded by what lies between the oldest sample not yet taken and the newest put, and that by
    `horizon_samples`: what is put further ahead is dropped, as is what comes after its time was taken.
    """

    def __init__(self, *, horizon_samples: int = 10 * SAMPLE_RATE) -> None:
        self._horizon = horizon_samples
        self._buffer: NDArray[np.int16] = np.zeros((SAMPLE_RATE, 2), np.int16)
        self._base = 0
        self._end = 0
        self.dropped = 0
        """Samples that came too late or too far ahead."""

    @property
    def base(self) -> int:
        """The position of the first sample that has not been taken."""
        return self._base

    def put(self, side: int, position: int, pcm: Pcm) -> None:
        """Write `pcm` (int16) of `side` at `position`, in samples since the call's first."""
        start, stop = position - self._base, position - self._base + pcm.size
        early = min(max(0, -start), pcm.size)
        beyond = min(max(0, stop - self._horizon), pcm.size - early)
        self.dropped += early + beyond
        pcm = pcm[early : pcm.size - beyond]
        if not pcm.size:
            return
        start, stop = start + early, stop - beyond
        if stop > len(self._buffer):
            grown = np.zeros((max(stop, 2 * len(self._buffer)), 2), np.int16)
            grown[: len(self._buffer)] = self._buffer
            self._buffer = grown
        self._buffer[start:stop, side] = pcm
        self._end = max(self._end, self._base + stop)

    def take(self, until: int) -> NDArray[np.int16]:
        """Everything up to position `until`, shape (n, 2), int16; silence where nothing was put."""
        count = max(0, until - self._base)
        taken = np.zeros((count, 2), np.int16)
        present = min(count, len(self._buffer))
        taken[:present] = self._buffer[:present]
        kept = max(0, self._end - until)
        self._buffer[:kept] = self._buffer[present : present + kept]
        self._buffer[kept:] = 0
        self._base = max(self._base, until)
        self._end = max(self._end, self._base)
        return taken

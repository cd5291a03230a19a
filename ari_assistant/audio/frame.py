"""The unit of audio: 20 ms of 8 kHz mono, 160 samples of int16."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["FRAME_SAMPLES", "PTIME_SECONDS", "SAMPLE_RATE", "SILENCE", "WIDE_RATE", "Pcm", "seconds"]

SAMPLE_RATE: Final = 8_000
"""Samples a second of narrowband audio: of everything that does not say otherwise. Also the clock of RTP."""
WIDE_RATE: Final = 16_000
"""Samples a second of wideband audio, with callers who speak G.722."""
PTIME_SECONDS: Final = 0.02
"""Audio in one packet and in one frame (RTP's ptime)."""
FRAME_SAMPLES: Final = 160

Pcm = NDArray[np.int16]
"""Mono samples, int16, shape (n,), at `SAMPLE_RATE` unless a name says otherwise."""

SILENCE: Final[Pcm] = np.zeros(FRAME_SAMPLES, np.int16)
SILENCE.setflags(write=False)


def seconds(samples: int) -> float:
    """How long `samples` samples last."""
    return samples / SAMPLE_RATE

"""PCM as the bytes of a WAV file."""

from __future__ import annotations

import struct

from ari_assistant.media.frame import Pcm

__all__ = ["wav_bytes"]


def wav_bytes(pcm: Pcm, rate: int) -> bytes:
    """A RIFF file of int16 samples: mono for a 1-D array, else one channel a column. `rate` in Hz."""
    channels = 1 if pcm.ndim == 1 else pcm.shape[1]
    data = pcm.astype("<i2", copy=False).tobytes()
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, channels, rate, rate * channels * 2, channels * 2, 16,
        b"data", len(data),
    )  # fmt: skip
    return header + data

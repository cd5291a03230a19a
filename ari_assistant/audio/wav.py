"""PCM as the bytes of a WAV file, and back."""

from __future__ import annotations

import io
import struct
import wave

import numpy as np
import soxr

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm

__all__ = ["read_wav", "wav_bytes"]


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


def read_wav(data: bytes, rate: int = SAMPLE_RATE) -> Pcm:
    """The samples of a WAV file (16-bit PCM, any rate, channels mixed) as int16 at `rate`.

    Raises ValueError when it is something else.
    """
    try:
        with wave.open(io.BytesIO(data), "rb") as source:
            width, channels, stored = source.getsampwidth(), source.getnchannels(), source.getframerate()
            frames = source.readframes(source.getnframes())
    except (wave.Error, EOFError, struct.error) as fault:
        raise ValueError(f"no WAV file with PCM: {fault}") from None
    if width != 2 or not 4_000 <= stored <= 192_000:
        raise ValueError(f"a WAV file of {8 * width} bits at {stored} Hz: 16 bits are needed")
    samples = np.frombuffer(frames[: len(frames) // (2 * channels) * 2 * channels], "<i2").reshape(-1, channels)
    mono = samples.astype(np.float32).mean(axis=1)
    resampled = mono if rate == stored else soxr.resample(mono, stored, rate)
    pcm: Pcm = np.clip(resampled, -32768, 32767).astype(np.int16)
    return pcm

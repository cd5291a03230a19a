"""A sound behind the assistant's voice (`backgroundSound`, contract §2). Off unless it is asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ari_assistant.audio.frame import FRAME_SAMPLES, SAMPLE_RATE, Pcm

__all__ = ["Background", "room_tone"]

_RMS = 260.0
"""About −42 dBFS: heard, and 20 dB below a voice."""
_SEAM_SAMPLES = 400


def room_tone(seconds: float = 20.0, rate: int = SAMPLE_RATE) -> Pcm:
    """A quiet office without people: air and a little rumble (int16 at `rate`). Made, not recorded, always the same."""
    count = round(seconds * rate)
    spectrum = np.fft.rfft(np.random.default_rng(17).normal(size=count))
    hertz = np.fft.rfftfreq(count, 1 / rate)
    shape = np.zeros_like(hertz)
    shape[1:] = 1 / np.sqrt(hertz[1:])
    shape[(hertz < 60) | (hertz > 3400)] = 0
    wave = np.fft.irfft(spectrum * shape, count)
    tone: Pcm = (wave / np.abs(wave).max() * 8_000).astype(np.int16)
    return tone


def _seamless(wave: NDArray[np.float64]) -> NDArray[np.float64]:
    """`wave` with its end led over into its beginning, so that it can be repeated without a click."""
    count = min(_SEAM_SAMPLES, wave.size // 4)
    if not count:
        return wave
    ramp = np.arange(1, count + 1) / (count + 1)
    joined = wave[:-count].copy()
    joined[:count] = wave[:count] * np.sqrt(ramp) + wave[-count:] * np.sqrt(1 - ramp)
    return joined


class Background:
    """Repeats a sound without end, at a fixed loudness."""

    def __init__(self, pcm: Pcm) -> None:
        """`pcm`: int16 at the rate of the frames it lies under, any length above zero."""
        wide = _seamless(pcm.astype(np.float64))
        gain = _RMS / max(1.0, float(np.sqrt((wide**2).mean())))
        sound: NDArray[np.int32] = np.clip(wide * min(gain, 4.0), -32768, 32767).astype(np.int32)
        self._sound = np.resize(sound, max(sound.size, FRAME_SAMPLES))
        self._at = 0
        self._begun = False

    def under(self, frame: Pcm | None, count: int = FRAME_SAMPLES) -> Pcm:
        """The next `count` samples, with `frame` over them."""
        index = (self._at + np.arange(count)) % self._sound.size
        self._at = (self._at + count) % self._sound.size
        mixed = self._sound[index]
        if not self._begun:  # as every sound, it comes up
            self._begun = True
            mixed = (mixed * np.linspace(0, 1, count)).astype(np.int32)
        if frame is not None:
            mixed = mixed + frame
        result: Pcm = np.clip(mixed, -32768, 32767).astype(np.int16)
        return result

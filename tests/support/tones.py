"""Tones: tests send them and find them again by FFT, so that "the caller hears it" is an assertion."""

from __future__ import annotations

import numpy as np

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm


def tone(hertz: float, seconds: float, *, level: float = 0.3) -> Pcm:
    """A sine, int16 at 8 kHz."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    wave: Pcm = (np.sin(2 * np.pi * hertz * t) * level * 32767).astype(np.int16)
    return wave


def loudest(pcm: Pcm) -> float:
    """The strongest frequency, in hertz; 0 for silence."""
    if not pcm.size or np.abs(pcm).max() < 200:
        return 0.0
    spectrum = np.abs(np.fft.rfft(pcm.astype(np.float64) * np.hanning(pcm.size)))
    return float(np.argmax(spectrum) * SAMPLE_RATE / pcm.size)

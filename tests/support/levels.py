"""How loud speech is: ITU-T P.56 method B, as the recommendation has it (not the product's own measure)."""

from __future__ import annotations

import numpy as np

from ari_assistant.audio.frame import Pcm

__all__ = ["active_level", "largest_step"]

_MARGIN_DB = 15.9
_TIME_CONSTANT, _HANGOVER = 0.03, 0.2


def active_level(pcm: Pcm, rate: int = 8_000) -> float:
    """The active speech level of `pcm` in dB below 32768."""
    wave = pcm.astype(np.float64) / 32768
    keep = float(np.exp(-1 / (_TIME_CONSTANT * rate)))
    envelope = np.zeros(wave.size)
    once = twice = 0.0
    for index, size in enumerate(np.abs(wave).tolist()):
        once = keep * once + (1 - keep) * size
        envelope[index] = twice = keep * twice + (1 - keep) * once
    energy, hangover = float((wave**2).sum()), round(_HANGOVER * rate)
    level = float("-inf")
    for threshold in 2.0 ** np.arange(-15, 0, 0.125):
        loud = np.concatenate([np.zeros(hangover), np.cumsum(envelope >= threshold)])
        active = loud[hangover:] > loud[:-hangover]
        if not active.any():
            break
        level = 10 * np.log10(energy / active.sum())
        if level - 20 * np.log10(threshold) <= _MARGIN_DB:
            break
    return float(level)


def largest_step(pcm: Pcm) -> int:
    """Between two samples next to each other."""
    return int(np.abs(np.diff(pcm.astype(np.int32))).max(initial=0))

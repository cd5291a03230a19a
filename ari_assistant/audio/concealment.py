"""What stands for lost audio: the last period of the voice, repeated and fading (after ITU-T G.711 Appendix I), and
comfort noise (RFC 3389)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ari_assistant.audio.frame import Pcm

__all__ = ["comfort_noise", "conceal", "join"]

_LOWEST_HERTZ, _HIGHEST_HERTZ = 66, 200
_FADE_AFTER, _FADE_UNTIL = 0.01, 0.06
"""A substitute is full for 10 ms and gone after 60: a voice does not hold a sound for longer."""
_OVERLAP_SECONDS = 0.005


def _period(history: NDArray[np.float64], rate: int) -> int:
    """The lag, in samples, at which the end of `history` looks most like itself."""
    shortest, longest = rate // _HIGHEST_HERTZ, rate // _LOWEST_HERTZ
    window = min(history.size - longest, rate // 50)
    if window < rate // 200:
        return min(longest, history.size)
    template = history[-window:]
    reach = history[-window - longest : history.size - shortest]
    products = np.correlate(reach, template, "valid")
    squares = np.concatenate([[0.0], np.cumsum(reach * reach)])
    energies = squares[window:] - squares[:-window]
    best = int(np.argmax(products / np.sqrt(np.maximum(energies, 1.0))))
    return longest - best


def conceal(history: Pcm, count: int, rate: int) -> Pcm:
    """`count` samples (int16) in place of what was lost after `history` (the last 60 ms, or less; int16 at `rate`)."""
    if history.size < rate // 200 or not history.any():
        return np.zeros(count, np.int16)
    known = history.astype(np.float64)
    period = _period(known, rate)
    cycle = known[-period:].copy()
    overlap = min(round(_OVERLAP_SECONDS * rate), period // 2, known.size - period)
    if overlap > 0:  # the end of the cycle leads over into its beginning
        ramp = np.arange(1, overlap + 1) / (overlap + 1)
        before = known[-period - overlap : known.size - period]
        cycle[-overlap:] = cycle[-overlap:] * (1 - ramp) + before * ramp
    substitute = np.resize(cycle, count)
    at = np.arange(count) / rate
    fade = np.clip((_FADE_UNTIL - at) / (_FADE_UNTIL - _FADE_AFTER), 0.0, 1.0)
    result: Pcm = (substitute * fade).astype(np.int16)
    return result


def join(concealed: Pcm, frame: Pcm, rate: int) -> Pcm:
    """`frame`, the first after a loss, led over into from what `concealed` would have gone on with: no click."""
    overlap = min(round(_OVERLAP_SECONDS * rate), concealed.size, frame.size)
    if overlap == 0 or not concealed.any():
        return frame
    ramp = np.arange(1, overlap + 1) / (overlap + 1)
    tail = concealed[-overlap:][::-1].astype(np.float64)  # mirrored, so that it begins where the substitute ended
    joined = frame.copy()
    joined[:overlap] = (tail * (1 - ramp) + frame[:overlap] * ramp).astype(np.int16)
    return joined


def comfort_noise(payload: bytes, count: int, *, seed: int) -> Pcm:
    """`count` samples of noise as loud as a comfort noise payload says (RFC 3389 §3: its first byte is the level in
    −dBov; the spectrum that may follow is left out). Silence for an empty payload."""
    if not payload or count <= 0:
        return np.zeros(max(0, count), np.int16)
    level = 32768.0 * 10.0 ** (-(payload[0] & 0x7F) / 20)
    noise = np.random.default_rng(seed).normal(0.0, level, count)
    result: Pcm = np.clip(noise, -32768, 32767).astype(np.int16)
    return result

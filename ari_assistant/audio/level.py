"""How loud the assistant speaks: every voice at one level, and no sentence scaled by itself.

A voice is multiplied by its own fixed gain, so that it is as loud as others are. What then still differs (a voice
stresses one sentence more than another: Piper's are 5 dB apart) is evened out by a compressor, and peaks are rounded
off by a limiter. All of it runs along with the audio, 5 ms behind it: how a sentence goes on need not be known.

Levels are active speech levels: the power while somebody speaks, pauses left out, in dB below a sample of 32768 (ITU-T
P.56 method B, whose margin of 15.9 dB tells speech from pauses).
"""

from __future__ import annotations

from math import exp, log10
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ari_assistant.audio.frame import Pcm

__all__ = ["ActiveLevel", "Leveller"]

_HOP_SECONDS: Final = 0.005
_MARGIN: Final = 10.0**-1.59
_NOISE: Final = 10.0**-5
"""Power (of 1) below which nothing is speech."""
_USUAL_DB: Final = -22.2
"""What `ActiveLevel` tells of Piper as it is (−24.3 dB by P.56); other voices are brought to it."""
_THRESHOLD_DB: Final = -30.0
_RATIO: Final = 4.0
_ATTACK: Final = exp(-1.0)
_RELEASE: Final = exp(-0.05)
"""A hop's share of the envelope is lost in 5 ms while it rises, in 100 ms while it falls."""
_MAKE_UP_DB: Final = 12.7
"""So that a usual voice leaves at −20 dB (P.56)."""
_KNEE: Final = 0.5
_MOST_GAIN_DB: Final = 18.0
_LEARNT_SECONDS: Final = 20.0


class ActiveLevel:
    """The level of one voice, learnt from the first 20 seconds that it speaks; then it stays."""

    def __init__(self) -> None:
        self._power = 0.0
        self._hops = 0

    @property
    def known(self) -> bool:
        """Nothing more is learnt."""
        return self._hops * _HOP_SECONDS >= _LEARNT_SECONDS

    def learn(self, pcm: Pcm, rate: int) -> None:
        """The voice has said `pcm` (int16 at `rate`)."""
        if self.known:
            return
        for power in _powers(pcm, round(rate * _HOP_SECONDS)).tolist():
            if power > max(_NOISE, self._power * _MARGIN):
                self._hops += 1
                self._power += (power - self._power) / self._hops

    @property
    def gain_db(self) -> float:
        """What makes this voice as loud as others; 0 while nothing is known."""
        if not self._hops:
            return 0.0
        return min(_MOST_GAIN_DB, max(-_MOST_GAIN_DB, _USUAL_DB - 10 * log10(self._power)))


class Leveller:
    """Brings what is said in one go to the level of the line, about −20 dB. Chunks of any length; what comes out does
    not depend on how they were cut."""

    def __init__(self, rate: int, *, gain_db: float = 0.0) -> None:
        """`rate`: samples a second. `gain_db`: the voice's own."""
        self._hop = round(rate * _HOP_SECONDS)
        self._gain_db = gain_db
        self._rest: Pcm = np.zeros(0, np.int16)
        self._envelope = 10.0 ** (_USUAL_DB / 10)  # a beginning is not louder than the rest
        self._factor = self._factor_now()

    def push(self, pcm: Pcm) -> Pcm:
        """The next audio (int16), and up to 5 ms less or more of it back."""
        whole = np.concatenate([self._rest, pcm]) if self._rest.size else pcm
        end = whole.size - whole.size % self._hop
        self._rest = whole[end:]
        return self._levelled(whole[:end])

    def finish(self) -> Pcm:
        """What is left: nothing more comes."""
        rest, self._rest = self._rest, self._rest[:0]
        return self._levelled(np.pad(rest, (0, self._hop - rest.size)))[: rest.size] if rest.size else rest

    def _levelled(self, pcm: Pcm) -> Pcm:
        gain = 10.0 ** (self._gain_db / 20)
        factors = [self._factor]
        for power in (_powers(pcm, self._hop) * gain**2).tolist():
            kept = _ATTACK if power > self._envelope else _RELEASE
            self._envelope = kept * self._envelope + (1 - kept) * power
            factors.append(self._factor_now())
        self._factor = factors[-1]
        ends = np.arange(len(factors)) * self._hop
        curve = np.interp(np.arange(1, pcm.size + 1), ends, factors)
        return _limited(pcm * (curve * gain / 32768))

    def _factor_now(self) -> float:
        over = max(0.0, 10 * log10(self._envelope + 1e-12) - _THRESHOLD_DB)
        return float(10.0 ** ((_MAKE_UP_DB - over * (1 - 1 / _RATIO)) / 20))


def _powers(pcm: Pcm, hop: int) -> NDArray[np.float64]:
    """The mean power of every whole hop; full scale is 1."""
    hops = (pcm[: pcm.size - pcm.size % hop].astype(np.float64) / 32768).reshape(-1, hop)
    powers: NDArray[np.float64] = (hops * hops).mean(axis=1)
    return powers


def _limited(wave: NDArray[np.float64]) -> Pcm:
    """int16 of `wave` (full scale is 1): as it is below −6 dB, bent above it, never clipped."""
    size = np.abs(wave)
    over = np.maximum(0.0, size - _KNEE) / (1 - _KNEE)
    bent = _KNEE + (1 - _KNEE) * over / (1 + over)
    result: Pcm = np.rint(np.copysign(np.where(size > _KNEE, bent, size), wave) * 32767).astype(np.int16)
    return result

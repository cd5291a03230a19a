"""The silence that voices put before the first word."""

from __future__ import annotations

from typing import Final

import numpy as np

from ari_assistant.audio.frame import Pcm

__all__ = ["trim_leading_silence"]

_AUDIBLE: Final = 80
"""A sample beyond this is sound."""
_KEPT_SECONDS: Final = 0.005
_MOST_SECONDS: Final = 0.3


def trim_leading_silence(pcm: Pcm, rate: int) -> Pcm:
    """`pcm` (int16 at `rate`) from 5 ms before its first sound on: a reply is waited for, and every voice begins with
    20 to 100 ms of nothing. At most 300 ms are taken away: what is silent for longer is meant to be."""
    head = np.abs(pcm[: round(_MOST_SECONDS * rate)].astype(np.int32)) > _AUDIBLE
    if not head.any():
        return pcm
    start = max(0, int(head.argmax()) - round(_KEPT_SECONDS * rate))
    return pcm[start:]

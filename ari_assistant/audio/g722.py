"""G.722 at 64 kbit/s (ITU-T G.722), by the package `G722`; loaded when the first wideband call comes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from ari_assistant.audio.frame import WIDE_RATE, Pcm

__all__ = ["G722"]

_BIT_RATE = 64_000


class _Coder:
    """State of one direction."""

    def __init__(self) -> None:
        library: Any = import_module("G722")
        self._state = library.G722(WIDE_RATE, _BIT_RATE)

    def decode(self, payload: bytes | memoryview) -> Pcm:
        """See `codec.Decoder`: two samples a byte."""
        return np.frombuffer(self._state.decode(bytes(payload)), np.int16)

    def encode(self, pcm: Pcm) -> bytes:
        """See `codec.Encoder`: one byte for two samples."""
        encoded: bytes = self._state.encode(pcm)
        return encoded


@dataclass(frozen=True, slots=True)
class G722:
    """Wideband: 16 kHz audio in the bandwidth of G.711. See `codec.Codec`."""

    name: str = "g722"
    payload_type: int = 9
    rate: int = WIDE_RATE
    stateless: bool = False

    @property
    def silent_payload(self) -> bytes:
        """See `codec.Codec`."""
        return _silence()

    def decoder(self) -> _Coder:
        """See `codec.Codec`."""
        return _Coder()

    def encoder(self) -> _Coder:
        """See `codec.Codec`."""
        return _Coder()


@cache
def _silence() -> bytes:
    coder = _Coder()
    silent = np.zeros(WIDE_RATE // 50, np.int16)
    coder.encode(silent)
    return coder.encode(silent)

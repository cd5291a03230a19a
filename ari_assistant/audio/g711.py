"""G.711 by tables (ITU-T G.711; bit-exact with the reference algorithm of 1988, ITU-T G.191)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ari_assistant.audio.frame import FRAME_SAMPLES, SAMPLE_RATE, Pcm

__all__ = ["ALAW", "LAWS", "ULAW", "Law"]

_Codes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Law:
    """One of the two companding laws."""

    name: str
    """Asterisk's name of the format: `ulaw` or `alaw`."""
    payload_type: int
    """RTP payload type (RFC 3551 §6)."""
    decode_table: Pcm
    encode_table: _Codes
    silence: int
    """The code of a zero sample."""
    rate: int = SAMPLE_RATE
    stateless: bool = True

    @property
    def silent_payload(self) -> bytes:
        """See `codec.Codec`."""
        return bytes([self.silence]) * FRAME_SAMPLES

    def decoder(self) -> Law:
        """See `codec.Codec`: a table has no state."""
        return self

    def encoder(self) -> Law:
        """See `codec.Codec`."""
        return self

    def decode(self, payload: bytes | memoryview) -> Pcm:
        """One byte a sample → int16 samples."""
        return self.decode_table.take(np.frombuffer(payload, np.uint8))

    def encode(self, pcm: Pcm) -> bytes:
        """int16 samples → one byte a sample."""
        return self.encode_table.take(pcm.view(np.uint16)).tobytes()


def _segments(magnitude: NDArray[np.int32], ends: list[int]) -> NDArray[np.int32]:
    return np.searchsorted(np.array(ends), magnitude).astype(np.int32)


def _ulaw_tables() -> tuple[Pcm, _Codes]:
    codes = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = ((((codes & 0x0F) << 3) + 0x84) << ((codes & 0x70) >> 4)) - 0x84
    decode = np.where(codes & 0x80, -magnitude, magnitude).astype(np.int16)

    samples = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32) >> 2
    mask = np.where(samples < 0, 0x7F, 0xFF)
    biased = np.minimum(np.abs(samples), 8159) + 33
    segment = _segments(biased, [0x3F << i | (1 << i) - 1 for i in range(8)])
    codes = segment << 4 | biased >> segment + 1 & 0x0F
    encode = (np.where(segment >= 8, 0x7F, codes) ^ mask).astype(np.uint8)
    return decode, encode


def _alaw_tables() -> tuple[Pcm, _Codes]:
    codes = np.arange(256, dtype=np.int32) ^ 0x55
    segment = (codes & 0x70) >> 4
    mantissa = (codes & 0x0F) << 4
    magnitude = np.where(segment == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(segment - 1, 0))
    decode = np.where(codes & 0x80, magnitude, -magnitude).astype(np.int16)

    samples = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32) >> 3
    mask = np.where(samples >= 0, 0xD5, 0x55)
    positive = np.where(samples >= 0, samples, -samples - 1)
    segment = _segments(positive, [0x1F << i | (1 << i) - 1 for i in range(8)])
    codes = segment << 4 | np.where(segment < 2, positive >> 1, positive >> segment) & 0x0F
    encode = (np.where(segment >= 8, 0x7F, codes) ^ mask).astype(np.uint8)
    return decode, encode


def _law(name: str, payload_type: int, tables: tuple[Pcm, _Codes]) -> Law:
    for table in tables:
        table.setflags(write=False)
    return Law(name, payload_type, *tables, silence=int(tables[1][0]))


ULAW: Final = _law("ulaw", 0, _ulaw_tables())
ALAW: Final = _law("alaw", 8, _alaw_tables())
LAWS: Final = {law.name: law for law in (ULAW, ALAW)}
"""The laws by Asterisk's name of the format."""

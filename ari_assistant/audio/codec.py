"""What a codec is to the media plane, and which ones there are."""

from __future__ import annotations

from typing import Final, Protocol

from ari_assistant.audio.frame import Pcm
from ari_assistant.audio.g711 import ALAW, ULAW
from ari_assistant.audio.g722 import G722

__all__ = ["CODECS", "Codec", "Decoder", "Encoder"]


class Decoder(Protocol):
    """One direction of one stream."""

    def decode(self, payload: bytes | memoryview) -> Pcm:
        """The samples of a payload, in order: int16, at the codec's `rate`."""


class Encoder(Protocol):
    """One direction of one stream."""

    def encode(self, pcm: Pcm) -> bytes:
        """The payload of samples, in order: int16, at the codec's `rate`, an even number."""


class Codec(Protocol):
    """A codec of 64 kbit/s whose RTP clock is 8 kHz: one byte of payload is one tick, 20 ms are 160 bytes.

    All of RFC 3551's static codecs that telephones speak are like this, G.722 too (its clock is 8 kHz by an error that
    was kept, RFC 3551 §4.5.2).
    """

    @property
    def name(self) -> str:
        """Asterisk's name of the format."""

    @property
    def payload_type(self) -> int:
        """RFC 3551 §6."""

    @property
    def rate(self) -> int:
        """Samples a second of the audio."""

    @property
    def stateless(self) -> bool:
        """Every byte is coded by itself: a payload may be cut and joined anywhere."""

    @property
    def silent_payload(self) -> bytes:
        """20 ms of silence."""

    def decoder(self) -> Decoder:
        """A new one."""

    def encoder(self) -> Encoder:
        """A new one."""


CODECS: Final[dict[str, Codec]] = {codec.name: codec for codec in (ULAW, ALAW, G722())}
"""By Asterisk's name of the format."""

"""RTP packets: parse and build (RFC 3550 §5.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = ["MalformedPacket", "RtpPacket", "sequence_delta", "timestamp_delta"]

_HEADER = struct.Struct("!BBHII")


class MalformedPacket(ValueError):
    """The bytes are not an RTP packet; the text names the defect."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One packet. `sequence_number` is 16 bits, `timestamp` (in samples) and `ssrc` 32."""

    payload_type: int
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    @classmethod
    def parse(cls, data: bytes) -> RtpPacket:
        """Read a datagram. CSRCs, header extension and padding are skipped. Raises MalformedPacket."""
        if len(data) < 12:
            raise MalformedPacket("RTP packet is shorter than its header")
        first, second, sequence_number, timestamp, ssrc = _HEADER.unpack_from(data)
        if first >> 6 != 2:
            raise MalformedPacket("RTP version is not 2")
        start = 12 + 4 * (first & 0x0F)
        if start > len(data):
            raise MalformedPacket("RTP packet has truncated CSRCs")
        if first & 0x10:
            if start + 4 > len(data):
                raise MalformedPacket("RTP packet has a truncated extension header")
            start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4])
            if start > len(data):
                raise MalformedPacket("RTP packet has a truncated extension")
        end = len(data)
        if first & 0x20:
            padding = data[-1]
            if padding == 0 or start + padding > end:
                raise MalformedPacket("RTP packet has an impossible padding length")
            end -= padding
        return cls(second & 0x7F, sequence_number, timestamp, ssrc, data[start:end], bool(second & 0x80))

    def serialize(self) -> bytes:
        """The packet's bytes, without CSRCs, extension or padding."""
        second = self.payload_type | (0x80 if self.marker else 0)
        head = _HEADER.pack(0x80, second, self.sequence_number, self.timestamp, self.ssrc)
        return head + self.payload


def sequence_delta(later: int, earlier: int) -> int:
    """How far `later` is ahead of `earlier` on the 16-bit circle: −32768 … 32767."""
    return ((later - earlier + 0x8000) & 0xFFFF) - 0x8000


def timestamp_delta(later: int, earlier: int) -> int:
    """How far `later` is ahead of `earlier` on the 32-bit circle: −2³¹ … 2³¹−1."""
    return ((later - earlier + 0x80000000) & 0xFFFFFFFF) - 0x80000000

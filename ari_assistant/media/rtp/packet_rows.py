"""RTP for many streams at once: headers as columns of numpy arrays (RFC 3550 §5.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ari_assistant.audio.frame import FRAME_SAMPLES

__all__ = ["CAPACITY", "HEADER_BYTES", "PACKET_BYTES", "PacketRows", "ReceivedHeaders", "read_headers"]

HEADER_BYTES: Final = 12
PACKET_BYTES: Final = HEADER_BYTES + FRAME_SAMPLES
CAPACITY: Final = 1_024
"""Streams of one media process; also what one `sendmmsg` takes."""

_ROW = np.dtype(
    [("first", "u1"), ("second", "u1"), ("number", ">u2"), ("timestamp", ">u4"), ("ssrc", ">u4"),
     ("payload", "u1", (FRAME_SAMPLES,))]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReceivedHeaders:
    """Of the datagrams of one wake-up, as lists of Python integers: they are looked at one by one."""

    plain: list[bool]
    """Version 2, without CSRCs, extension, padding and marker: twelve bytes, and then audio."""
    payload_type: list[int]
    number: list[int]
    timestamp: list[int]
    ssrc: list[int]


def read_headers(datagrams: NDArray[np.uint8]) -> ReceivedHeaders:
    """`datagrams`: shape (n, at least 12). What lies beyond a datagram's length is whatever was there before: look at
    the length first."""
    head = np.ascontiguousarray(datagrams[:, :HEADER_BYTES])
    words = head.view(">u4")
    second = head[:, 1]
    return ReceivedHeaders(
        plain=((head[:, 0] == 0x80) & (second < 0x80)).tolist(),
        payload_type=(second & 0x7F).tolist(),
        number=head.view(">u2")[:, 1].tolist(),
        timestamp=words[:, 1].tolist(),
        ssrc=words[:, 2].tolist(),
    )


class PacketRows:
    """The next packet of every outgoing stream, one row each, without gaps: what is sent is rows of this matrix."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._rows = np.zeros(capacity, _ROW)
        self._rows["first"] = 0x80
        self._bytes = memoryview(self._rows.view(np.uint8).data)
        self._types = np.zeros(capacity, np.uint8)
        self._marked: list[int] = []
        self.count = 0

    @property
    def address(self) -> int:
        """Where row 0 lies in memory; rows are `PACKET_BYTES` apart."""
        return int(self._rows.ctypes.data)

    @property
    def full(self) -> bool:
        """No further stream can be added."""
        return self.count == len(self._rows)

    def add(self, *, payload_type: int, ssrc: int, number: int, timestamp: int) -> int:
        """A stream; its first packet will have `number` and `timestamp`, and the marker. Returns its row."""
        row = self.count
        self.count += 1
        self._rows["ssrc"][row] = ssrc
        self._rows["number"][row] = (number - 1) & 0xFFFF
        self._rows["timestamp"][row] = (timestamp - FRAME_SAMPLES) & 0xFFFFFFFF
        self._types[row] = self._rows["second"][row] = payload_type
        self.mark(row)
        return row

    def remove(self, row: int) -> int | None:
        """Take a stream out. The last row takes its place; returns that row's old number, or None if it was last."""
        last = self.count - 1
        self.count = last
        self._marked = [marked for marked in self._marked if marked != row]
        if row == last:
            return None
        self._rows[row] = self._rows[last]
        self._types[row] = self._types[last]
        self._marked = [row if marked == last else marked for marked in self._marked]
        return last

    def mark(self, row: int) -> None:
        """The row's next packet follows a gap (the marker bit)."""
        self._rows["second"][row] |= 0x80
        self._marked.append(row)

    def fill(self, row: int, payload: bytes) -> None:
        """The payload of the row's next packet: 160 bytes. It stays until another is put there."""
        start = row * PACKET_BYTES + HEADER_BYTES
        self._bytes[start : start + FRAME_SAMPLES] = payload

    def advance(self) -> None:
        """Number the next packet of every stream. Call it before rows are sent."""
        self._rows["number"][: self.count] += 1
        self._rows["timestamp"][: self.count] += FRAME_SAMPLES

    def advance_one(self, row: int) -> None:
        """… of one stream that is sent by itself."""
        one = self._rows[row : row + 1]  # of a scalar numpy would warn when it wraps
        one["number"] += 1
        one["timestamp"] += FRAME_SAMPLES

    def take_back(self, row: int) -> None:
        """The row is not sent this time after all."""
        one = self._rows[row : row + 1]
        one["number"] -= 1
        one["timestamp"] -= FRAME_SAMPLES

    def skip(self, frames: int) -> None:
        """Time went by in which nothing was sent: every stream's clock goes on, its next packet is marked."""
        self._rows["timestamp"][: self.count] += np.uint32(frames * FRAME_SAMPLES)
        for row in range(self.count):
            self.mark(row)

    def sent(self) -> None:
        """What was marked has been sent."""
        for row in self._marked:
            self._rows["second"][row] = self._types[row]
        self._marked.clear()

    def packet(self, row: int) -> bytes:
        """The row as it would be sent now."""
        start = row * PACKET_BYTES
        return bytes(self._bytes[start : start + PACKET_BYTES])

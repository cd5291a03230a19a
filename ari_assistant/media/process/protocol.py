"""The messages between the server and its media process (datagrams of a socket pair of type SOCK_SEQPACKET).

To the media process: orders (`MediaOrder`), as many as there are in one datagram. From it: what was heard and played
(`ReportMessage`), and events as JSON.
"""

from __future__ import annotations

import json
import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ari_assistant.audio.frame import FRAME_SAMPLES, Pcm
from ari_assistant.media.rtp.plane import PlaneReport

__all__ = [
    "MAX_MESSAGE_BYTES",
    "Kind",
    "MediaEvent",
    "MediaOrder",
    "ReportMessage",
    "join_orders",
    "pack_event",
    "pack_order",
    "pack_report",
    "unpack",
    "unpack_orders",
]  # fmt: skip

MAX_MESSAGE_BYTES = 160_000
"""Below what a socket pair takes without settings (212,992 less the kernel's own)."""
_FRAMES_A_MESSAGE = 256
_PCM_BYTES = 64_000
_ORDER = struct.Struct("<BxxxII")
_LENGTH = struct.Struct("<I")
_REPORT = struct.Struct("<B?xxIIId")


class Kind(IntEnum):
    """The first byte of a message."""

    OPEN = 1
    CLOSE = 2
    PLAY = 3
    FLUSH = 4
    FILL_SILENCE = 5
    BACKGROUND = 6
    REPORT = 16
    EVENT = 17


@dataclass(frozen=True, slots=True)
class MediaOrder:
    """What the media process is to do."""

    kind: Kind
    number: int
    epoch: int = 0
    pcm: Pcm | None = None
    """Of PLAY, FILL_SILENCE and BACKGROUND."""
    details: dict[str, Any] | None = None
    """Of OPEN: `codec`, `host`, `port`, `recording`."""


def pack_order(order: MediaOrder) -> Iterator[bytes]:
    """The messages of one order: long audio comes in parts, which the far side queues one after the other."""
    head = _ORDER.pack(order.kind, order.number, order.epoch)
    if order.details is not None:
        yield head + json.dumps(order.details).encode()
    elif order.pcm is not None and order.pcm.size:
        data = order.pcm.astype("<i2", copy=False).tobytes()
        for start in range(0, len(data), _PCM_BYTES):
            yield head + data[start : start + _PCM_BYTES]
    else:
        yield head


def join_orders(messages: deque[bytes]) -> bytes:
    """One datagram of as many packed orders as it takes, from the front of `messages`, which lose them."""
    parts: list[bytes] = []
    size = 0
    while messages and (not parts or size + 4 + len(messages[0]) <= _PCM_BYTES):
        message = messages.popleft()
        parts += (_LENGTH.pack(len(message)), message)
        size += 4 + len(message)
    return b"".join(parts)


def unpack_orders(datagram: bytes) -> Iterator[MediaOrder]:
    """Read a datagram of orders. Raises ValueError when one is none."""
    at = 0
    while at < len(datagram):
        (length,) = _LENGTH.unpack_from(datagram, at)
        at += 4
        yield _unpack_order(datagram[at : at + length])
        at += length


def _unpack_order(message: bytes) -> MediaOrder:
    try:
        kind, number, epoch = _ORDER.unpack_from(message)
        rest = message[_ORDER.size :]
        if kind == Kind.OPEN:
            return MediaOrder(Kind.OPEN, number, epoch, details=json.loads(rest))
        pcm = np.frombuffer(rest, "<i2").astype(np.int16, copy=False) if rest else None
        return MediaOrder(Kind(kind), number, epoch, pcm)
    except struct.error as fault:
        raise ValueError(f"not an order: {fault}") from fault


@dataclass(slots=True)
class ReportMessage:
    """What has happened in the media process."""

    now: float
    """Seconds, the monotonic clock of the machine."""
    tick: bool
    """A tick of 20 ms is over (a report may come between two)."""
    played: list[int]
    """Three numbers each: a stream, its epoch, and how many samples have gone out in it."""
    narrow: list[int]
    """Streams of the rows of `narrow_frames`."""
    narrow_frames: NDArray[np.int16]
    """Shape (n, 160), 8 kHz."""
    wide: list[int]
    wide_frames: NDArray[np.int16]
    """Shape (n, 320), 16 kHz."""


@dataclass(slots=True)
class MediaEvent:
    """`ready`, `opened`, `closed`, `refused`, `recording-failed`, `health`, with what belongs to it."""

    name: str
    fields: dict[str, Any]


def pack_event(name: str, **fields: Any) -> bytes:
    """One event."""
    return bytes([Kind.EVENT]) + json.dumps({"event": name, **fields}).encode()


def pack_report(report: PlaneReport, *, now: float, tick: bool) -> Iterator[bytes]:
    """The messages of one report; the last one carries the tick."""
    narrow = _rows(report.narrow_frames, FRAME_SAMPLES)
    wide = _rows(report.wide_frames, 2 * FRAME_SAMPLES)
    played = np.array(report.played, "<u4")
    start, last = 0, max(len(narrow), len(wide), 1)
    while start < last:
        end = start + _FRAMES_A_MESSAGE // (2 if len(wide) else 1)
        narrow_part, wide_part = narrow[start:end], wide[start:end]
        yield b"".join(
            (
                _REPORT.pack(
                    Kind.REPORT, tick and end >= last, len(played), len(narrow_part), len(wide_part), now
                ),
                played.tobytes(),
                np.array(report.narrow[start:end], "<u4").tobytes(),
                np.array(report.wide[start:end], "<u4").tobytes(),
                narrow_part.tobytes(),
                wide_part.tobytes(),
            )
        )
        played = played[:0]
        start = end


def _rows(frames: list[Pcm], width: int) -> NDArray[np.int16]:
    if not frames:
        return np.zeros((0, width), np.int16)
    if len(frames) == 1:
        return frames[0].reshape(-1, width)
    return np.concatenate([frame.reshape(-1, width) for frame in frames])


def unpack(message: bytes | memoryview) -> ReportMessage | MediaEvent:
    """Read what the media process said. The arrays lie in `message`: copy what is kept. Raises ValueError."""
    if not len(message):
        raise ValueError("an empty message")
    if message[0] == Kind.EVENT:
        fields = json.loads(bytes(message[1:]))
        return MediaEvent(fields.pop("event"), fields)
    try:
        _, tick, plays, narrow, wide, now = _REPORT.unpack_from(message)
        at = _REPORT.size
        played = np.frombuffer(message, "<u4", plays, at)
        at += played.nbytes
        narrow_numbers = np.frombuffer(message, "<u4", narrow, at)
        at += narrow_numbers.nbytes
        wide_numbers = np.frombuffer(message, "<u4", wide, at)
        at += wide_numbers.nbytes
        narrow_frames = np.frombuffer(message, np.int16, narrow * FRAME_SAMPLES, at)
        at += narrow_frames.nbytes
        wide_frames = np.frombuffer(message, np.int16, wide * 2 * FRAME_SAMPLES, at)
    except struct.error as fault:
        raise ValueError(f"not a report: {fault}") from fault
    return ReportMessage(
        now=now,
        tick=tick,
        played=played.tolist(),
        narrow=narrow_numbers.tolist(),
        narrow_frames=narrow_frames.reshape(-1, FRAME_SAMPLES),
        wide=wide_numbers.tolist(),
        wide_frames=wide_frames.reshape(-1, 2 * FRAME_SAMPLES),
    )

"""One UDP socket for many streams: datagrams are read and sent by the hundred (`recvmmsg`, `sendmmsg`).

Python's own `recvfrom` and `sendto` cost a call and an object a packet; the two Linux system calls, by ctypes, cost
half a microsecond and three. Where they are not (another system, 32 bits) the plain ones do the same.
"""

from __future__ import annotations

import ctypes
import errno
import ipaddress
import os
import socket
import struct
import sys
import time
from contextlib import suppress
from typing import Any, Final

import numpy as np

from ari_assistant.media.rtp.packet_rows import CAPACITY, PACKET_BYTES, PacketRows
from ari_assistant.media.rtp.plane import Datagrams

__all__ = ["BATCH", "DATAGRAM_BYTES", "BatchSocket", "enlarge", "packed_address"]

DATAGRAM_BYTES: Final = 2_048
"""A longer datagram is cut; no RTP of ours is as long as that."""
BATCH: Final = 256
"""Datagrams of one reading."""
_ADDRESS_BYTES: Final = 28
_RECEIVE_BUFFER: Final = 4 << 20
_CONTROL_BYTES: Final = 32
_SO_TIMESTAMPNS: Final = 35
_MESSAGE = np.dtype(
    {
        "names": ["name", "namelen", "iov", "iovlen", "control", "controllen", "flags", "len"],
        "formats": ["u8", "u4", "u8", "u8", "u8", "u8", "i4", "u4"],
        "offsets": [0, 8, 16, 24, 32, 40, 48, 56],
        "itemsize": 64,
    }
)
"""`struct mmsghdr` of 64-bit Linux."""
_VECTOR = np.dtype([("base", "u8"), ("len", "u8")])
_STAMP = np.dtype([("len", "u8"), ("level", "i4"), ("type", "i4"), ("seconds", "i8"), ("nanoseconds", "i8")])


def packed_address(host: str, port: int) -> bytes:
    """A numeric address as the kernel writes it (`struct sockaddr_in` or `_in6`), filled up to 28 bytes.

    Raises ValueError when `host` is not numeric."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if address.version == 4:
        packed = struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + address.packed
    else:
        packed = struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", port, 0) + address.packed
    return packed.ljust(_ADDRESS_BYTES, b"\0")


def enlarge(sock: socket.socket, option: int, size: int) -> None:
    """Set SO_RCVBUF or SO_SNDBUF: beyond the system's limit where we have the right to, else up to it."""
    forced = {
        socket.SO_RCVBUF: getattr(socket, "SO_RCVBUFFORCE", 33),
        socket.SO_SNDBUF: getattr(socket, "SO_SNDBUFFORCE", 32),
    }
    for choice in (forced[option], option):
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, choice, size)
            return


def _system_calls() -> Any:
    if sys.platform != "linux" or sys.maxsize < 1 << 32:
        return None
    library = ctypes.CDLL(None, use_errno=True)
    try:
        library.recvmmsg.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p]
        library.sendmmsg.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int]
    except AttributeError:
        return None
    return library


class BatchSocket:
    """Implements `plane.Wire` over `rows`, and reads. Nothing here blocks."""

    def __init__(self, host: str, rows: PacketRows, *, port: int = 0, batched: bool = True) -> None:
        """Bind `host` (numeric); port 0 takes a free one. Raises OSError. `batched=False` uses the plain calls."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((host, port))
        enlarge(self._socket, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._rows = rows
        self._calls = _system_calls() if batched else None
        self._targets: dict[int, Any] = {}
        if self._calls is not None:
            self._prepare()

    @property
    def batched(self) -> bool:
        """Whether a system call takes many datagrams."""
        return self._calls is not None

    @property
    def address(self) -> tuple[str, int]:
        """Where it is bound."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def _prepare(self) -> None:
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        # sending: one message a row
        self._aims = np.zeros((CAPACITY, _ADDRESS_BYTES), np.uint8)
        self._out, self._out_vectors = _messages(CAPACITY, self._rows.address, PACKET_BYTES, PACKET_BYTES)
        self._out["name"] = _pointers(self._aims, CAPACITY, _ADDRESS_BYTES)
        self._out["namelen"] = 28 if self._socket.family == socket.AF_INET6 else 16
        # receiving
        self._data = np.zeros((BATCH, DATAGRAM_BYTES), np.uint8)
        self._from = np.zeros((BATCH, _ADDRESS_BYTES), np.uint8)
        self._control = np.zeros(BATCH, _STAMP)
        self._in, self._in_vectors = _messages(BATCH, int(self._data.ctypes.data), DATAGRAM_BYTES, DATAGRAM_BYTES)
        self._in["name"] = _pointers(self._from, BATCH, _ADDRESS_BYTES)
        self._in["control"] = _pointers(self._control, BATCH, _CONTROL_BYTES)
        self._names = self._from.view(f"V{_ADDRESS_BYTES}")[:, 0]

    # -- plane.Wire -----------------------------------------------------------------------------------------

    def aim(self, row: int, address: bytes) -> None:
        """See `plane.Wire`."""
        if self._calls is not None:
            self._aims[row] = np.frombuffer(address, np.uint8)
        else:
            self._targets[row] = _unpacked(address)

    def send(self, first: int, count: int) -> int:
        """See `plane.Wire`. A row that the kernel refuses is left out."""
        if self._calls is None:
            return sum(self._send_plainly(row) for row in range(first, first + count))
        base = int(self._out.ctypes.data)
        row, last, sent = first, first + count, 0
        while row < last:
            done = self._calls.sendmmsg(self.fileno(), base + row * _MESSAGE.itemsize, last - row, 0)
            if done > 0:
                sent += done
                row += done
                continue
            if ctypes.get_errno() == errno.EINTR:
                continue
            if ctypes.get_errno() in (errno.EAGAIN, errno.ENOBUFS):
                break  # the kernel has no room: what is late is of no use
            row += 1
        return sent

    def _send_plainly(self, row: int) -> int:
        try:
            self._socket.sendto(self._rows.packet(row), self._targets[row])
        except OSError:
            return 0
        return 1

    # -- receiving ------------------------------------------------------------------------------------------

    def receive_datagrams(self) -> Datagrams | None:
        """What is there, at most 256 datagrams; None when nothing is. The arrays are valid until the next call."""
        if self._calls is None:
            return self._receive_plainly()
        self._in["namelen"] = _ADDRESS_BYTES
        self._in["controllen"] = _CONTROL_BYTES
        count = self._calls.recvmmsg(self.fileno(), int(self._in.ctypes.data), BATCH, socket.MSG_DONTWAIT, None)
        if count <= 0:
            return None
        now = time.monotonic()
        behind = time.time() - now
        stamps = self._control[:count]
        arrivals = stamps["seconds"] - behind + stamps["nanoseconds"] * 1e-9
        arrivals[(self._in["controllen"][:count] < _CONTROL_BYTES) | (np.abs(arrivals - now) > 1.0)] = now
        return Datagrams(
            data=self._data[:count],
            lengths=self._in["len"][:count].tolist(),
            sources=self._names[:count].tolist(),
            arrivals=arrivals.tolist(),
        )

    def _receive_plainly(self) -> Datagrams | None:
        read: list[tuple[bytes, Any]] = []
        with suppress(OSError):
            while len(read) < BATCH:
                read.append(self._socket.recvfrom(DATAGRAM_BYTES))
        if not read:
            return None
        data = np.zeros((len(read), DATAGRAM_BYTES), np.uint8)
        for row, (datagram, _) in enumerate(read):
            data[row, : len(datagram)] = np.frombuffer(datagram, np.uint8)
        now = time.monotonic()
        return Datagrams(
            data=data,
            lengths=[len(datagram) for datagram, _ in read],
            sources=[packed_address(source[0], source[1]) for _, source in read],
            arrivals=[now] * len(read),
        )


def _pointers(array: np.ndarray[Any, Any], count: int, stride: int) -> np.ndarray[Any, Any]:
    return int(array.ctypes.data) + np.arange(count, dtype=np.uint64) * np.uint64(stride)


def _messages(count: int, base: int, stride: int, length: int) -> tuple[Any, Any]:
    """`mmsghdr`s whose one buffer each is `length` bytes at `base + n · stride`, and the vectors that they point at."""
    vectors = np.zeros(count, _VECTOR)
    vectors["base"] = base + np.arange(count, dtype=np.uint64) * np.uint64(stride)
    vectors["len"] = length
    messages = np.zeros(count, _MESSAGE)
    messages["iov"] = _pointers(vectors, count, _VECTOR.itemsize)
    messages["iovlen"] = 1
    return messages, vectors


def _unpacked(address: bytes) -> tuple[str, int]:
    family = struct.unpack("=H", address[:2])[0]
    port = struct.unpack("!H", address[2:4])[0]
    raw = address[4:8] if family == socket.AF_INET else address[8:24]
    return os.fsdecode(str(ipaddress.ip_address(raw))), port

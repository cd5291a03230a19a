"""The server's end of the socket to the media process: datagrams both ways, and never a wait."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ari_assistant.media.process.protocol import join_orders

__all__ = ["WorkerSocket"]

_BUFFER_BYTES = 1 << 18
_AT_ONCE = 32


class WorkerSocket:
    """Lives as long as the process at the other end."""

    def __init__(self, ours: socket.socket) -> None:
        """`ours`: a non-blocking SOCK_SEQPACKET."""
        self.over = asyncio.Event()
        """The process has closed its end."""
        self._socket = ours
        self._buffer = bytearray(_BUFFER_BYTES)
        self._waiting: deque[bytes] = deque()
        self._unsent = b""
        """A datagram that the socket has no room for."""
        self._held = False

    def send(self, orders: Iterable[bytes]) -> None:
        """Send packed orders; what there is no room for waits, in order."""
        self._waiting.extend(orders)
        if not self._held:
            self._write()

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is ordered in the block goes out at its end, in as few datagrams as it fits."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._waiting and not self._unsent:
            self._write()

    def received(self) -> Iterator[memoryview]:
        """The datagrams that are there, but not for ever: what is left waits for the next turn of the loop. Each is
        valid until the next one."""
        for _ in range(_AT_ONCE):
            try:
                count = self._socket.recv_into(self._buffer)
            except BlockingIOError:
                return
            except OSError:
                count = 0
            if not count:
                asyncio.get_running_loop().remove_reader(self._socket)
                self.over.set()
                return
            yield memoryview(self._buffer)[:count]

    def close(self) -> None:
        """The process ends when it sees this."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket)
        loop.remove_writer(self._socket)
        self._socket.close()

    def _write(self) -> None:
        while self._unsent or self._waiting:
            self._unsent = self._unsent or join_orders(self._waiting)
            try:
                self._socket.send(self._unsent)
            except BlockingIOError:
                asyncio.get_running_loop().add_writer(self._socket, self._writable)
                return
            except OSError:
                self._waiting.clear()
                self.over.set()
                return
            self._unsent = b""

    def _writable(self) -> None:
        asyncio.get_running_loop().remove_writer(self._socket)
        self._write()

"""The UDP socket of one call's ExternalMedia channel."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from ari_assistant.media.rtp import MalformedPacket, RtpPacket

__all__ = ["MediaPort", "PortCounters"]


@dataclass(slots=True)
class PortCounters:
    """What came in and was not handed on."""

    malformed: int = 0
    unknown_source: int = 0
    wrong_payload_type: int = 0
    socket_errors: int = 0


class MediaPort(asyncio.DatagramProtocol):
    """Receives and sends one call's RTP.

    Only packets of the expected source and payload type reach `receive`; anything else is counted and
    dropped, never adopted: a stray stream cannot cross into this call. The kernel picks the port, so that
    a closed call's port is not taken again at once.
    """

    def __init__(self, receive: Callable[[RtpPacket, float], None], *, payload_type: int) -> None:
        self.counters = PortCounters()
        self._receive = receive
        self._payload_type = payload_type
        self._source: tuple[str, int] | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._closed = asyncio.get_running_loop().create_future()
        self._now = asyncio.get_running_loop().time

    @classmethod
    async def open(cls, receive: Callable[[RtpPacket, float], None], *, host: str, payload_type: int) -> MediaPort:
        """Bind a free UDP port on `host`. `receive(packet, now)` is called in the event loop, with the loop's
        clock in seconds. Raises OSError when no port can be bound."""
        port = cls(receive, payload_type=payload_type)
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: port, local_addr=(host, 0))
        return port

    @property
    def address(self) -> str:
        """`host:port` for ExternalMedia's `external_host`."""
        assert self._transport is not None
        host, number = self._transport.get_extra_info("sockname")[:2]
        return f"[{host}]:{number}" if ":" in host else f"{host}:{number}"

    def expect(self, host: str, port: int) -> None:
        """Name the only source whose packets are taken, and the place that packets are sent to."""
        self._source = (host, port)

    def send(self, packet: bytes) -> None:
        """Send one packet; before `expect` it is dropped."""
        if self._transport is not None and self._source is not None:
            self._transport.sendto(packet, self._source)

    async def aclose(self) -> None:
        """Close the socket and wait until it is closed. Harmless when repeated."""
        if self._transport is not None:
            self._transport.close()
            await asyncio.shield(self._closed)

    # asyncio.DatagramProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is bound."""
        self._transport = cast("asyncio.DatagramTransport", transport)
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """A datagram came."""
        if self._source is None or addr[:2] != self._source:
            self.counters.unknown_source += 1
            return
        try:
            packet = RtpPacket.parse(data)
        except MalformedPacket:
            self.counters.malformed += 1
            return
        if packet.payload_type != self._payload_type:
            self.counters.wrong_payload_type += 1
            return
        self._receive(packet, self._now())

    def error_received(self, exc: Exception) -> None:
        """An ICMP error: the far port is gone, or not there yet."""
        self.counters.socket_errors += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        if not self._closed.done():
            self._closed.set_result(None)

"""Which addresses our requests may go to: a guard against server-side request forgery.

An API user sets URLs that this server then calls. Self-hosted users run their servers beside ours, so loopback
and private networks are allowed; what only ever hurts is not: link-local addresses with the cloud metadata
services among them, multicast, and our own ARI and API ports. In strict mode every range that is not public is
refused. The check sees the address of each connection just before it is opened, so that neither a name that
resolves differently the second time nor a redirect gets around it.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Collection
from typing import Any

import aiohttp

from ari_assistant.webhooks.redirects import stays_at_its_origin

__all__ = ["UrlPolicy", "UrlRefused", "guarded_session"]

_METADATA = frozenset(
    ipaddress.ip_address(address) for address in ("169.254.169.254", "100.100.100.200", "fd00:ec2::254")
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class UrlRefused(OSError):
    """The policy forbids a connection to this address."""


class UrlPolicy:
    """Decides by address and port."""

    def __init__(
        self,
        *,
        strict: bool = False,
        own_ports: Collection[int] = (),
        is_this_machine: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """`own_ports` are refused on loopback and on every address for which `is_this_machine(address)`."""
        self._strict = strict
        self._own_ports = own_ports
        self._is_this_machine = is_this_machine

    def check(self, address: str, port: int) -> None:
        """Raises UrlRefused when no request may go there. `address` is an IPv4 or IPv6 address."""
        ip = _plain(ipaddress.ip_address(address.partition("%")[0]))
        if ip in _METADATA or ip.is_link_local:
            raise UrlRefused(f"{ip} is a link-local or metadata address: requests never go there")
        if ip.is_multicast or (ip.is_reserved and not ip.is_loopback) or str(ip) == "255.255.255.255":
            raise UrlRefused(f"{ip} is no address of a server")
        local = ip.is_loopback or ip.is_unspecified or self._is_this_machine(str(ip))
        if local and port in self._own_ports:
            raise UrlRefused(f"{ip}:{port} is a port of this server itself")
        if self._strict and not ip.is_global:
            raise UrlRefused(f"{ip} is not a public address, and ARI_ASSISTANT_STRICT_URLS is set")


def _plain(ip: Address) -> Address:
    """The IPv4 address that an IPv6 one only wraps."""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return ip.ipv4_mapped
        if ip.sixtofour is not None:
            return ip.sixtofour
        if ip in _NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip


def guarded_session(policy: UrlPolicy, **options: Any) -> aiohttp.ClientSession:
    """A client session whose every connection and redirect is checked. The caller closes it."""

    def open_socket(info: Any) -> socket.socket:
        family, kind, protocol, _, address = info
        policy.check(address[0], address[1])
        return socket.socket(family, kind, protocol)

    connector = aiohttp.TCPConnector(socket_factory=open_socket, limit=0, limit_per_host=32)
    return aiohttp.ClientSession(connector=connector, trace_configs=[stays_at_its_origin()], **options)

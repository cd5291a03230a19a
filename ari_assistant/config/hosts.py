"""The names and addresses of this machine."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterable

import psutil

__all__ = ["ThisMachine", "primary_address"]

_REFRESH_SECONDS = 30.0


class ThisMachine:
    """Knows which hosts in a SIP URI mean this machine. Addresses are read again every 30 seconds."""

    def __init__(self, *, domains: Iterable[str] = (), addresses: Iterable[str] = ()) -> None:
        """`domains` and `addresses` are further ones that the operator named."""
        self._domains = {domain.lower().rstrip(".") for domain in domains}
        self._extra = {_canonical(address) for address in addresses}
        self._addresses: set[str] = set()
        self._names: set[str] = set()
        self._read_at = -_REFRESH_SECONDS

    def __call__(self, host: str) -> bool:
        """Is `host` (a name or an address, without brackets or port) this machine?"""
        name = host.lower().rstrip(".")
        if time.monotonic() - self._read_at >= _REFRESH_SECONDS:
            self._read()
        try:
            address = ipaddress.ip_address(name.partition("%")[0])
        except ValueError:
            return name in self._names or name in self._domains or name in self._extra
        return address.is_loopback or str(address) in self._addresses or str(address) in self._extra

    def _read(self) -> None:
        self._addresses = {
            _canonical(entry.address)
            for entries in psutil.net_if_addrs().values()
            for entry in entries
            if entry.family in (socket.AF_INET, socket.AF_INET6)
        }
        name = socket.gethostname().lower()
        self._names = {"localhost", "localhost.localdomain", name, name.partition(".")[0], f"{name}.local"}
        self._read_at = time.monotonic()


def _canonical(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return address.lower()


def primary_address() -> str:
    """This machine's address on the way out (nothing is sent), else its first other IPv4 address, else
    127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # TEST-NET-2: no such host; UDP's connect only picks a route
            address = str(probe.getsockname()[0])
        except OSError:
            address = "0.0.0.0"  # noqa: S104 - stands for "none"
    if not address.startswith(("127.", "0.")):
        return address
    for entries in psutil.net_if_addrs().values():
        for entry in entries:
            if entry.family == socket.AF_INET and not entry.address.startswith(("127.", "169.254.")):
                return str(entry.address)
    return "127.0.0.1"

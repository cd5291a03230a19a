"""Ports for the servers of the tests. Several pytest processes may run on a machine (workers of xdist, another
checkout): each has a block of ports that is its alone for as long as it lives. The blocks lie below those that
the kernel gives to whoever asks for any port, so that nobody takes one between the moment when it was found free
and its use."""

from __future__ import annotations

import fcntl
import itertools
import os
import socket
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ari_assistant.config.ports import port_fault

__all__ = ["free_port", "rtp_range"]

_FIRST, _SIZE, _BLOCKS = 10_000, 2_000, 11
_SINGLE = 1_000
"""So many of a block are given one by one, the others in ranges."""
_RANGE = 100


def free_port() -> int:
    """A loopback port that nobody has, neither for UDP nor for TCP."""
    kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
    return next(port for port in _singles() if all(port_fault("127.0.0.1", port, kind) is None for kind in kinds))


def rtp_range() -> tuple[int, int]:
    """The first and the last of a hundred ports. A process that runs ten servers at once has used them up."""
    first = next(_ranges())
    return first, first + _RANGE - 1


@cache
def _singles() -> Iterator[int]:
    return itertools.cycle(range(_block(), _block() + _SINGLE))


@cache
def _ranges() -> Iterator[int]:
    return itertools.cycle(range(_block() + _SINGLE, _block() + _SIZE, _RANGE))


@cache
def _block() -> int:
    """The first port of our block. Its lock goes with the process."""
    folder = Path(tempfile.gettempdir()) / f"ari-assistant-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for number in range(_BLOCKS):
        lock = os.open(folder / str(number), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            return _FIRST + number * _SIZE
    raise RuntimeError(f"{_BLOCKS} processes run tests on this machine already")

"""Ports and directories of this machine: free, or somebody's."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ari_assistant.data_directory import DataDirectory
from ari_assistant.fault import Fault
from ari_assistant.private_files import private_directory

__all__ = ["DirectoryInUse", "free_tcp_port", "locked_directory", "make_data_dir", "port_fault"]


class DirectoryInUse(Exception):
    """Another server holds the directory."""


def make_data_dir(directory: Path) -> DataDirectory:
    """`directory`, absolute, made where it is missing. Raises Fault when we could not keep anything in it."""
    directory = directory.absolute()
    try:
        directory = directory.resolve()
        private_directory(directory)
        DataDirectory(directory).lock.touch(0o600)
    except OSError as fault:
        raise Fault(
            f"the data directory {directory} cannot be written: {fault.strerror}",
            cure=f"let the user with the id {os.getuid()} write there, or set ARI_ASSISTANT_DATA_DIR to another place",
        ) from None
    return DataDirectory(directory)


def port_fault(host: str, port: int, kind: socket.SocketKind) -> str | None:
    """Why `host:port` cannot be bound, in the system's words, or None when it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as fault:
            return fault.strerror or str(fault)
    return None


def free_tcp_port() -> int:
    """A loopback port that nobody has just now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def locked_directory(data: DataDirectory) -> Iterator[None]:
    """Hold a data directory for the length of a block; the lock goes with the process. Raises DirectoryInUse: two
    servers on one data directory would ruin each other's calls."""
    file = os.open(data.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DirectoryInUse(str(data.path)) from None
        yield
    finally:
        os.close(file)

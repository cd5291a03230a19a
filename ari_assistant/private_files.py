"""Files that only their owner may read: recordings, transcripts, keys, the database."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["create_private", "keep_private", "make_private", "private_directory"]

_DIRECTORY, _FILE = 0o700, 0o600


def keep_private() -> None:
    """Whatever this process and those that it starts make from now on is their owner's alone."""
    os.umask(0o077)


def private_directory(path: Path) -> Path:
    """Make `path` and what is missing above it; returns it. Raises OSError."""
    path.mkdir(mode=_DIRECTORY, parents=True, exist_ok=True)
    return path


def create_private(path: Path) -> BinaryIO:
    """Open a file for writing, empty, below directories that are made if need be. Raises OSError."""
    private_directory(path.parent)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _FILE), "wb")


def make_private(paths: Iterable[Path], *, below: bool = True) -> list[Path]:
    """Take from everybody else what they may do with `paths` and all `below` them; what does not exist is left out.
    Symbolic links are not followed. Returns what could not be changed (it belongs to somebody else)."""
    failed = []
    for path in paths:
        for found in (path, *(_below(path) if below else ())):
            try:
                mode = found.lstat().st_mode
                wanted = _DIRECTORY if stat.S_ISDIR(mode) else _FILE
                if not stat.S_ISLNK(mode) and stat.S_IMODE(mode) & 0o077:
                    found.chmod(wanted)
            except FileNotFoundError:
                continue
            except OSError:
                failed.append(found)
    return failed


def _below(path: Path) -> Iterator[Path]:
    for directory, names, files in os.walk(path):
        yield from (Path(directory, name) for name in (*names, *files))

"""Files that only their owner may read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ari_assistant.private_files import create_private, make_private, private_directory


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """As a careless shell has it: what is private is so by its own mode."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_file_and_its_directory_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    with create_private(tmp_path / "recordings" / "call.wav") as file:
        file.write(b"words")
    assert mode(tmp_path / "recordings") == 0o700
    assert mode(tmp_path / "recordings/call.wav") == 0o600


def test_what_an_older_version_made_is_mended(tmp_path: Path) -> None:
    old = tmp_path / "data/logs"
    old.mkdir(parents=True)
    (old / "call.jsonl").write_text("words")
    assert make_private([tmp_path / "data", tmp_path / "not there"]) == []
    assert [mode(path) for path in (tmp_path / "data", old, old / "call.jsonl")] == [0o700, 0o700, 0o600]


def test_a_link_leads_to_nobody_elses_file(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("")
    data = private_directory(tmp_path / "data")
    (data / "directory").symlink_to(elsewhere)
    (data / "file").symlink_to(elsewhere / "file")
    make_private([data])
    assert (mode(elsewhere), mode(elsewhere / "file")) == (0o755, 0o644)

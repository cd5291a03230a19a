"""What the server does before it serves."""

from __future__ import annotations

from pathlib import Path

from ari_assistant.config.settings import Settings
from ari_assistant.data_directory import DataDirectory
from ari_assistant.private_files import private_directory
from ari_assistant.server.server import Server


def test_what_an_older_version_left_open_is_mended_and_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    data = private_directory(tmp_path / "data")
    ours = [
        data / name
        for name in ("api-key", "ari-assistant.db", "ari-assistant.db-wal", "recordings/a.wav", "logs/a.jsonl")
    ]
    somebodys = data / "notes/plan.sh"
    for path in (*ours, somebodys):
        path.parent.mkdir(exist_ok=True)
        path.touch()
        path.chmod(0o755)
    data.chmod(0o755)
    Server(Settings(data_dir=data))._keep_private(DataDirectory(data))
    modes = {path.stat().st_mode & 0o777 for path in ours}
    assert modes == {0o600}
    assert [path.stat().st_mode & 0o777 for path in (data, data / "recordings", somebodys)] == [
        0o700,
        0o700,
        0o755,
    ]

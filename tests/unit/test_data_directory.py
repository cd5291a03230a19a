"""Where a server keeps what. Stored data: these names may not change."""

from __future__ import annotations

from pathlib import Path

from ari_assistant.config.settings import Settings
from ari_assistant.data_directory import DataDirectory

DATA = DataDirectory(Path("/data"))


def test_everything_lies_where_it_has_always_lain() -> None:
    found = (
        DATA.recording("c1"), DATA.log("c1"), DATA.file("f1"), DATA.api_key, DATA.lock, DATA.server_id, DATA.database,
        DATA.asterisk,
    )  # fmt: skip
    assert [str(path.relative_to("/data")) for path in found] == [
        "recordings/c1.wav", "logs/c1.jsonl", "files/f1", "api-key", "lock", "server-id", "ari-assistant.db", "asterisk"
    ]  # fmt: skip


def test_what_is_certainly_ours_are_the_folders_as_a_whole() -> None:
    assert [path.name for path in DATA.kept()] == ["api-key", "lock", "recordings", "logs", "files"]


def test_the_database_is_in_the_data_directory_unless_a_setting_says_otherwise(tmp_path: Path) -> None:
    assert Settings(data_dir=tmp_path).database == f"sqlite+aiosqlite:///{tmp_path}/ari-assistant.db"
    assert Settings(data_dir=tmp_path, database_url="sqlite:///x").database == "sqlite:///x"

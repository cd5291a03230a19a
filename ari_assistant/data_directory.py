"""The layout of the data directory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DataDirectory"]

_RECORDINGS, _LOGS, _FILES = "recordings", "logs", "files"


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """Where a server keeps what; nothing is looked at or made here."""

    path: Path

    def recording(self, call_id: str) -> Path:
        """A call's recording, WAV: caller left, assistant right."""
        return self.path / _RECORDINGS / f"{call_id}.wav"

    def log(self, call_id: str) -> Path:
        """What was logged about a call: a JSON object a line."""
        return self.path / _LOGS / f"{call_id}.jsonl"

    def file(self, file_id: str) -> Path:
        """The bytes of an uploaded file."""
        return self.path / _FILES / file_id

    @property
    def api_key(self) -> Path:
        """The private key of the API, where no setting gives one."""
        return self.path / "api-key"

    @property
    def lock(self) -> Path:
        """Held by the one server that uses the directory."""
        return self.path / "lock"

    @property
    def server_id(self) -> Path:
        """Who the server is to a database that several share."""
        return self.path / "server-id"

    @property
    def database(self) -> Path:
        """The SQLite database, where no setting names another."""
        return self.path / "ari-assistant.db"

    @property
    def asterisk(self) -> Path:
        """The instance of our own Asterisk (`asterisk.instance`)."""
        return self.path / "asterisk"

    def kept(self) -> Iterator[Path]:
        """What is certainly ours below the directory, which may be somebody's home. Without the database (the settings
        say where it is) and Asterisk's part (`render_instance` sees to that)."""
        yield self.api_key
        yield self.lock
        yield from (self.path / folder for folder in (_RECORDINGS, _LOGS, _FILES))

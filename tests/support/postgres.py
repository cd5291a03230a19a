"""A PostgreSQL server of the test's own: a fresh cluster on a free port, gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port

__all__ = ["postgres_server", "postgres_tools"]


def postgres_tools() -> Path | None:
    """The directory of `initdb` and `postgres`: Debian's, which is not on the PATH, or wherever they are."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


@contextmanager
def postgres_server(tools: Path) -> Iterator[str]:
    """The URL of an empty database. PostgreSQL refuses to run as root: then it runs as Debian's user `postgres`."""
    as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="ari-pg-") as folder:
        Path(folder).chmod(0o777)
        data = f"{folder}/data"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        initdb = [
            *as_user,
            str(tools / "initdb"),
            "-D",
            data,
            "-U",
            "test",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        ]
        subprocess.run(initdb, check=True, cwd=folder, **quiet)  # type: ignore[call-overload]
        options = ["-p", str(port), "-k", folder, "-h", "127.0.0.1", "-c", "fsync=off", "-c", "max_connections=50"]
        server = subprocess.Popen(
            [*as_user, str(tools / "postgres"), "-D", data, *options],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            ready = [str(tools / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-q"]
            for _ in range(200):
                if subprocess.run(ready, check=False).returncode == 0:
                    break
                time.sleep(0.05)
            yield f"postgresql://test@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*as_user, str(tools / "pg_ctl"), "-D", data, "stop", "-m", "immediate"], check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
            server.wait(20)

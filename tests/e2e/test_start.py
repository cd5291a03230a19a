"""Starting, and what an operator sees when that fails."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.support.assistants import ASSISTANTS
from tests.support.running_server import RunningServer

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(90)]


async def run(running: RunningServer, command: str = "run") -> asyncio.subprocess.Process:
    """The command, without waiting for its readiness."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("ARI_ASSISTANT_")}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ari_assistant", command,
        cwd=running.folder, env={**inherited, **running.environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def test_a_start_that_waits_for_an_asterisk_can_be_stopped_and_health_says_what_is_missing(
    tmp_path: Path,
) -> None:
    running = RunningServer(tmp_path, ASSISTANTS, asterisk="http://127.0.0.1:9", ari_password="x")
    process = await run(running)
    assert process.stderr is not None
    async with asyncio.timeout(60):
        while b"ari_unreachable" not in await process.stderr.readline():
            pass
    status, health = await running.api("GET", "/health")
    assert status == 503
    assert health["parts"] == {
        "database": True,
        "asterisk": False,
        "ari": False,
        "transcriber": True,
        "voice": True,
        "media": True,
    }
    process.send_signal(signal.SIGTERM)
    out, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0
    assert b"Dial sip:" not in out


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"api_port": "TAKEN"}, "set ARI_ASSISTANT_API_PORT"),
        ({"asterisk": "/bin/true"}, "Asterisk 20 or later"),
        ({"asterisk": "http://127.0.0.1:9"}, "ARI_ASSISTANT_ARI_PASSWORD"),
        ({"rtp_ports": "5"}, "FIRST-LAST"),
    ],
)
async def test_a_start_that_cannot_succeed_says_what_to_do(
    tmp_path: Path, settings: dict[str, str], expected: str
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        values = {name: value.replace("TAKEN", port) for name, value in settings.items()}
        process = await run(RunningServer(tmp_path, ASSISTANTS, **values))
        _, err = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode == 1
    assert expected in err.decode()
    assert "Traceback" not in err.decode()


async def test_two_servers_cannot_share_a_data_directory(running: RunningServer, tmp_path: Path) -> None:
    other = RunningServer(tmp_path, ASSISTANTS, data_dir=running.environment["ARI_ASSISTANT_DATA_DIR"])
    process = await run(other)
    _, err = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode == 1
    assert "ARI_ASSISTANT_DATA_DIR" in err.decode()


async def test_the_doctor_finds_a_running_server_well(running: RunningServer) -> None:
    process = await run(running, "doctor")
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, (out + err).decode()
    assert "answers calls" in out.decode()


async def test_a_media_host_that_is_not_ours_is_told_at_the_start(tmp_path: Path) -> None:
    running = RunningServer(tmp_path, ASSISTANTS, media_host="192.0.2.99")
    with pytest.raises(AssertionError, match="did not start"):
        running.start()
    said = running.log.read_text() + running.out.read_text()
    assert "192.0.2.99" in said
    assert "ARI_ASSISTANT_MEDIA_HOST" in said

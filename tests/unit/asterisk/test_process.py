"""Asterisk's process, with a stand-in that answers a ping, or ends."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ari_assistant.asterisk.obtain import AsteriskBinary, AsteriskFault
from ari_assistant.asterisk.process import AsteriskProcess

LIVES = "import signal; signal.pause()"
ENDS = "import sys; print('Unable to bind'); sys.exit(3)"


@pytest.fixture
async def ping() -> AsyncGenerator[str, None]:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({})

    app = web.Application()
    app.router.add_get("/ping", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/ping"))


def asterisk(folder: Path, program: str, ping_url: str) -> AsteriskProcess:
    for name in ("etc", "log", "run"):
        (folder / name).mkdir()
    script = folder / "asterisk.py"
    script.write_text(program)
    binary = AsteriskBinary((sys.executable, str(script)), "22.0", folder, folder)
    return AsteriskProcess(binary, folder / "etc" / "asterisk.conf", ping_url=ping_url, authorization="Basic x")


async def died(log_lines: list[Any], event: str, count: int) -> None:
    async with asyncio.timeout(20):
        while [line["event"] for line in log_lines].count(event) < count:
            await asyncio.sleep(0.01)


async def test_it_is_started_again_when_it_dies_and_stopped_in_the_end(
    tmp_path: Path, ping: str, log_lines: list[Any]
) -> None:
    child = asterisk(tmp_path, LIVES, ping)
    process = await child.start()
    running = asyncio.create_task(child.run(process))
    process.kill()
    await died(log_lines, "asterisk_started", 2)
    assert [line["event"] for line in log_lines] == ["asterisk_started", "asterisk_died", "asterisk_started"]
    assert log_lines[1]["status"] == -9
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert not Path(f"/proc/{log_lines[2]['pid']}").exists(), "no process is left behind"


async def test_one_that_ends_at_once_says_why(tmp_path: Path) -> None:
    child = asterisk(tmp_path, ENDS, "http://127.0.0.1:9/")
    with pytest.raises(AsteriskFault, match=r"status 3:\nUnable to bind"):
        await child.start()


async def test_one_that_cannot_be_started_again_is_tried_again(
    tmp_path: Path, ping: str, log_lines: list[Any]
) -> None:
    child = asterisk(tmp_path, LIVES, ping)
    process = await child.start()
    (tmp_path / "asterisk.py").write_text(ENDS)
    running = asyncio.create_task(child.run(process))
    child._ping_url = "http://127.0.0.1:9/"  # nobody answers any more
    process.kill()
    await died(log_lines, "asterisk_not_started", 2)
    assert [line["again_in_seconds"] for line in log_lines if "again_in_seconds" in line] == [0.2, 0.4]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

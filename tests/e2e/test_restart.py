"""A restart loses nothing; a call leaves nothing behind in the server's own process either."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import psutil
import pytest

from ari_assistant.config.settings import load_settings
from ari_assistant.phone.line import place_call
from ari_assistant.server.screen import NoScreen
from ari_assistant.server.server import Server
from tests.support.assistants import ASSISTANTS
from tests.support.caller_voice import CallerVoice, sounds_like
from tests.support.listening import heard_something
from tests.support.running_server import RunningServer

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(180)]


async def test_what_the_api_stored_answers_after_a_restart(tmp_path: Path, voices: CallerVoice) -> None:
    running = RunningServer(tmp_path / "running", ASSISTANTS)
    running.start()
    key = running.key
    status, refused = await running.api("GET", "/assistant", key="wrong")
    assert status == 401
    assert refused["statusCode"] == 401
    assistant = await running.created(
        "/assistant", {"name": "Stored", "firstMessage": "I was stored in the database."}
    )
    await running.created(
        "/phone-number",
        {"provider": "vapi", "sipUri": "sip:Stored@localhost", "assistantId": assistant["id"]},
    )
    heard = tmp_path / "heard.wav"
    async with place_call(running.uri("stored"), record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
        first = await running.api("GET", "/call")
        assert first[1][0]["status"] in ("ringing", "in-progress")
        assert running.stop() == 0  # in the middle of the call
    running.start()
    assert running.key == key
    _, calls = await running.api("GET", "/call")
    assert calls[0]["endedReason"] == "worker-shutdown"
    async with place_call(running.uri("STORED"), record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
    assert sounds_like(voices.hear(heard), "stored in the database")
    assert running.stop() == 0


async def test_calls_leave_no_task_socket_or_process_behind(
    tmp_path: Path, voices: CallerVoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = RunningServer(tmp_path / "running", ASSISTANTS)
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    lines: list[str] = []
    announced = asyncio.Event()

    class Screen(NoScreen):
        def announce(self, line: str) -> None:
            lines.append(line)
            if line.startswith("Dial sip:"):
                announced.set()

    def sockets() -> int:
        return len([fd for fd in os.listdir("/proc/self/fd") if _is_socket(fd)])

    def children() -> set[int]:
        return {child.pid for child in psutil.Process().children(recursive=True)}

    server = Server(load_settings(), Screen())
    before = children()
    serving = asyncio.create_task(server.run())
    async with asyncio.timeout(60):
        await announced.wait()
    await asyncio.sleep(1.0)  # the first messages are being synthesised
    tasks = {task.get_name() for task in asyncio.all_tasks()}
    open_sockets, processes = sockets(), children()
    heard = tmp_path / "heard.wav"
    for user in ("banana", "mountain"):
        async with place_call(running.uri(user), record=heard) as call:
            await call.wait_for("media")
            await heard_something(heard)
    await running.assert_clean()
    for _ in range(100):
        now = {task.get_name() for task in asyncio.all_tasks()}
        if now <= tasks and sockets() <= open_sockets:
            break
        await asyncio.sleep(0.05)
    assert {task.get_name() for task in asyncio.all_tasks()} <= tasks
    assert sockets() <= open_sockets
    assert children() == processes
    server.stop()
    await serving
    assert children() <= before


def _is_socket(fd: str) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
    except OSError:
        return False

"""Who else is on the machine, or reads the log, learns nothing of what callers say."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import aiohttp
import pytest

from ari_assistant.phone.line import place_call
from tests.support.caller_voice import CallerVoice
from tests.support.listening import ask, heard_something
from tests.support.running_server import RunningServer

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(120)]


async def _a_call_with_everything(running: RunningServer, voices: CallerVoice, heard: Path) -> Path:
    """Words, keys, a header, an uploaded file; returns the call's own log."""
    form = aiohttp.FormData()
    form.add_field("file", b"words", filename="words.txt")
    headers = {"Authorization": f"Bearer {running.key}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"http://127.0.0.1:{running.api_port}/file", data=form) as response,
    ):
        assert response.status == 201
    async with place_call(running.uri("desk"), headers=["X-First_Name: Mary"], record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
        call.dial("*")
        await ask(call, voices.say("When are you open?"))
        await heard_something(heard)
    record = await running.ended_call("desk")
    kept = running.folder / f"data/logs/{record['id']}.jsonl"
    async with asyncio.timeout(10):
        while not kept.is_file() or not kept.stat().st_size:
            await asyncio.sleep(0.05)
    return kept


async def test_whatever_lies_in_the_data_directory_is_the_owners_alone(
    running: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    await _a_call_with_everything(running, voices, heard)
    data = running.folder / "data"
    found = [data, *data.rglob("*")]
    open_to_others = {
        str(path.relative_to(data)): oct(mode)
        for path in found
        if (mode := stat.S_IMODE(path.lstat().st_mode)) & 0o077 and not path.is_symlink()
    }
    assert open_to_others == {}
    kept = {path.relative_to(data).parts[0] for path in found if path.is_file()}
    assert {"api-key", "ari-assistant.db", "asterisk", "files", "logs", "recordings"} <= kept, (
        "all of it was looked at"
    )


async def test_no_word_of_a_call_and_no_key_stands_in_the_servers_log(
    running: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    before = len(running.log.read_text())
    kept = await _a_call_with_everything(running, voices, heard)
    log = running.log.read_text()[before:].lower()
    assert "caller_said" in log, "the call was logged"
    for said in ("when are you", "open", "nine to five", "how can i help", "mary", '"key": "*"'):
        assert said not in log
    events = [json.loads(line) for line in kept.read_text().splitlines()]
    assert any("open" in event.get("text", "") for event in events), "the call's own log has them"
    assert any(event.get("key") == "*" for event in events)

"""Calls whose audio comes over Asterisk's websocket channel instead of RTP."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from ari_assistant.phone.line import place_call
from tests.support.assistants import ASSISTANTS
from tests.support.caller_voice import CallerVoice, sounds_like
from tests.support.listening import ask, heard_something
from tests.support.running_server import RunningServer

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def websocket_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path_factory.mktemp("socket"), ASSISTANTS, media_transport="websocket")
    running.start()
    yield running
    running.stop()


@pytest.mark.parametrize(("codec", "rate"), [("PCMU", 8_000), ("G722", 16_000)])
async def test_a_question_is_answered_and_recorded(
    websocket_server: RunningServer, voices: CallerVoice, heard: Path, codec: str, rate: int
) -> None:
    async with place_call(websocket_server.uri("banana"), record=heard, codec=codec) as call:
        await call.wait_for("media")
        await heard_something(heard)
        await ask(call, voices.say("When are you open?"))
        await heard_something(heard)
    words = voices.hear(heard)
    assert sounds_like(words, "welcome to the yellow banana company")
    assert sounds_like(words, "nine to five")
    record = await websocket_server.ended_call("banana")
    assert [message["role"] for message in record["artifact"]["messages"]] == ["bot", "user", "bot"]
    path = websocket_server.folder / "data" / "recordings" / f"{record['id']}.wav"
    with wave.open(str(path)) as file:
        assert file.getframerate() == rate
        assert file.getnframes() > 3 * rate
    await websocket_server.assert_clean()


async def test_a_caller_who_speaks_is_let_speak_and_only_what_was_heard_is_written_down(
    websocket_server: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    async with place_call(websocket_server.uri("talker"), record=heard) as call:
        await call.wait_for("media")
        await asyncio.sleep(2.0)
        await ask(call, voices.say("When are you open?"))
        await heard_something(heard)
    record = await websocket_server.ended_call("talker")
    first = record["artifact"]["messages"][0]["message"]
    whole = next(a["firstMessage"] for a in ASSISTANTS["assistants"] if a["id"] == "talker")
    assert 0 < len(first) < len(whole), "FLUSH_MEDIA: the rest was neither said nor written down"
    await websocket_server.assert_clean()


async def test_when_asterisk_closes_the_socket_the_call_ends(websocket_server: RunningServer) -> None:
    async with place_call(websocket_server.uri("talker")) as call:
        await call.wait_for("media")
        channels = await websocket_server.ari("channels")
        media = next(channel["id"] for channel in channels if channel["id"].startswith("aa-em-"))
        await websocket_server.ari_delete(f"channels/{media}")
        await call.wait_over(timeout=10)
    await websocket_server.assert_clean()

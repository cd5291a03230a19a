"""A voice, a transcriber and a first message of the user's own."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import WSMsgType, web

from ari_assistant.phone.line import place_call
from tests.support.caller_voice import CallerVoice, sounds_like
from tests.support.chat_server import ChatServer
from tests.support.listening import ask, heard_something
from tests.support.raw_sip import raw_call
from tests.support.running_server import RunningServer
from tests.support.serving import served

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(120)]


async def test_custom_voice_and_custom_transcriber_serve_a_call(
    running: RunningServer, voices: CallerVoice, chat: ChatServer, heard: Path
) -> None:
    requests: list[dict[str, Any]] = []
    started: list[str] = []
    tone = (9000 * np.sin(np.arange(24_000) / 10)).astype("<i2").tobytes()

    async def speak(request: web.Request) -> web.StreamResponse:
        requests.append(await request.json())
        return web.Response(body=tone, content_type="application/octet-stream")

    async def listen(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        told = False
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                started.append(message.data)
                continue
            caller = np.frombuffer(message.data, "<i2").reshape(-1, 2)[:, 0]
            if not told and np.abs(caller).max(initial=0) > 2000:
                told = True
                await socket.send_json(
                    {"type": "transcriber-response", "transcription": "what is the word", "channel": "customer"}
                )
        return socket

    app = web.Application()
    app.router.add_post("/speak", speak)
    app.router.add_get("/listen", listen)
    async with served(app) as url:
        chat.behaviour = chat.says("The word is tree.")
        user = await running.new_number(
            {
                "firstMessage": "Hello.",
                "model": chat.model(metadataSendMode="off"),
                "voice": {"provider": "custom-voice", "server": {"url": f"{url}/speak", "secret": "s"}},
                "transcriber": {
                    "provider": "custom-transcriber",
                    "server": {"url": f"{url}/listen".replace("http", "ws")},
                },
            },
        )
        async with place_call(running.uri(user), record=heard) as call:
            await call.wait_for("media")
            await heard_something(heard)
            await ask(call, voices.say("What is the word?"))
            await heard_something(heard, quiet=1.5)
    record = await running.ended_call(user)
    assert [m["message"] for m in record["messages"]] == ["Hello.", "what is the word", "The word is tree."]
    message = requests[0]["message"]
    assert (message["type"], message["text"], message["sampleRate"]) == ("voice-request", "Hello.", 24000)
    assert json.loads(started[0])["channels"] == 2
    assert not {"call", "metadata", "customer", "phoneNumber"} & set(chat.requests[0])


async def test_a_first_message_may_be_an_audio_file(
    running: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    recorded = voices.say("Please book me in for Monday.").read_bytes()

    async def file(_: web.Request) -> web.StreamResponse:
        return web.Response(body=recorded, content_type="audio/wav")

    app = web.Application()
    app.router.add_get("/hello.wav", file)
    async with served(app) as url:
        user = await running.new_number({"firstMessage": f"{url}/hello.wav"})
        async with place_call(running.uri(user), record=heard) as call:
            await call.wait_for("media")
            await heard_something(heard)
        assert sounds_like(voices.hear(heard), "please book me in for monday")
        missing = await running.new_number({"firstMessage": f"{url}/gone.wav"})
    async with raw_call(missing, running.sip_port) as raw:
        assert await raw.final() == 200
        raw.acknowledge()
        await asyncio.sleep(0.5)
    assert running.logged("first_message_audio_failed")

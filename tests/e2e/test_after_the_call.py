"""What is there when a call is over, until it is erased."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from ari_assistant.phone.line import place_call
from tests.support.caller_voice import CallerVoice
from tests.support.chat_server import ChatServer, chunk, stream
from tests.support.listening import ask, heard_something
from tests.support.running_server import RunningServer
from tests.support.webhook import Webhook

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(120)]


async def test_after_the_call_its_analysis_recordings_and_log_are_there(
    running: RunningServer, voices: CallerVoice, chat: ChatServer, webhook: Webhook, heard: Path
) -> None:
    async def answers(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        system = body["messages"][0]["content"] if body["messages"][0]["role"] == "system" else ""
        text = "We open at nine."
        if "Summarise" in system:
            text = "The caller asked for the opening hours."
        elif "JSON Schema" in system:
            text = '```json\n{"topic": "hours"}\n```'
        elif "Judge" in system:
            text = "true"
        return await stream(request, [chunk(content=text), b"data: [DONE]\n\n"])

    chat.behaviour = answers
    output = await running.created(
        "/structured-output",
        {"name": "digits", "type": "regex", "regex": "open\\w*", "schema": {"type": "string"}},
    )
    user = await running.new_number(
        {
            "firstMessage": "Hello.",
            "model": chat.model(),
            "server": {"url": webhook.url},
            "serverMessages": ["call.deleted"],
            "analysisPlan": {"structuredDataPlan": {"enabled": True, "schema": {"type": "object"}}},
            "artifactPlan": {"structuredOutputIds": [output["id"]]},
        },
    )
    async with place_call(running.uri(user), record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
        await ask(call, voices.say("When are you open?"))
        await heard_something(heard, quiet=1.5)
    record = await running.ended_call(user)
    for _ in range(100):
        _, record = await running.api("GET", f"/call/{record['id']}")
        if record["analysis"]:
            break
        await asyncio.sleep(0.05)
    assert record["analysis"] == {
        "summary": "The caller asked for the opening hours.",
        "structuredData": {"topic": "hours"},
        "successEvaluation": "true",
    }
    assert record["summary"] == record["analysis"]["summary"]
    assert record["artifact"]["structuredOutputs"][output["id"]] == {"name": "digits", "result": "open"}
    headers = {"Authorization": f"Bearer {running.key}"}
    sizes: dict[str, int] = {}
    async with aiohttp.ClientSession(headers=headers) as session:
        for part in (
            "mono-recording",
            "stereo-recording",
            "customer-recording",
            "assistant-recording",
            "call-logs",
        ):
            async with session.get(f"http://127.0.0.1:{running.api_port}/call/{record['id']}/{part}") as answer:
                assert answer.status == 200, part
                sizes[part] = len(await answer.read())
        async with session.get(f"http://127.0.0.1:{running.api_port}/call/{record['id']}/pcap") as answer:
            assert answer.status == 404
    assert sizes["stereo-recording"] - 44 == 2 * (sizes["mono-recording"] - 44) > 100_000
    assert sizes["customer-recording"] == sizes["assistant-recording"] == sizes["mono-recording"]
    assert sizes["call-logs"] > 100
    # Erased for good: the record, the audio and the log.
    assert (await running.api("DELETE", f"/call/{record['id']}", {}))[0] == 200
    assert (await running.api("GET", f"/call/{record['id']}"))[0] == 404
    assert not list(running.folder.glob(f"data/*/{record['id']}*"))
    assert (await webhook.wait_for("call.deleted"))["call"]["id"] == record["id"]
    assert len(webhook.requests) == 1

"""What a user's server is told of a call, in which order, and which server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ari_assistant.phone.line import place_call
from tests.support.assistants import ASSISTANTS
from tests.support.caller_voice import CallerVoice
from tests.support.chat_server import ChatServer, chunk, stream
from tests.support.listening import ask, heard_something, speaking
from tests.support.raw_sip import raw_call
from tests.support.running_server import RunningServer
from tests.support.webhook import Webhook, webhook_server

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(120)]

_TOOL = {"type": "function", "function": {"name": "book", "parameters": {"type": "object", "properties": {}}}}


async def test_messages_come_in_their_order_with_the_live_artifact(
    running: RunningServer, voices: CallerVoice, webhook: Webhook, heard: Path
) -> None:
    assistant = {
        "firstMessage": "Welcome to the yellow banana company.",
        "server": {"url": webhook.url},
        "model": ASSISTANTS["assistants"][0]["model"],
    }
    user = await running.new_number(assistant)
    async with place_call(running.uri(user), record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
        await ask(call, voices.say("When are you open?"))
        await heard_something(heard)
    report = await webhook.wait_for("end-of-call-report")
    kinds = [
        (body["message"]["type"], body["message"].get("status"), body["message"].get("role"))
        for _, body in webhook.requests
    ]
    assert kinds == [
        ("status-update", "in-progress", None),
        ("assistant.started", None, None),
        ("speech-update", "started", "assistant"),
        ("speech-update", "stopped", "assistant"),
        ("conversation-update", None, None),
        ("speech-update", "started", "user"),
        ("speech-update", "stopped", "user"),
        ("conversation-update", None, None),
        ("speech-update", "started", "assistant"),
        ("speech-update", "stopped", "assistant"),
        ("conversation-update", None, None),
        ("status-update", "ended", None),
        ("end-of-call-report", None, None),
    ]
    update = webhook.messages("conversation-update")[1]
    assert [m["role"] for m in update["messages"]] == ["bot", "user"]
    assert update["messagesOpenAIFormatted"] == update["conversation"]
    assert update["artifact"]["messages"] == update["messages"]
    assert report["endedReason"] == "customer-ended-call"
    costs = {item["type"]: item for item in report["costs"]}
    assert costs["voice"]["characters"] == report["costBreakdown"]["ttsCharacters"] > 30
    assert costs["transport"]["minutes"] > 0
    assert report["cost"] == 0
    sip = report["call"]["phoneCallProviderDetails"]["sip"]
    assert sip["dialedUser"] == user
    assert f"sip:{user}@127.0.0.1" in sip["headers"]["to"]
    assert "user-agent" in sip["headers"]
    for kind in ("status-update", "speech-update", "end-of-call-report"):
        message = webhook.messages(kind)[0]
        assert {"call", "phoneNumber", "customer", "assistant", "timestamp"} <= set(message)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ([], []),
        (
            ["transcript", "voice-input", "assistant.speechStarted"],
            ["voice-input", "assistant.speechStarted", "transcript", "transcript"],
        ),
        (['transcript[transcriptType="final"]'], ['transcript[transcriptType="final"]'] * 2),
    ],
)
async def test_a_server_gets_what_it_chose(
    running: RunningServer,
    voices: CallerVoice,
    webhook: Webhook,
    heard: Path,
    chosen: list[str],
    expected: list[str],
) -> None:
    assistant = {"firstMessage": "Welcome.", "server": {"url": webhook.url}, "serverMessages": chosen,
                 "model": {"provider": "built-in", "fallback": ""}}  # fmt: skip
    user = await running.new_number(assistant)
    async with place_call(running.uri(user), record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard, quiet=0.6)
        await ask(call, voices.say("When are you open?"))
        await asyncio.sleep(1.5)
    await running.ended_call(user)
    for _ in range(100):
        if len(webhook.requests) >= len(expected):
            break
        await asyncio.sleep(0.05)
    found = [body["message"] for _, body in webhook.requests]
    # The caller's own transcript comes when the assistant answers it, and this one has nothing to say.
    assert [m["type"] for m in found if m.get("role") != "user"] == expected[: len(expected) - 1]
    if expected:
        said = {m["role"]: m["transcript"] for m in found if m["type"].startswith("transcript")}
        assert said["assistant"] == "Welcome."


async def test_one_url_gets_each_message_tool_before_assistant_before_number_before_installation(
    tmp_path: Path, voices: CallerVoice, chat: ChatServer, heard: Path
) -> None:
    async with (
        webhook_server() as tool,
        webhook_server() as assistant,
        webhook_server() as of_number,
        webhook_server() as installation,
    ):
        running = RunningServer(tmp_path / "running", ASSISTANTS, server_url=installation.url)
        running.start()
        try:
            chat.behaviour = chat.calls_tool("book", {}, "Done.")
            given = {"firstMessage": "Hello.", "server": {"url": assistant.url}, "serverMessages": ["status-update"],
                     "model": chat.model(tools=[{**_TOOL, "server": {"url": tool.url}}])}  # fmt: skip
            first = await running.new_number(given, server={"url": of_number.url})
            async with place_call(running.uri(first), record=heard) as call:
                await call.wait_for("media")
                await heard_something(heard)
                await ask(call, voices.say("Please book me in for Monday."))
                await heard_something(heard, quiet=2.0)
            await assistant.wait_for("status-update", count=2)
            assert [b["message"]["type"] for _, b in tool.requests] == ["tool-calls"]
            assert not of_number.requests
            plain = {"firstMessage": "Hello.", "serverMessages": ["status-update"]}
            second = await running.new_number(plain, server={"url": of_number.url})
            third = await running.new_number(plain)
            for user, receiver in ((second, of_number), (third, installation)):
                async with raw_call(user, running.sip_port) as raw:
                    assert await raw.final() == 200
                    raw.acknowledge()
                    await receiver.wait_for("status-update")
                await receiver.wait_for("status-update", count=2)
                assert len(receiver.requests) == 2
            assert len(assistant.requests) == 2
        finally:
            running.stop()


async def test_a_late_reply_is_told_as_hang_and_an_interruption_as_such(
    running: RunningServer, voices: CallerVoice, chat: ChatServer, webhook: Webhook, heard: Path
) -> None:
    async def late(request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
        await asyncio.sleep(3.5)
        texts = ["This story goes on for ever and ever, my friend. "] * 12
        return await stream(request, [*(chunk(content=text) for text in texts), b"data: [DONE]\n\n"])

    chat.behaviour = late
    user = await running.new_number(
        {"firstMessage": "Hello.", "server": {"url": webhook.url}, "model": chat.model()}
    )
    async with place_call(running.uri(user), record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
        await ask(call, voices.say("Tell me about the garden."))
        await webhook.wait_for("hang")
        await speaking(heard)
        await ask(call, voices.say("Stop it, please, that is enough."))
        interrupted = await webhook.wait_for("user-interrupted")
    assert interrupted["turnId"]
    assert len(webhook.messages("hang")) == 1
    report = await webhook.wait_for("end-of-call-report")
    told = next(m["message"] for m in report["artifact"]["messages"] if "story" in m["message"])
    assert told.count("story") < 12, "the history holds what was heard"

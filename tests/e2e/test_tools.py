"""A model's tools in real calls: the server is asked, fails, takes its time; the conversation goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ari_assistant.phone.line import place_call
from tests.support.caller_voice import CallerVoice, sounds_like
from tests.support.chat_server import ChatServer, chunk, stream
from tests.support.listening import ask, heard_something
from tests.support.running_server import RunningServer
from tests.support.webhook import Webhook

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(120)]

BOOK = {
    "type": "function",
    "function": {"name": "book", "parameters": {"type": "object", "properties": {"day": {"type": "string"}}}},
    "parameters": [{"key": "caller", "value": "{{first_name}}"}],
    "messages": [{"type": "request-start", "content": "I look into the calendar."}],
    "variableExtractionPlan": {"schema": {"type": "object", "properties": {"slot": {"type": "string"}}}},
}


async def test_a_tool_goes_to_the_server_and_its_result_to_the_model(
    running: RunningServer, voices: CallerVoice, chat: ChatServer, webhook: Webhook, heard: Path
) -> None:
    chat.behaviour = chat.calls_tool("book", {"day": "Monday"}, "You are booked for ten in the morning.")

    async def booked(message: dict[str, Any]) -> web.StreamResponse:
        call_id = message["toolCallList"][0]["id"]
        return web.json_response({"results": [{"toolCallId": call_id, "result": '{"slot": "ten"}'}]})

    webhook.replies["tool-calls"] = booked
    user = await running.new_number(
        {
            "firstMessage": "Hello.",
            "server": {"url": webhook.url},
            "model": chat.model(tools=[BOOK]),
            "metadata": {"tenant": "t1"},
        },
    )
    async with place_call(running.uri(user), headers=["X-First_Name: John"], record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
        await ask(call, voices.say("Please book me in for Monday."))
        await heard_something(heard, quiet=2.0)
    words = voices.hear(heard)
    assert sounds_like(words, "i look into the calendar")
    assert sounds_like(words, "you are booked for ten in the morning")
    message = webhook.messages("tool-calls")[0]
    item = message["toolCallList"][0]
    assert item["function"] == {"name": "book", "arguments": {"day": "Monday", "caller": "John"}}
    assert item["arguments"] == item["parameters"] == {"day": "Monday", "caller": "John"}
    assert message["toolWithToolCallList"][0]["toolCall"]["id"] == item["id"]
    first, second = chat.requests[:2]
    assert first["tools"][0]["function"]["name"] == "book"
    assert first["metadata"] == {"tenant": "t1"}
    assert first["call"]["id"] == message["call"]["id"]
    assert second["messages"][-2]["tool_calls"][0]["function"]["arguments"] == '{"day": "Monday"}'
    assert second["messages"][-1] == {"role": "tool", "content": '{"slot": "ten"}', "tool_call_id": "call_1"}
    report = await webhook.wait_for("end-of-call-report")
    roles = [m["role"] for m in report["artifact"]["messages"]]
    assert roles == ["bot", "user", "tool_calls", "tool_call_result", "bot"]
    assert report["artifact"]["variableValues"]["slot"] == "ten"
    assert isinstance(report["artifact"]["messages"][2]["toolCalls"][0]["function"]["arguments"], str)


async def test_a_tool_that_fails_hangs_or_is_async_leaves_the_conversation_going(
    running: RunningServer, voices: CallerVoice, chat: ChatServer, webhook: Webhook, heard: Path
) -> None:
    tools = [
        {**BOOK, "messages": [{"type": "request-failed", "content": "The calendar is broken."}]},
    ]
    chat.behaviour = chat.calls_tool("book", {}, "Never said.")

    async def hangs(_: dict[str, Any]) -> web.StreamResponse:
        await asyncio.sleep(20)
        return web.json_response({})

    webhook.replies["tool-calls"] = hangs
    server = {"url": webhook.url, "timeoutSeconds": 1}
    user = await running.new_number({"firstMessage": "Hello.", "server": {"url": webhook.url},
                "model": chat.model(tools=[{**tools[0], "server": server}])},
    )  # fmt: skip
    async with place_call(running.uri(user), record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
        await ask(call, voices.say("Please book me in for Monday."))
        await heard_something(heard, quiet=2.5)
        assert sounds_like(voices.hear(heard), "the calendar is broken")
    report = await webhook.wait_for("end-of-call-report")
    result = next(m for m in report["artifact"]["messages"] if m["role"] == "tool_call_result")
    assert result["result"].startswith("No result returned")
    asked = [request for request in chat.requests if "tools" in request]
    assert len(asked) == 1, "the tool's own message replaces the model's reply"


async def test_a_caller_who_speaks_while_a_tool_runs_is_answered_and_the_result_is_not_lost(
    running: RunningServer, voices: CallerVoice, chat: ChatServer, webhook: Webhook, heard: Path
) -> None:
    async def behaviour(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        said = [message for message in body["messages"] if message["role"] == "user"]
        if len(said) == 1 and body["messages"][-1]["role"] == "user":
            part = {
                "index": 0,
                "id": "call_1",
                "type": "function",
                "function": {"name": "book", "arguments": "{}"},
            }
            return await stream(request, [chunk(tool_calls=[part]), b"data: [DONE]\n\n"])
        return await stream(request, [chunk(content="Yes, I am still here."), b"data: [DONE]\n\n"])

    async def slowly(message: dict[str, Any]) -> web.StreamResponse:
        await asyncio.sleep(8)
        return web.json_response({"results": [{"toolCallId": "call_1", "result": "Booked."}]})

    chat.behaviour = behaviour
    webhook.replies["tool-calls"] = slowly
    silent = {**BOOK, "messages": [{"type": "request-start", "content": ""}]}
    user = await running.new_number(
        {"firstMessage": "Hello.", "server": {"url": webhook.url}, "model": chat.model(tools=[silent])}
    )
    async with place_call(running.uri(user), record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
        await ask(call, voices.say("Please book me in for Monday."))
        await webhook.wait_for("tool-calls")
        await ask(call, voices.say("Are you still there?"))
        await heard_something(heard, quiet=1.5)
        await asyncio.sleep(5)
    assert sounds_like(voices.hear(heard), "yes i am still here")
    second = next(r for r in chat.requests if sum(m["role"] == "user" for m in r["messages"]) == 2)
    told = [message for message in second["messages"] if message["role"] == "tool"]
    assert told == [
        {
            "role": "tool",
            "content": "Tool Result Still Pending But Proceed Further If Possible.",
            "tool_call_id": "call_1",
        }
    ]
    report = await webhook.wait_for("end-of-call-report")
    results = [m["result"] for m in report["artifact"]["messages"] if m["role"] == "tool_call_result"]
    assert results == ["Booked."]
    words = [m["message"] for m in report["artifact"]["messages"] if m["role"] == "user"]
    assert "Monday" in words[0]
    assert "Monday" not in words[1], "what was said before the tool is not said again"


async def test_a_knowledge_base_is_asked_before_the_model(
    running: RunningServer, voices: CallerVoice, chat: ChatServer, webhook: Webhook, heard: Path
) -> None:
    async def documents(_: dict[str, Any]) -> web.StreamResponse:
        return web.json_response({"documents": [{"content": "We open at nine.", "similarity": 0.9}]})

    webhook.replies["knowledge-base-request"] = documents
    chat.behaviour = chat.says("At nine.")
    base = {"provider": "custom-knowledge-base", "server": {"url": webhook.url}}
    user = await running.new_number({"firstMessage": "Hello.", "model": chat.model(knowledgeBase=base)})
    async with place_call(running.uri(user), record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
        await ask(call, voices.say("When are you open?"))
        await heard_something(heard, quiet=1.5)
    asked = webhook.messages("knowledge-base-request")[0]
    assert "open" in asked["messagesOpenAIFormatted"][-1]["content"]
    assert chat.requests[0]["messages"][-1] == {"role": "system", "content": "Documents:\n\nWe open at nine."}

"""The contract in real calls: tools, server messages, precedence, authentication, outbound calls, transfers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import WSMsgType, web

from ari_assistant.phone.line import place_call
from tests.support.assistants import ASSISTANTS
from tests.support.caller_voice import CallerVoice, sounds_like
from tests.support.chat_server import ChatServer, chat_server, chunk, stream
from tests.support.listening import ask, heard_something, speaking
from tests.support.raw_sip import digest, raw_call
from tests.support.running_server import RunningServer
from tests.support.serving import served
from tests.support.webhook import Webhook, webhook_server

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(120)]

_users = itertools.count(1)
PASSWORD = "correct-horse-battery-staple"
USERNAME = "a-user-with-a-long-name"


@pytest.fixture
async def chat() -> AsyncGenerator[ChatServer, None]:
    async with chat_server() as server:
        yield server


async def number(running: RunningServer, assistant: dict[str, Any], **more: Any) -> str:
    """A new number with a new assistant; returns its user."""
    created = await running.created("/assistant", assistant)
    user = f"contract{next(_users)}"
    await running.created(
        "/phone-number",
        {"provider": "vapi", "sipUri": f"sip:{user}@localhost", "assistantId": created["id"], **more},
    )
    return user


def llm(chat: ChatServer, **more: Any) -> dict[str, Any]:
    return {"provider": "custom-llm", "url": chat.url, "model": "mine", **more}


def wants_tool(name: str, arguments: dict[str, Any], then: str) -> Any:
    """The model calls a tool when the caller has spoken, and says `then` when it has the result."""

    async def behaviour(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if body["messages"][-1]["role"] == "user":
            text = json.dumps(arguments)
            parts = [
                {
                    "index": 0,
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": name, "arguments": text[:3]},
                },
                {"index": 0, "function": {"arguments": text[3:]}},
            ]
            events = [*(chunk(tool_calls=[part]) for part in parts), b"data: [DONE]\n\n"]
            return await stream(request, events)
        return await stream(request, [chunk(content=then), b"data: [DONE]\n\n"])

    return behaviour


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
    chat.behaviour = wants_tool("book", {"day": "Monday"}, "You are booked for ten in the morning.")

    async def booked(message: dict[str, Any]) -> web.StreamResponse:
        call_id = message["toolCallList"][0]["id"]
        return web.json_response({"results": [{"toolCallId": call_id, "result": '{"slot": "ten"}'}]})

    webhook.replies["tool-calls"] = booked
    user = await number(
        running,
        {
            "firstMessage": "Hello.",
            "server": {"url": webhook.url},
            "model": llm(chat, tools=[BOOK]),
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
    chat.behaviour = wants_tool("book", {}, "Never said.")

    async def hangs(_: dict[str, Any]) -> web.StreamResponse:
        await asyncio.sleep(20)
        return web.json_response({})

    webhook.replies["tool-calls"] = hangs
    server = {"url": webhook.url, "timeoutSeconds": 1}
    user = await number(
        running, {"firstMessage": "Hello.", "server": {"url": webhook.url},
                "model": llm(chat, tools=[{**tools[0], "server": server}])},
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


async def test_messages_come_in_their_order_with_the_live_artifact(
    running: RunningServer, voices: CallerVoice, webhook: Webhook, heard: Path
) -> None:
    assistant = {
        "firstMessage": "Welcome to the yellow banana company.",
        "server": {"url": webhook.url},
        "model": ASSISTANTS["assistants"][0]["model"],
    }
    user = await number(running, assistant)
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
    user = await number(running, assistant)
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
            chat.behaviour = wants_tool("book", {}, "Done.")
            given = {"firstMessage": "Hello.", "server": {"url": assistant.url}, "serverMessages": ["status-update"],
                     "model": llm(chat, tools=[{**BOOK, "server": {"url": tool.url}}])}  # fmt: skip
            first = await number(running, given, server={"url": of_number.url})
            async with place_call(running.uri(first), record=heard) as call:
                await call.wait_for("media")
                await heard_something(heard)
                await ask(call, voices.say("Please book me in for Monday."))
                await heard_something(heard, quiet=2.0)
            await assistant.wait_for("status-update", count=2)
            assert [b["message"]["type"] for _, b in tool.requests] == ["tool-calls"]
            assert not of_number.requests
            plain = {"firstMessage": "Hello.", "serverMessages": ["status-update"]}
            second = await number(running, plain, server={"url": of_number.url})
            third = await number(running, plain)
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


async def test_a_number_that_asks_for_a_password_admits_the_right_one_only(
    running: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    authentication = {"username": USERNAME, "password": PASSWORD, "realm": "voice.example"}
    user = await number(
        running, {"firstMessage": "Welcome to the high mountain hotel."}, authentication=authentication
    )
    uri = f"sip:{user}@127.0.0.1:{running.sip_port}"
    await asyncio.sleep(0.3)
    for dialled in (user, user.upper()):
        async with raw_call(dialled, running.sip_port) as call:
            assert await call.final() == 401
            assert 'realm="voice.example"' in call.challenge
            challenge = call.challenge
    for password, status in ((PASSWORD + "x", 401), (PASSWORD, 200)):
        header = f"Authorization: {digest(challenge, USERNAME, password, uri)}\r\n".encode()
        async with raw_call(user, running.sip_port, header) as call:
            assert await call.final() == status, password
    async with place_call(running.uri(user), record=heard, auth=f"{USERNAME}:{PASSWORD}") as phone:
        await phone.wait_for("media")
        await heard_something(heard)
    assert sounds_like(voices.hear(heard), "welcome to the high mountain hotel")
    assert PASSWORD not in json.dumps(await running.ended_call(user))
    # Without the password again, and the door is open; the change needs no restart.
    _, numbers = await running.api("GET", f"/v2/phone-number?search={user}")
    resource = numbers["results"][0]
    status, _ = await running.api("PATCH", f"/phone-number/{resource['id']}", {"authentication": None})
    assert status == 200
    await asyncio.sleep(0.3)
    async with raw_call(user, running.sip_port) as call:
        assert await call.final() == 200


async def test_post_call_dials_a_sip_uri_and_talks(
    running: RunningServer, voices: CallerVoice, webhook: Webhook
) -> None:
    assistant = await running.created(
        "/assistant",
        {
            "firstMessage": "When are you open, {{customer.name}}?",
            "server": {"url": webhook.url},
            "model": {"provider": "built-in", "fallback": "Goodbye."},
            "endCallPhrases": ["goodbye"],
        },
    )
    user = await number(running, {"firstMessage": "Not used."})
    _, found = await running.api("GET", f"/v2/phone-number?search={user}")
    body = {
        "assistantId": assistant["id"],
        "phoneNumberId": found["results"][0]["id"],
        "customer": {"sipUri": running.uri("banana"), "name": "Bob"},
    }
    status, call = await running.api("POST", "/call", body)
    assert status == 201
    assert (call["type"], call["status"]) == ("outboundPhoneCall", "queued")
    report = await webhook.wait_for("end-of-call-report", timeout=40)
    assert report["endedReason"] in ("assistant-said-end-call-phrase", "customer-ended-call")
    statuses = [m["status"] for m in webhook.messages("status-update")]
    assert statuses == ["ringing", "in-progress", "ended"]
    assert report["artifact"]["messages"][0]["message"] == "When are you open, Bob?"
    _, record = await running.api("GET", f"/call/{call['id']}")
    assert record["customer"] == {"sipUri": running.uri("banana"), "name": "Bob"}
    assert any(m["role"] == "user" for m in record["artifact"]["messages"]), "both assistants heard each other"


class Refuses(asyncio.DatagramProtocol):
    """A SIP phone that answers every INVITE with one status."""

    def __init__(self, status: bytes) -> None:
        self.status = status

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not data.startswith(b"INVITE"):
            return
        kept = [line for line in data.split(b"\r\n") if re.match(rb"(Via|From|To|Call-ID|CSeq):", line)]
        kept = [line + b";tag=x" if line.startswith(b"To:") else line for line in kept]
        answer = b"SIP/2.0 " + self.status + b"\r\n" + b"\r\n".join(kept) + b"\r\nContent-Length: 0\r\n\r\n"
        self.transport.sendto(answer, addr)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (b"486 Busy Here", "customer-busy"),
        (b"403 Forbidden", "call.in-progress.error-providerfault-outbound-sip-403-forbidden"),
        (b"503 Unavailable", "call.in-progress.error-providerfault-outbound-sip-503-service-unavailable"),
    ],
)
async def test_an_outbound_call_that_is_refused_ends_with_the_sip_cause(
    running: RunningServer, status: bytes, reason: str
) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Refuses(status), local_addr=("127.0.0.1", 0))
    try:
        port = transport.get_extra_info("sockname")[1]
        _, numbers = await running.api("GET", "/phone-number?limit=1")
        body = {"assistant": {"firstMessage": "Hi."}, "phoneNumberId": numbers[0]["id"],
                "customer": {"sipUri": f"sip:bob@127.0.0.1:{port}"}}  # fmt: skip
        code, call = await running.api("POST", "/call", body)
        assert code == 201
        for _ in range(100):
            _, record = await running.api("GET", f"/call/{call['id']}")
            if record["status"] == "ended":
                break
            await asyncio.sleep(0.1)
        assert record["endedReason"] == reason
    finally:
        transport.close()


@contextlib.asynccontextmanager
async def forwarding_phone(to: str) -> AsyncGenerator[str, None]:
    """A SIP phone that says it is elsewhere (302); its URI."""
    moved = f"302 Moved Temporarily\r\nContact: <{to}>".encode()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Refuses(moved), local_addr=("127.0.0.1", 0))
    try:
        yield f"sip:bob@127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()


async def calls_to(running: RunningServer, user: str) -> int:
    """How many calls this number has had."""
    _, calls = await running.api("GET", "/call?limit=1000")
    uris = [((call.get("phoneCallProviderDetails") or {}).get("sip") or {}).get("uri", "") for call in calls]
    return len([uri for uri in uris if uri.startswith(f"sip:{user}@")])


async def test_a_called_party_that_forwards_its_calls_is_not_followed(running: RunningServer) -> None:
    """It names one of our own numbers: two assistants would talk to each other."""
    user = await number(running, {"firstMessage": "Not used."})
    _, found = await running.api("GET", f"/v2/phone-number?search={user}")
    before = await calls_to(running, "banana")
    async with forwarding_phone(running.uri("banana")) as phone:
        body = {
            "assistant": {"firstMessage": "Hello."},
            "phoneNumberId": found["results"][0]["id"],
            "customer": {"sipUri": phone},
        }
        code, call = await running.api("POST", "/call", body)
        assert code == 201
        record = call
        async with asyncio.timeout(10):
            while record["status"] != "ended":
                _, record = await running.api("GET", f"/call/{call['id']}")
                await asyncio.sleep(0.05)
    assert record["endedReason"] == "call.in-progress.error-sip-outbound-call-failed-to-connect"
    assert "forwards its calls" in record["endedMessage"]
    assert "SIP 302" in record["endedMessage"]
    assert await calls_to(running, "banana") == before


async def test_a_transfer_to_a_party_that_forwards_its_calls_has_failed_and_says_so(
    running: RunningServer, voices: CallerVoice, chat: ChatServer, webhook: Webhook, heard: Path
) -> None:
    before = await calls_to(running, "banana")
    async with forwarding_phone(running.uri("banana")) as phone:
        destination = {
            "type": "sip",
            "sipUri": phone,
            "message": "I connect you now.",
            "transferPlan": {"mode": "blind-transfer", "sipVerb": "dial"},
        }
        chat.behaviour = wants_tool("transferCall", {"destination": phone}, "Never.")
        tools = [{"type": "transferCall", "destinations": [destination]}]
        user = await number(
            running, {"firstMessage": "Hello.", "server": {"url": webhook.url}, "model": llm(chat, tools=tools)}
        )
        async with place_call(running.uri(user), record=heard) as call:
            await call.wait_for("media")
            await heard_something(heard)
            await ask(call, voices.say("I want to speak with a human."))
            report = await webhook.wait_for("end-of-call-report", timeout=40)
    assert report["artifact"]["transfers"][0]["status"] == "redirected"
    assert report["endedReason"] == "call.in-progress.error-transfer-failed"
    assert sounds_like(voices.hear(heard), "the transfer did not work")
    assert await calls_to(running, "banana") == before


async def test_a_transfer_dials_the_destination_and_joins_both(
    running: RunningServer, voices: CallerVoice, chat: ChatServer, webhook: Webhook, heard: Path
) -> None:
    destination = {
        "type": "sip",
        "sipUri": running.uri("banana"),
        "message": "I connect you now.",
        "transferPlan": {"mode": "blind-transfer", "sipVerb": "dial"},
    }
    chat.behaviour = wants_tool("transferCall", {"destination": running.uri("banana")}, "Never.")
    tools = [{"type": "transferCall", "destinations": [destination]}]
    user = await number(
        running, {"firstMessage": "Hello.", "server": {"url": webhook.url}, "model": llm(chat, tools=tools)}
    )
    async with place_call(running.uri(user), record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
        await ask(call, voices.say("I want to speak with a human."))
        await heard_something(heard, quiet=2.0)
        await ask(call, voices.say("When are you open?"))
        await heard_something(heard, quiet=2.0)
    words = voices.hear(heard)
    assert sounds_like(words, "i connect you now")
    assert sounds_like(words, "welcome to the yellow banana company")
    assert sounds_like(words, "from nine to five")
    report = await webhook.wait_for("end-of-call-report")
    assert report["artifact"]["transfers"][0]["status"] in ("completed", "connected")
    forwarding = next(m for m in webhook.messages("status-update") if m["status"] == "forwarding")
    assert forwarding["destination"]["sipUri"] == running.uri("banana")


async def test_a_refer_goes_to_the_caller_with_the_headers_in_its_target(
    running: RunningServer, chat: ChatServer, webhook: Webhook
) -> None:
    async def transfers(request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
        text = json.dumps({"destination": "sip:op@pbx.example"})
        part = {"index": 0, "id": "c", "type": "function", "function": {"name": "transferCall", "arguments": text}}
        return await stream(request, [chunk(tool_calls=[part]), b"data: [DONE]\n\n"])

    chat.behaviour = transfers
    destination = {
        "type": "sip",
        "sipUri": "sip:op@pbx.example",
        "message": "",
        "sipHeaders": {"X-Ticket": "4 2"},
        "transferPlan": {"mode": "blind-transfer", "sipHeadersInReferToEnabled": True},
    }
    user = await number(
        running,
        {
            "firstMessageMode": "assistant-speaks-first-with-model-generated-message",
            "server": {"url": webhook.url},
            "model": llm(chat, tools=[{"type": "transferCall", "destinations": [destination]}]),
        },
    )
    async with raw_call(user, running.sip_port) as call:
        assert await call.final() == 200
        call.acknowledge()
        async with asyncio.timeout(10):
            while not (request := await call.responses.get()).startswith(b"REFER"):
                pass
        assert b"sip:op@pbx.example?X-Ticket=4%202" in request
        accepted = [line for line in request.split(b"\r\n") if re.match(rb"(Via|From|To|Call-ID|CSeq):", line)]
        call.send(b"SIP/2.0 202 Accepted\r\n" + b"\r\n".join(accepted) + b"\r\nContent-Length: 0\r\n\r\n")
        # The far end followed, and says so (RFC 3515 §2.4.5); then it hangs up.
        call.send(call.request("NOTIFY", 2, b"Event: refer\r\nSubscription-State: terminated;reason=noresource\r\n"
                               b"Content-Type: message/sipfrag;version=2.0\r\n", b"SIP/2.0 200 OK\r\n"))  # fmt: skip
        report = await webhook.wait_for("end-of-call-report")
    assert report["endedReason"] == "assistant-forwarded-call"


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
        user = await number(
            running,
            {
                "firstMessage": "Hello.",
                "model": llm(chat, metadataSendMode="off"),
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
    user = await number(
        running,
        {
            "firstMessage": "Hello.",
            "model": llm(chat),
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


async def test_a_hook_of_the_number_answers_before_any_assistant(
    running: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    hooks = [
        {
            "on": "call.ringing",
            "filters": [{"type": "startsWith", "key": "number", "startsWith": ["1900"]}],
            "do": [{"type": "say", "exact": "We are closed for you."}],
        }
    ]
    user = await number(running, {"firstMessage": "Welcome to the high mountain hotel."}, hooks=hooks)
    for caller, expected in (("19001234", "we are closed for you"), ("555", "welcome to the high mountain hotel")):
        with contextlib.suppress(FileNotFoundError):
            heard.unlink()
        async with place_call(running.uri(user), record=heard, caller=f"<sip:{caller}@localhost>") as call:
            await call.wait_for("media")
            if caller == "555":
                await heard_something(heard)
            else:
                await call.wait_over(timeout=20)
        assert sounds_like(voices.hear(heard), expected)
    assert (await running.ended_call(user, number=1))["endedReason"] == "call.ringing.hook-executed-say"


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
    user = await number(
        running, {"firstMessage": "Hello.", "server": {"url": webhook.url}, "model": llm(chat, tools=[silent])}
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


async def test_a_first_message_may_be_an_audio_file(
    running: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    recorded = voices.say("Please book me in for Monday.").read_bytes()

    async def file(_: web.Request) -> web.StreamResponse:
        return web.Response(body=recorded, content_type="audio/wav")

    app = web.Application()
    app.router.add_get("/hello.wav", file)
    async with served(app) as url:
        user = await number(running, {"firstMessage": f"{url}/hello.wav"})
        async with place_call(running.uri(user), record=heard) as call:
            await call.wait_for("media")
            await heard_something(heard)
        assert sounds_like(voices.hear(heard), "please book me in for monday")
        missing = await number(running, {"firstMessage": f"{url}/gone.wav"})
    async with raw_call(missing, running.sip_port) as raw:
        assert await raw.final() == 200
        raw.acknowledge()
        await asyncio.sleep(0.5)
    assert running.logged("first_message_audio_failed")


async def test_a_late_reply_is_told_as_hang_and_an_interruption_as_such(
    running: RunningServer, voices: CallerVoice, chat: ChatServer, webhook: Webhook, heard: Path
) -> None:
    async def late(request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
        await asyncio.sleep(3.5)
        texts = ["This story goes on for ever and ever, my friend. "] * 12
        return await stream(request, [*(chunk(content=text) for text in texts), b"data: [DONE]\n\n"])

    chat.behaviour = late
    user = await number(running, {"firstMessage": "Hello.", "server": {"url": webhook.url}, "model": llm(chat)})
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


async def test_a_knowledge_base_is_asked_before_the_model(
    running: RunningServer, voices: CallerVoice, chat: ChatServer, webhook: Webhook, heard: Path
) -> None:
    async def documents(_: dict[str, Any]) -> web.StreamResponse:
        return web.json_response({"documents": [{"content": "We open at nine.", "similarity": 0.9}]})

    webhook.replies["knowledge-base-request"] = documents
    chat.behaviour = chat.says("At nine.")
    base = {"provider": "custom-knowledge-base", "server": {"url": webhook.url}}
    user = await number(running, {"firstMessage": "Hello.", "model": llm(chat, knowledgeBase=base)})
    async with place_call(running.uri(user), record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
        await ask(call, voices.say("When are you open?"))
        await heard_something(heard, quiet=1.5)
    asked = webhook.messages("knowledge-base-request")[0]
    assert "open" in asked["messagesOpenAIFormatted"][-1]["content"]
    assert chat.requests[0]["messages"][-1] == {"role": "system", "content": "Documents:\n\nWe open at nine."}

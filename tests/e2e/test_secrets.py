"""What leaves the server in real calls: no secret in what is told and kept, no host that a caller chose."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.support.chat_server import ChatServer, chat_server
from tests.support.raw_sip import RawCall, raw_call
from tests.support.running_server import RunningServer
from tests.support.webhook import Webhook

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(120)]

CANARY = "canary-9c41"
EVIL = b"X-Ext: evil@attacker.example;\r\nX-Date: yesterday\r\n"


def assistant(chat: ChatServer, webhook: Webhook, *tools: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One that lets its model begin."""
    return {
        "firstMessageMode": "assistant-speaks-first-with-model-generated-message",
        "server": {"url": webhook.url},
        "model": chat.model(tools=list(tools)),
        **more,
    }


async def refer(call: RawCall) -> bytes:
    """The Refer-To of the REFER that comes; the far end takes it and follows (RFC 3515 §2.4.5)."""
    async with asyncio.timeout(20):
        while not (request := await call.responses.get()).startswith(b"REFER"):
            pass
    lines = request.split(b"\r\n")
    kept = [line for line in lines if line.split(b":")[0] in (b"Via", b"From", b"To", b"Call-ID", b"CSeq")]
    call.send(b"SIP/2.0 202 Accepted\r\n" + b"\r\n".join(kept) + b"\r\nContent-Length: 0\r\n\r\n")
    told = b"Event: refer\r\nSubscription-State: terminated;reason=noresource\r\n"
    kind = b"Content-Type: message/sipfrag;version=2.0\r\n"
    call.send(call.request("NOTIFY", 2, told + kind, b"SIP/2.0 200 OK\r\n"))
    return next(line for line in lines if line.lower().startswith(b"refer-to:"))


async def test_no_secret_of_a_transient_assistant_is_told_or_kept(
    running: RunningServer, webhook: Webhook
) -> None:
    server = {"url": webhook.url, "secret": CANARY, "headers": {"X-Own": CANARY}}
    lookup = {"type": "function", "function": {"name": "look"}, "server": server}
    weather = {
        "type": "apiRequest", "name": "weather", "method": "GET", "url": f"http://u:{CANARY}@127.0.0.1:9/",
        "headers": {"type": "object", "properties": {"Authorization": {"value": CANARY}}},
    }  # fmt: skip
    async with chat_server() as chat:
        chat.behaviour = chat.calls_tool("look", {}, "Done.")
        given = assistant(
            chat,
            webhook,
            lookup,
            weather,
            server=server,
            credentials=[{"provider": "custom-llm", "apiKey": CANARY}],
            serverMessages=["assistant.started", "status-update", "tool-calls", "conversation-update",
                            "end-of-call-report"],
            hooks=[{"on": "call.ending", "do": [{"type": "tool", "tool": weather}]}],
        )  # fmt: skip
        given["model"]["headers"] = {"X-Own": CANARY}
        webhook.answers({"assistant": given})
        user = await running.new_number(server=server)
        async with raw_call(user, running.sip_port) as call:
            assert await call.final() == 200
            call.acknowledge()
            await webhook.wait_for("tool-calls")
        await webhook.wait_for("end-of-call-report")
        # They have their use all the same.
        assert chat.headers[0]["Authorization"] == f"Bearer {CANARY}"
        assert chat.headers[0]["x-own"] == CANARY
    assert all(headers["X-Vapi-Secret"] == CANARY for headers, _ in webhook.requests)
    told = {body["message"]["type"] for _, body in webhook.requests}
    assert told >= {"assistant-request", "assistant.started", "status-update", "tool-calls", "end-of-call-report"}
    assert CANARY not in json.dumps([body for _, body in webhook.requests])
    record = await running.ended_call(user)
    assert record["assistant"]["model"]["tools"][0]["server"] == {"url": webhook.url}
    assert CANARY not in json.dumps(record)
    assert CANARY not in running.log.read_text()
    assert CANARY not in "".join(p.read_text() for p in (running.folder / "data/logs").glob(f"{record['id']}*"))


async def test_a_callers_header_is_a_part_of_the_user_that_a_refer_names(
    running: RunningServer, webhook: Webhook
) -> None:
    destination = {"type": "sip", "sipUri": "sip:{{ext}}@pbx.example", "message": ""}
    async with chat_server() as chat:
        chat.behaviour = chat.calls_tool("transferCall", {"destination": "sip:{{ext}}@pbx.example"}, "Done.")
        given = assistant(chat, webhook, {"type": "transferCall", "destinations": [destination]})
        user = await running.new_number(given)
        async with raw_call(user, running.sip_port, EVIL) as call:
            assert await call.final() == 200
            call.acknowledge()
            target = await refer(call)
        report = await webhook.wait_for("end-of-call-report")
    assert b"sip:evil%40attacker.example%3B@pbx.example" in target
    assert report["artifact"]["variableValues"]["date"].endswith("UTC")


async def test_a_caller_who_would_choose_the_host_is_not_sent_on(running: RunningServer, webhook: Webhook) -> None:
    async with chat_server() as chat:
        destination = {"type": "sip", "sipUri": "sip:1@{{ext}}", "message": ""}
        chat.behaviour = chat.calls_tool("transferCall", {"destination": "sip:1@{{ext}}"}, "Done.")
        given = assistant(
            chat, webhook, {"type": "transferCall", "destinations": [destination]}, serverMessages=["model-output"]
        )
        user = await running.new_number(given)
        async with raw_call(user, running.sip_port, b"X-Ext: attacker.example\r\n") as call:
            assert await call.final() == 200
            call.acknowledge()
            await webhook.wait_for("model-output")  # it was told, and goes on talking
    (line,) = [line for line in running.logged("destination_refused") if "sip:1@{{ext}}" in line["reason"]]
    assert "the caller would choose its host" in line["reason"]
    assert "attacker" not in line["reason"]
    assert not (await running.ended_call(user))["artifact"].get("transfers")


async def test_before_the_answer_too_the_host_is_the_templates(running: RunningServer) -> None:
    fallback = {"type": "sip", "sipUri": "sip:{{ext}}@192.0.2.79"}
    user = await running.new_number(server={"url": "http://127.0.0.1:9/"}, fallbackDestination=fallback)
    async with raw_call(user, running.sip_port, EVIL) as call:
        assert await call.final() == 302
        contact = next(line for line in call.last.split(b"\r\n") if line.lower().startswith(b"contact:"))
    # Asterisk writes a semicolon as it is: it may stand in a user part (RFC 3261 §25.1).
    assert b"sip:evil%40attacker.example;@192.0.2.79" in contact

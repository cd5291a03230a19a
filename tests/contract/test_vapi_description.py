"""What we answer and send, against Vapi's own machine-readable description, where that lies beside the project."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from jsonschema import Draft202012Validator

from ari_assistant.phone.line import place_call
from tests.support.caller_voice import CallerVoice
from tests.support.chat_server import chat_server, chunk, stream
from tests.support.listening import ask, heard_something
from tests.support.running_server import RunningServer
from tests.support.webhook import Webhook

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(120)]

DESCRIPTION = Path(__file__).resolve().parents[3] / "shared/reference/vapi-openapi.json"
EVERYTHING = [
    "assistant.started", "assistant.speechStarted", "conversation-update", "end-of-call-report", "hang",
    "model-output", "speech-update", "status-update", "transcript", "tool-calls", "user-interrupted", "voice-input",
]  # fmt: skip
SCHEMA_OF = {
    "assistant-request": "ServerMessageAssistantRequest",
    "assistant.speechStarted": "ServerMessageAssistantSpeech",
    "conversation-update": "ServerMessageConversationUpdate",
    "end-of-call-report": "ServerMessageEndOfCallReport",
    "speech-update": "ServerMessageSpeechUpdate",
    "status-update": "ServerMessageStatusUpdate",
    "tool-calls": "ServerMessageToolCalls",
    "transcript": "ServerMessageTranscript",
    "voice-input": "ServerMessageVoiceInput",
}


@cache
def components() -> dict[str, Any]:
    if not DESCRIPTION.is_file():
        pytest.skip(f"{DESCRIPTION.name} is not beside the project")
    # `oneOf` there means "one of these": several of them may well fit the same object.
    found: dict[str, Any] = json.loads(DESCRIPTION.read_text().replace('"oneOf"', '"anyOf"'))["components"]
    _mend(found)
    return found


def _mend(schema: Any) -> None:
    """The description puts an enumeration of texts beside `type: object`, and that of an array's items beside the
    array: as it stands, neither can be fulfilled."""
    if isinstance(schema, list):
        for item in schema:
            _mend(item)
    elif isinstance(schema, dict):
        if "enum" in schema and schema.get("type") == "array":
            del schema["enum"]
        elif "enum" in schema and schema.get("type") == "object":
            del schema["type"]
        if isinstance(pattern := schema.get("pattern"), str):  # written as a JavaScript literal
            schema["pattern"] = pattern.removeprefix("/").removesuffix("/")
        for item in schema.values():
            _mend(item)


def plain(value: Any) -> Any:
    """Without nulls: Vapi's payloads have them wherever a field is unset, its description knows none."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if item is not None}
    return [plain(item) for item in value] if isinstance(value, list) else value


def fits(schema: str, value: Any) -> None:
    root = {"$ref": f"#/components/schemas/{schema}", "components": components()}
    faults = [
        f"{'.'.join(map(str, fault.absolute_path))}: {fault.message[:200]}"
        for fault in Draft202012Validator(root).iter_errors(plain(value))
    ]
    assert not faults, f"{schema}: {faults}"


async def test_resources_fit_the_description(running: RunningServer) -> None:
    components()
    assistant = await running.created(
        "/assistant",
        {
            "name": "A",
            "model": {"provider": "openai", "model": "gpt-4o", "tools": [{"type": "endCall"}]},
            "voice": {"provider": "openai", "voiceId": "nova"},
            "transcriber": {"provider": "deepgram", "model": "nova-3"},
            "server": {
                "url": "http://h",
                "backoffPlan": {"type": "fixed", "maxRetries": 1, "baseDelaySeconds": 1},
            },
            "analysisPlan": {"summaryPlan": {"enabled": True}},
            "startSpeakingPlan": {"waitSeconds": 0.4},
        },
    )
    fits("Assistant", assistant)
    number = await running.created("/phone-number", {"provider": "vapi", "sipUri": "sip:described@localhost"})
    fits("VapiPhoneNumber", number)
    _, page = await running.api("GET", "/v2/phone-number?search=described")
    fits("PhoneNumberPaginatedResponse", page)
    fits("FunctionTool", await running.created("/tool", {"type": "function", "function": {"name": "x"}}))
    fits("Squad", await running.created("/squad", {"members": [{"assistantId": assistant["id"]}]}))
    output = await running.created("/structured-output", {"name": "x", "schema": {"type": "object"}})
    fits("StructuredOutput", output)
    _, outputs = await running.api("GET", "/structured-output")
    fits("StructuredOutputPaginatedResponse", outputs)
    body = {"queries": [{"table": "call", "name": "n", "operations": [{"operation": "count", "column": "id"}]}]}
    _, results = await running.api("POST", "/analytics", body)
    fits("AnalyticsQueryResult", results[0])


async def test_the_messages_and_the_record_of_a_call_fit_the_description(
    running: RunningServer, voices: CallerVoice, webhook: Webhook, heard: Path
) -> None:
    components()
    async with chat_server() as chat:

        async def behaviour(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            if body.get("tools") and body["messages"][-1]["role"] == "user":
                call = {
                    "index": 0,
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "book", "arguments": "{}"},
                }
                return await stream(request, [chunk(tool_calls=[call]), b"data: [DONE]\n\n"])
            return await stream(request, [chunk(content="Booked."), b"data: [DONE]\n\n"])

        chat.behaviour = behaviour
        assistant = {
            "firstMessage": "Welcome to the yellow banana company.",
            "serverMessages": EVERYTHING,
            "server": {"url": webhook.url},
            "model": {
                "provider": "custom-llm",
                "url": chat.url,
                "model": "m",
                "tools": [{"type": "function", "function": {"name": "book"}}],
            },
        }
        webhook.answers({"assistant": assistant})
        body = {"provider": "vapi", "sipUri": "sip:described2@localhost", "serverUrl": webhook.url}
        await running.created("/phone-number", body)
        async with place_call(running.uri("described2"), record=heard) as call:
            await call.wait_for("media")
            await heard_something(heard)
            await ask(call, voices.say("Please book me in for Monday."))
            await heard_something(heard, quiet=1.5)
        await webhook.wait_for("end-of-call-report")
        await asyncio.sleep(0.1)
    seen = set()
    for _, sent in webhook.requests:
        message = sent["message"]
        kind = message["type"]
        seen.add(kind)
        if kind == "tool-calls":  # arguments are an object on the wire, whatever the description says (§7.6)
            for item in (*message["toolCallList"], *(t["toolCall"] for t in message["toolWithToolCallList"])):
                item["function"]["arguments"] = json.dumps(item["function"]["arguments"])
        if kind in SCHEMA_OF:
            fits(SCHEMA_OF[kind], message)
    assert seen >= set(SCHEMA_OF), set(SCHEMA_OF) - seen
    fits("Call", await running.ended_call("described2"))

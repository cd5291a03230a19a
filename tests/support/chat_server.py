"""A small server that speaks OpenAI's chat contract over a real socket, as a test scripts it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.support.serving import served

Behaviour = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


def chunk(**delta: Any) -> bytes:
    """One SSE event."""
    body = {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
    }
    return b"data: " + json.dumps(body).encode() + b"\n\n"


async def stream(request: web.Request, parts: list[bytes], *, pause: float = 0.0) -> web.StreamResponse:
    """Answer with SSE."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for part in parts:
        await response.write(part)
        await asyncio.sleep(pause)
    await response.write_eof()
    return response


class ChatServer:
    """What came in, and what is answered."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.cancelled = asyncio.Event()
        self.behaviour: Behaviour = self.says("Hello.")

    def says(self, *texts: str, pause: float = 0.0) -> Behaviour:
        """Stream these pieces of text."""

        async def behaviour(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            parts = [*(chunk(content=text) for text in texts), b"data: [DONE]\n\n"]
            try:
                return await stream(request, parts, pause=pause)
            except (ConnectionError, asyncio.CancelledError):
                self.cancelled.set()
                raise

        return behaviour

    def calls_tool(self, name: str, arguments: dict[str, Any], then: str) -> Behaviour:
        """Call a tool, and say `then` when its result is there."""

        async def behaviour(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            last = body["messages"][-1]["role"] if body["messages"] else None
            if "tools" not in body or last == "tool":
                return await self.says(then)(request, body)
            text = json.dumps(arguments)
            first = {"name": name, "arguments": text[:3]}
            parts = [  # in two pieces, as models send it
                {"index": 0, "id": "call_1", "type": "function", "function": first},
                {"index": 0, "function": {"arguments": text[3:]}},
            ]
            return await stream(request, [*(chunk(tool_calls=[part]) for part in parts), b"data: [DONE]\n\n"])

        return behaviour

    def model(self, **more: Any) -> dict[str, Any]:
        """An assistant's `model` that is this server."""
        return {"provider": "custom-llm", "url": self.url, "model": "mine", **more}

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """The route."""
        body = await request.json()
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        return await self.behaviour(request, body)


@asynccontextmanager
async def chat_server() -> AsyncGenerator[ChatServer, None]:
    """A chat server at `server.url` for the length of the block."""
    server = ChatServer()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.receive)
    async with served(app) as url:
        server.url = f"{url}/v1"
        yield server

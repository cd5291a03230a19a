"""A webhook receiver on a real socket, that answers as a test scripts it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.support.serving import served

Answer = Callable[[dict[str, Any]], Awaitable[web.StreamResponse]]


class Webhook:
    """What came in, and how to answer `assistant-request`."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.raw: list[bytes] = []
        self.answer: Answer = self.nothing
        self.replies: dict[str, Answer] = {}
        """Type → how a message of it is answered; `answer` is for `assistant-request`."""
        self._news = asyncio.Condition()

    async def nothing(self, message: dict[str, Any]) -> web.StreamResponse:
        """An empty object."""
        return web.json_response({})

    def answers(self, body: Any, *, status: int = 200) -> None:
        """Answer every assistant-request with this JSON."""

        async def answer(_: dict[str, Any]) -> web.StreamResponse:
            return web.json_response(body, status=status)

        self.answer = answer

    def messages(self, kind: str) -> list[dict[str, Any]]:
        """The messages of one type, in the order they came."""
        return [body["message"] for _, body in self.requests if body["message"]["type"] == kind]

    async def wait_for(self, kind: str, *, count: int = 1, timeout: float = 20) -> dict[str, Any]:
        """The `count`th message of a type."""
        async with asyncio.timeout(timeout), self._news:
            while len(self.messages(kind)) < count:
                await self._news.wait()
            return self.messages(kind)[count - 1]

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """The route."""
        raw = await request.read()
        body = json.loads(raw)
        async with self._news:
            self.raw.append(raw)
            self.requests.append((dict(request.headers), body))
            self._news.notify_all()
        if body["message"]["type"] == "assistant-request":
            return await self.answer(body["message"])
        return await self.replies.get(body["message"]["type"], self.nothing)(body["message"])


@asynccontextmanager
async def webhook_server() -> AsyncGenerator[Webhook, None]:
    """A receiver at `webhook.url` for the length of the block."""
    webhook = Webhook()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/vapi", webhook.receive)
    async with served(app) as url:
        webhook.url = f"{url}/vapi"
        yield webhook

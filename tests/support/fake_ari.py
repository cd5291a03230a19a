"""An Asterisk that is only its ARI: REST and events over a real socket, as a test scripts it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import WSMsgType, web

from ari_assistant.ari.client import AriCredentials
from tests.support.serving import served

Reply = tuple[int, Any]


class FakeAri:
    """Requests that came in, replies by `METHOD path`, and events to send."""

    def __init__(self, *, rest_over_websocket: bool = True) -> None:
        self.credentials = AriCredentials("", "user", "secret")
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.replies: dict[str, Reply] = {}
        self.sockets: list[web.WebSocketResponse] = []
        self.connections = 0
        self.over_websocket = 0
        self._rest_over_websocket = rest_over_websocket
        self._connected = asyncio.Condition()

    def reply_to(self, method: str, path: str, parameters: dict[str, str]) -> Reply:
        """What a request is answered."""
        self.requests.append((method, path, parameters))
        return self.replies.get(f"{method} {path}", (200, {}) if method == "GET" else (204, None))

    async def events(self, request: web.Request) -> web.WebSocketResponse:
        """`/ari/events`."""
        if request.headers.get("Authorization") != "Basic dXNlcjpzZWNyZXQ=":
            raise web.HTTPUnauthorized
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async with self._connected:
            self.sockets.append(socket)
            self.connections += 1
            self._connected.notify_all()
        async for message in socket:
            if message.type is not WSMsgType.TEXT or not self._rest_over_websocket:
                continue
            data = json.loads(message.data)
            path, _, query = data["uri"].partition("?")
            status, body = self.reply_to(data["method"], path, dict(parse_qsl(query)))
            self.over_websocket += 1
            await socket.send_json(
                {
                    "type": "RESTResponse",
                    "request_id": data["request_id"],
                    "status_code": status,
                    "message_body": "" if body is None else json.dumps(body),
                }
            )
        return socket

    async def rest(self, request: web.Request) -> web.Response:
        """Everything else below `/ari`."""
        path = request.path.removeprefix("/ari/")
        status, body = self.reply_to(request.method, path, dict(request.query))
        return web.Response(status=status) if body is None else web.json_response(body, status=status)

    async def connected(self, count: int = 1) -> None:
        """Wait for the `count`th connection."""
        async with asyncio.timeout(5), self._connected:
            await self._connected.wait_for(lambda: self.connections >= count)

    async def send(self, event: dict[str, Any] | str) -> None:
        """Send an event to the newest connection."""
        await self.sockets[-1].send_str(event if isinstance(event, str) else json.dumps(event))


def channel_event(kind: str, channel_id: str, **more: Any) -> dict[str, Any]:
    """An event of a channel, in Asterisk's shape."""
    channel = {"id": channel_id, "name": f"PJSIP/{channel_id}", "state": "Ring", "caller": {}, "dialplan": {}}
    return {"type": kind, "channel": channel, "args": [], **more}


@asynccontextmanager
async def fake_ari(*, rest_over_websocket: bool = True) -> AsyncGenerator[FakeAri, None]:
    """A fake at `fake.credentials.url` for the length of the block."""
    fake = FakeAri(rest_over_websocket=rest_over_websocket)
    app = web.Application()
    app.router.add_get("/ari/events", fake.events)
    app.router.add_route("*", "/ari/{path:.*}", fake.rest)
    async with served(app) as url:
        fake.credentials = AriCredentials(url, "user", "secret")
        try:
            yield fake
        finally:
            for socket in fake.sockets:
                await socket.close()

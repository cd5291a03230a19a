"""The connection to Asterisk: events in order, typed requests, reconnection with back-off."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

import aiohttp

from ari_assistant.ari.errors import AriReplaced, AriRequestError, AriUnauthorized, AriUnreachable
from ari_assistant.ari.events import AriEvent, StasisStart, parse_event
from ari_assistant.ari.resources import Applications, AriEndpoints, Bridges, Channels, Configuration
from ari_assistant.telemetry import Private, get_logger

__all__ = ["AriClient", "AriCredentials", "Reconciler"]

EventHandler = Callable[[AriEvent], None]
log = get_logger("ari")
_TO_CHECK = (
    "is Asterisk running; http.conf: enabled, bindaddr, bindport; ari.conf: enabled; is a firewall between?"
)


@dataclass(frozen=True, slots=True)
class AriCredentials:
    """Where Asterisk's HTTP server is and who we are to it."""

    url: str
    """`http://127.0.0.1:8088`; `/ari` is appended."""
    username: str
    password: str

    @property
    def base(self) -> str:
        """The URL of the REST interface."""
        return self._server + "/ari"

    @property
    def media_url(self) -> str:
        """The URL of the ExternalMedia channels that wait for a websocket (chan_websocket); `/<connection id>` is
        appended."""
        return self._server.replace("http", "ws", 1) + "/media"

    @property
    def headers(self) -> dict[str, str]:
        """What says to Asterisk's HTTP server who we are."""
        return {"Authorization": aiohttp.encode_basic_auth(self.username, self.password)}

    @property
    def _server(self) -> str:
        return self.url.rstrip("/").removesuffix("/ari")


class Reconciler(Protocol):
    """Knows what is to be done after a connect."""

    async def reconcile(self) -> None:
        """Learn what happened meanwhile. Raises AriError; the connection is made anew then."""


class AriClient:
    """One ARI application.

    `run` owns the websocket: it connects, reconnects with a jittered back-off, and hands every event to the
    handlers of its type in the order of arrival. Handlers are plain functions and must not block; one that
    starts work starts a task of its own. After each connect the reconciler is awaited before `connected` is set,
    because Asterisk does not repeat the events that were missed.

    Requests go over the same websocket where Asterisk has that (`_greet` asks it; 0.19 ms instead of 0.30 ms),
    else over HTTP.
    """

    def __init__(
        self,
        credentials: AriCredentials,
        app: str,
        *,
        request_timeout_seconds: float = 3.0,
        rest_over_websocket: bool = True,
        remind_seconds: float = 30.0,
    ) -> None:
        """`remind_seconds`: so often it is logged that Asterisk cannot be reached, for as long as that is so."""
        self.app = app
        self.connected = asyncio.Event()
        self._credentials = credentials
        self._timeout_seconds = request_timeout_seconds
        self._rest_over_websocket = rest_over_websocket
        self._remind_seconds = remind_seconds
        self._handlers: dict[str, list[EventHandler]] = {}
        self._channel_handlers: dict[str, list[EventHandler]] = {}
        self._starts: dict[str, asyncio.Future[StasisStart]] = {}
        self._session: aiohttp.ClientSession | None = None
        self._websocket: aiohttp.ClientWebSocketResponse | None = None
        self._websocket_takes_requests = False
        self._replies: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)
        self.channels = Channels(self.request)
        self.bridges = Bridges(self.request)
        self.applications = Applications(self.request)
        self.configuration = Configuration(self.request)
        self.endpoints = AriEndpoints(self.request)

    # -- events ---------------------------------------------------------------------------------------------

    def on_event(self, event_type: str, handler: EventHandler) -> None:
        """Call `handler` with every event of `event_type`."""
        self._handlers.setdefault(event_type, []).append(handler)

    def on_channel(self, channel_id: str, handler: EventHandler) -> Callable[[], None]:
        """Call `handler` with every event of one channel. Returns the function that ends it."""
        handlers = self._channel_handlers.setdefault(channel_id, [])
        handlers.append(handler)

        def stop() -> None:
            with suppress(ValueError):
                handlers.remove(handler)
            if not handlers:
                self._channel_handlers.pop(channel_id, None)

        return stop

    def expect_start(self, channel_id: str) -> asyncio.Future[StasisStart]:
        """A future of the StasisStart of a channel whose id we have chosen. Ask before the channel is made.
        Cancel it when it is not wanted any more."""
        future: asyncio.Future[StasisStart] = asyncio.get_running_loop().create_future()
        self._starts[channel_id] = future
        future.add_done_callback(lambda _: self._starts.pop(channel_id, None))
        return future

    # -- requests -------------------------------------------------------------------------------------------

    async def request(self, method: str, path: str, json_body: Any = None, **parameters: str) -> Any:
        """One request; the parsed JSON of the answer, None when it has no body. One with a body goes by HTTP.

        Raises AriRequestError for an error status and AriUnreachable when there is no answer in time.
        """
        name = f"{method} {path}"
        if json_body is None and self._websocket is not None and self._websocket_takes_requests:
            status, text = await self._websocket_request(name, method, path, parameters)
        else:
            status, text = await self._http_request(name, method, path, parameters, json_body)
        if status >= 400:
            with suppress(ValueError, AttributeError):
                text = str(json.loads(text).get("message") or json.loads(text).get("error") or text)
            raise AriRequestError.of(name, status, text)
        return json.loads(text) if text else None

    async def _http_request(
        self, name: str, method: str, path: str, parameters: dict[str, str], json_body: Any
    ) -> tuple[int, str]:
        if self._session is None:
            raise AriUnreachable(f"{name}: not started")
        try:
            async with (
                asyncio.timeout(self._timeout_seconds),
                self._session.request(
                    method, f"{self._credentials.base}/{path}", params=parameters, json=json_body
                ) as response,
            ):
                return response.status, await response.text(errors="replace")
        except TimeoutError:
            raise AriUnreachable(f"{name}: no answer within {self._timeout_seconds:g} seconds") from None
        except aiohttp.ClientError as fault:
            raise AriUnreachable(f"{name}: {fault}") from fault

    async def _websocket_request(
        self, name: str, method: str, path: str, parameters: dict[str, str]
    ) -> tuple[int, str]:
        assert self._websocket is not None
        number = str(next(self._numbers))
        reply: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._replies[number] = reply
        query = urlencode(parameters)
        message = {
            "type": "RESTRequest",
            "request_id": number,
            "method": method,
            "uri": f"{path}?{query}" if query else path,
        }
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._websocket.send_str(json.dumps(message))
                answer = await reply
        except TimeoutError:
            raise AriUnreachable(f"{name}: no answer within {self._timeout_seconds:g} seconds") from None
        except (aiohttp.ClientError, ConnectionError) as fault:
            raise AriUnreachable(f"{name}: {fault}") from fault
        finally:
            self._replies.pop(number, None)
        return int(answer["status_code"]), str(answer.get("message_body") or "")

    # -- the connection -------------------------------------------------------------------------------------

    async def run(self, reconciler: Reconciler | None = None) -> None:
        """Stay connected until cancelled.

        Raises AriReplaced when another program takes the application's name, and AriUnauthorized when Asterisk
        does not know us: neither mends itself.
        """
        pause = told = 0.0
        async with aiohttp.ClientSession(headers=self._credentials.headers) as session:
            self._session = session
            try:
                while True:
                    try:
                        await self._connect_once(session, reconciler)
                        pause = 0.0
                    except (AriUnreachable, aiohttp.ClientError, OSError, TimeoutError) as fault:
                        if pause == 0.0 or time.monotonic() - told >= self._remind_seconds:
                            told = time.monotonic()
                            log.warning(
                                "ari_unreachable", url=self._credentials.base, reason=str(fault), check=_TO_CHECK
                            )
                    pause = min(5.0, max(0.1, pause * 2))
                    await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
            finally:
                self._session = None

    async def _connect_once(self, session: aiohttp.ClientSession, reconciler: Reconciler | None) -> None:
        """Connect, read until the connection ends."""
        url = f"{self._credentials.base}/events"
        try:
            websocket = await session.ws_connect(
                url, params={"app": self.app, "subscribeAll": "false"}, heartbeat=20, max_msg_size=0
            )
        except aiohttp.WSServerHandshakeError as fault:
            if fault.status in (401, 403):
                raise AriUnauthorized("GET events", fault.status, "unknown user or wrong password") from None
            raise
        async with websocket:
            self._websocket = websocket
            reader = asyncio.create_task(self._read(websocket), name="ari-events")
            greeter = asyncio.create_task(self._greet(reconciler), name="ari-reconcile")
            try:
                await asyncio.wait({reader, greeter}, return_when=asyncio.FIRST_EXCEPTION)
                if greeter.done():
                    greeter.result()
                await reader
            finally:
                self.connected.clear()
                self._websocket = None
                self._websocket_takes_requests = False
                for task in (reader, greeter):
                    task.cancel()
                await asyncio.gather(reader, greeter, return_exceptions=True)
                for reply in self._replies.values():
                    if not reply.done():
                        reply.set_exception(AriUnreachable("the connection to Asterisk was lost"))

    async def _greet(self, reconciler: Reconciler | None) -> None:
        """Find out what this Asterisk can do, and what happened while we were away."""
        if self._rest_over_websocket:
            try:
                async with asyncio.timeout(1.0):
                    status, _ = await self._websocket_request("ping", "GET", "asterisk/ping", {})
                self._websocket_takes_requests = status == 200
            except (AriUnreachable, TimeoutError):
                self._websocket_takes_requests = False
        log.info("ari_connected", app=self.app, rest_over_websocket=self._websocket_takes_requests)
        if reconciler is not None:
            await reconciler.reconcile()
        self.connected.set()

    async def _read(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in websocket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            try:
                data = json.loads(message.data)
                if data["type"] == "RESTResponse":
                    self._resolve(data)
                    continue
                event = parse_event(data)
            except (ValueError, KeyError, TypeError, AttributeError) as fault:
                log.warning("ari_event_unreadable", reason=repr(fault), data=Private(str(message.data)[:200]))
                continue
            if event.type == "ApplicationReplaced":
                raise AriReplaced(f"another program subscribed to the ARI application {self.app!r}")
            self._dispatch(event)
        raise AriUnreachable(f"Asterisk closed the connection ({websocket.close_code})")

    def _resolve(self, data: dict[str, Any]) -> None:
        reply = self._replies.get(str(data.get("request_id")))
        if reply is not None and not reply.done():
            reply.set_result(data)

    def _dispatch(self, event: AriEvent) -> None:
        handlers = list(self._handlers.get(event.type, ()))
        if event.channel is not None:
            if isinstance(event, StasisStart):
                waiting = self._starts.get(event.channel.id)
                if waiting is not None:
                    if not waiting.done():
                        waiting.set_result(event)
                    return
            handlers += self._channel_handlers.get(event.channel.id, ())
        for handler in handlers:
            try:
                handler(event)
            except Exception:
                log.exception("ari_handler_failed", event_type=event.type)

"""What hanging up while it rings does to Asterisk; as a control, with the headers read through ARI."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from benchmarks.caller import measured_call
from tests.support.cancel_storm import cancel_storm
from tests.support.running_server import RunningServer
from tests.support.webhook import webhook_server

__all__ = ["Outcome", "storm"]

_READS = "PJSIP_HEADER(read,X-Name,1),PJSIP_HEADER(read,From),CHANNEL(pjsip,request_uri)"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    finals: Counter[int]
    """Final status → number of calls that hung up."""
    faults: int
    """Lines in which Asterisk found its memory broken."""
    deaths: int
    """How often Asterisk died."""
    whole: int
    """Of the calls that were up, those that were heard to the end."""


async def storm(
    running: RunningServer, *, calls: int, per_second: float, within_ms: float, up: int, through_ari: bool
) -> Outcome:
    """Hang up so many calls while they ring, with `up` calls in progress. `through_ari`: somebody reads every caller's
    headers through ARI, as no version of ours does any more."""

    async def never(_: dict[str, Any]) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise web.HTTPGone

    async with AsyncExitStack() as stack:
        webhook = await stack.enter_async_context(webhook_server())
        webhook.answer = never  # it rings until the caller hangs up
        rings = {"provider": "vapi", "sipUri": "sip:rings@localhost", "serverUrl": webhook.url}
        await running.created("/phone-number", rings)
        if through_ari:
            await stack.enter_async_context(_reader(running))
        callers = [await stack.enter_async_context(measured_call("office", running.sip_port)) for _ in range(up)]
        finals = await cancel_storm(
            "rings", running.sip_port, calls=calls, per_second=per_second, longest_ms=within_ms
        )
        over = asyncio.get_running_loop().time()
        await asyncio.sleep(1.0)
        whole = sum(bool(caller.packets) and caller.packets[-1] > over for caller in callers)
        return Outcome(finals, len(running.asterisk_faults()), len(running.logged("asterisk_died")), whole)


@asynccontextmanager
async def _reader(running: RunningServer) -> AsyncGenerator[None, None]:
    headers = {"Authorization": aiohttp.encode_basic_auth("ari-assistant", running.ari_password)}
    async with aiohttp.ClientSession(headers=headers) as session:
        following = asyncio.create_task(_follow(session, f"{running.ari_url}/ari"))
        try:
            yield
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


async def _follow(session: aiohttp.ClientSession, url: str) -> None:
    async def read(channel: str) -> None:
        for path, parameters in (
            ("variable", {"variable": "PJSIP_HEADERS()"}),
            ("variables", {"variables": _READS}),
        ):
            try:
                async with session.get(f"{url}/channels/{channel}/{path}", params=parameters) as response:
                    await response.read()
            except aiohttp.ClientError:
                return  # it is dead

    while True:
        try:
            async with (
                asyncio.TaskGroup() as group,
                session.ws_connect(f"{url}/events?app=reader&subscribeAll=true", max_msg_size=0) as events,
            ):
                async for message in events:
                    event = json.loads(message.data)
                    if event["type"] == "ChannelCreated":
                        group.create_task(read(event["channel"]["id"]))
        except aiohttp.ClientError:
            await asyncio.sleep(0.1)  # it starts again

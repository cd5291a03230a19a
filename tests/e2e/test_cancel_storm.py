"""Callers who hang up while it rings: Asterisk lives, and so do the calls that are up."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web

from benchmarks.caller import Caller, measured_call
from tests.support.assistants import LONG
from tests.support.cancel_storm import cancel_storm
from tests.support.running_server import RunningServer
from tests.support.webhook import Webhook

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.alone, pytest.mark.timeout(180)]

RINGING, REFUSED, SECONDS = 300, 1_700, 36
"""Those that ring cost the server a webhook and a record each; those to a number that is not there cost little."""


async def answered(stack: AsyncExitStack, running: RunningServer) -> Caller:
    """A call that is up; one that is not admitted in a busy moment is placed again."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await stack.enter_async_context(measured_call("office", running.sip_port))
            except RuntimeError:
                await asyncio.sleep(0.5)


async def test_two_thousand_who_hang_up_while_it_rings_harm_neither_asterisk_nor_the_calls_that_are_up(
    running: RunningServer, webhook: Webhook
) -> None:
    async def never(_: dict[str, Any]) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise web.HTTPGone

    webhook.answer = never  # it rings until the caller hangs up
    await running.created(
        "/phone-number", {"provider": "vapi", "sipUri": "sip:rings@localhost", "serverUrl": webhook.url}
    )
    office = {"firstMessage": LONG, "backgroundSound": "office", "silenceTimeoutSeconds": 600}
    assistant = await running.created("/assistant", office)
    await running.created(
        "/phone-number", {"provider": "vapi", "sipUri": "sip:office@localhost", "assistantId": assistant["id"]}
    )
    pid, loop = running.asterisk_pid, asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        up = [await answered(stack, running) for _ in range(5)]
        finals, refused = await asyncio.gather(
            cancel_storm("rings", running.sip_port, calls=RINGING, per_second=RINGING / SECONDS),
            cancel_storm("nobody", running.sip_port, calls=REFUSED, per_second=REFUSED / SECONDS, seed=2),
        )
        over = loop.time()
        for caller in up:
            async with asyncio.timeout(5):
                while caller.packets[-1] <= over:
                    await asyncio.sleep(0.02)
    assert running.asterisk_pid == pid
    assert running.asterisk_faults() == []
    assert finals[487] > RINGING / 2, finals
    assert refused[487] + refused[404] == REFUSED, refused
    calls: list[dict[str, Any]] = []
    async with asyncio.timeout(10):
        while [call["status"] for call in calls] != ["ended"] * 5:
            _, calls = await running.api("GET", f"/call?assistantId={assistant['id']}")
            await asyncio.sleep(0.05)
    assert {call["endedReason"] for call in calls} == {"customer-ended-call"}

"""Calls that would not be served well: refused before they are answered, or sent elsewhere."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

import psutil
import pytest

from tests.support.assistants import ASSISTANTS
from tests.support.raw_sip import raw_call
from tests.support.running_server import RunningServer

pytestmark = [pytest.mark.e2e, pytest.mark.alone]


@pytest.fixture(scope="module")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path_factory.mktemp("small"), ASSISTANTS, max_calls="1")
    running.start()
    yield running
    running.stop()


async def idle(running: RunningServer) -> None:
    """Wait until the last call is over for the server too: it writes the record when Asterisk has forgotten it."""
    await running.assert_clean()
    async with asyncio.timeout(10):
        while (await running.api("GET", "/health"))[1]["admission"]["calls"]:
            await asyncio.sleep(0.02)


async def test_above_the_limit_a_caller_gets_503_and_the_next_one_after_it_is_served(
    small_server: RunningServer,
) -> None:
    async with raw_call("banana", small_server.sip_port) as first:
        assert await first.final() == 200
        first.acknowledge()
        async with raw_call("banana", small_server.sip_port) as second:
            assert await second.final() == 503
    await idle(small_server)
    async with raw_call("banana", small_server.sip_port) as third:
        assert await third.final() == 200
        third.acknowledge()
    assert len(small_server.logged("call_not_admitted")) == 1
    _, health = await small_server.api("GET", "/health")
    assert health["admission"]["refused"] == 1
    assert health["admission"]["limit"] == 1


async def test_a_number_with_a_fallback_sends_them_there(small_server: RunningServer) -> None:
    body = {
        "provider": "vapi",
        "sipUri": "sip:overflow@localhost",
        "fallbackDestination": {"type": "sip", "sipUri": "sip:queue@192.0.2.7"},
    }
    await small_server.created("/phone-number", body)
    await idle(small_server)
    async with raw_call("banana", small_server.sip_port) as first:
        assert await first.final() == 200
        first.acknowledge()
        async with raw_call("overflow", small_server.sip_port) as second:
            assert await second.final() == 302
            assert b"sip:queue@192.0.2.7" in second.last
    await small_server.assert_clean()


def media_process(running: RunningServer) -> psutil.Process:
    assert running.process is not None
    for child in psutil.Process(running.process.pid).children(recursive=True):
        if any("media.process.worker" in part for part in child.cmdline()):
            return child
    raise AssertionError("no media process")


@asynccontextmanager
async def two_calls(running: RunningServer) -> AsyncGenerator[None, None]:
    async with raw_call("banana", running.sip_port) as first, raw_call("banana", running.sip_port) as second:
        for call in (first, second):
            assert await call.final() == 200
            call.acknowledge()
        yield


async def hold_up(running: RunningServer, seconds: float) -> None:
    """The media process stands still for so long."""
    process = media_process(running)
    os.kill(process.pid, signal.SIGSTOP)
    await asyncio.sleep(seconds)
    os.kill(process.pid, signal.SIGCONT)


async def overload(running: RunningServer, *, there: bool) -> None:
    """Wait until the server says that it has, or has not, more calls than it serves well."""
    async with asyncio.timeout(30):
        while ((await running.api("GET", "/health"))[1]["admission"]["overload"] is not None) is not there:
            await asyncio.sleep(0.1)


async def test_one_late_packet_turns_nobody_away(running: RunningServer) -> None:
    async with two_calls(running):
        await hold_up(running, 0.15)
        async with asyncio.timeout(10):
            while (await running.api("GET", "/health"))[1]["media"]["gaps"]["max"] < 100:
                await asyncio.sleep(0.02)
        async with raw_call("banana", running.sip_port) as third:
            assert await third.final() == 200
            third.acknowledge()
    await running.assert_clean()


async def test_when_callers_hear_gaps_the_next_one_is_refused_until_that_is_over(running: RunningServer) -> None:
    async with two_calls(running):
        for _ in range(20):
            await hold_up(running, 0.08)
            await asyncio.sleep(0.1)
        await overload(running, there=True)
        async with raw_call("banana", running.sip_port) as third:
            assert await third.final() == 503
        assert "of the packets" in running.logged("call_not_admitted")[-1]["reason"]
        await overload(running, there=False)
        async with raw_call("banana", running.sip_port) as third:
            assert await third.final() == 200
            third.acknowledge()
    await running.assert_clean()


async def test_a_call_whose_media_cannot_be_set_up_is_refused_with_503_and_recorded(
    running: RunningServer,
) -> None:
    process = media_process(running)
    os.kill(process.pid, signal.SIGSTOP)
    try:
        async with raw_call("banana", running.sip_port) as call:
            assert await call.final() == 503
    finally:
        os.kill(process.pid, signal.SIGCONT)
    record = await running.ended_call("banana")
    assert "error" in record["endedReason"]
    await running.assert_clean()


async def test_when_the_media_process_dies_its_calls_end_and_the_next_one_is_served(
    running: RunningServer,
) -> None:
    ready = len(running.logged("media_process_ready"))
    async with raw_call("talker", running.sip_port) as call:
        assert await call.final() == 200
        call.acknowledge()
        os.kill(media_process(running).pid, signal.SIGKILL)
        record = await running.ended_call("talker")
        assert record["endedReason"] == "call.in-progress.error-vapifault-worker-died"
    await running.assert_clean()
    async with asyncio.timeout(20):
        while len(running.logged("media_process_ready")) <= ready:
            await asyncio.sleep(0.05)
    async with raw_call("banana", running.sip_port) as again:
        assert await again.final() == 200
        again.acknowledge()
    await running.assert_clean()

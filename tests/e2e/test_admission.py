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
from tests.support.house import House
from tests.support.raw_sip import raw_call


@pytest.fixture(scope="module")
def small_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("small"), ASSISTANTS, max_calls="1")
    house.start()
    yield house
    house.stop()


async def idle(house: House) -> None:
    """Wait until the last call is over for the server too: it writes the record when Asterisk has forgotten it."""
    await house.assert_clean()
    async with asyncio.timeout(10):
        while (await house.api("GET", "/health"))[1]["admission"]["calls"]:
            await asyncio.sleep(0.02)


async def test_above_the_limit_a_caller_gets_503_and_the_next_one_after_it_is_served(small_house: House) -> None:
    async with raw_call("banana", small_house.sip_port) as first:
        assert await first.final() == 200
        first.acknowledge()
        async with raw_call("banana", small_house.sip_port) as second:
            assert await second.final() == 503
    await idle(small_house)
    async with raw_call("banana", small_house.sip_port) as third:
        assert await third.final() == 200
        third.acknowledge()
    assert len(small_house.logged("call_not_admitted")) == 1
    _, health = await small_house.api("GET", "/health")
    assert health["admission"]["refused"] == 1
    assert health["admission"]["limit"] == 1


async def test_a_number_with_a_fallback_sends_them_there(small_house: House) -> None:
    body = {
        "provider": "vapi",
        "sipUri": "sip:overflow@localhost",
        "fallbackDestination": {"type": "sip", "sipUri": "sip:queue@192.0.2.7"},
    }
    await small_house.created("/phone-number", body)
    await idle(small_house)
    async with raw_call("banana", small_house.sip_port) as first:
        assert await first.final() == 200
        first.acknowledge()
        async with raw_call("overflow", small_house.sip_port) as second:
            assert await second.final() == 302
            assert b"sip:queue@192.0.2.7" in second.last
    await small_house.assert_clean()


def media_process(house: House) -> psutil.Process:
    assert house.process is not None
    for child in psutil.Process(house.process.pid).children(recursive=True):
        if any("media.worker" in part for part in child.cmdline()):
            return child
    raise AssertionError("no media process")


@asynccontextmanager
async def two_calls(house: House) -> AsyncGenerator[None, None]:
    async with raw_call("banana", house.sip_port) as first, raw_call("banana", house.sip_port) as second:
        for call in (first, second):
            assert await call.final() == 200
            call.acknowledge()
        yield


async def hold_up(house: House, seconds: float) -> None:
    """The media process stands still for so long."""
    process = media_process(house)
    os.kill(process.pid, signal.SIGSTOP)
    await asyncio.sleep(seconds)
    os.kill(process.pid, signal.SIGCONT)


async def overload(house: House, *, there: bool) -> None:
    """Wait until the server says that it has, or has not, more calls than it serves well."""
    async with asyncio.timeout(30):
        while ((await house.api("GET", "/health"))[1]["admission"]["overload"] is not None) is not there:
            await asyncio.sleep(0.1)


async def test_one_late_packet_turns_nobody_away(house: House) -> None:
    async with two_calls(house):
        await hold_up(house, 0.15)
        async with asyncio.timeout(10):
            while (await house.api("GET", "/health"))[1]["media"]["gaps"]["max"] < 100:
                await asyncio.sleep(0.02)
        async with raw_call("banana", house.sip_port) as third:
            assert await third.final() == 200
            third.acknowledge()
    await house.assert_clean()


async def test_when_callers_hear_gaps_the_next_one_is_refused_until_that_is_over(house: House) -> None:
    async with two_calls(house):
        for _ in range(20):
            await hold_up(house, 0.08)
            await asyncio.sleep(0.1)
        await overload(house, there=True)
        async with raw_call("banana", house.sip_port) as third:
            assert await third.final() == 503
        assert "of the packets" in house.logged("call_not_admitted")[-1]["reason"]
        await overload(house, there=False)
        async with raw_call("banana", house.sip_port) as third:
            assert await third.final() == 200
            third.acknowledge()
    await house.assert_clean()


async def test_a_call_whose_media_cannot_be_set_up_is_refused_with_503_and_recorded(house: House) -> None:
    process = media_process(house)
    os.kill(process.pid, signal.SIGSTOP)
    try:
        async with raw_call("banana", house.sip_port) as call:
            assert await call.final() == 503
    finally:
        os.kill(process.pid, signal.SIGCONT)
    record = await house.ended_call("banana")
    assert "error" in record["endedReason"]
    await house.assert_clean()


async def test_when_the_media_process_dies_its_calls_end_and_the_next_one_is_served(
    house: House,
) -> None:
    async with raw_call("talker", house.sip_port) as call:
        assert await call.final() == 200
        call.acknowledge()
        os.kill(media_process(house).pid, signal.SIGKILL)
        record = await house.ended_call("talker")
        assert record["endedReason"] == "call.in-progress.error-vapifault-worker-died"
    await house.assert_clean()
    for _ in range(50):
        async with raw_call("banana", house.sip_port) as again:
            if await again.final() == 200:
                again.acknowledge()
                break
    else:
        raise AssertionError("no call was answered afterwards")
    await house.assert_clean()

"""The watch over the event loop."""

from __future__ import annotations

import asyncio
import time

import pytest

from ari_assistant.loop_watch import LIMIT_SECONDS, LoopWatch, Stall, standstill


def hold_the_loop(seconds: float) -> None:
    time.sleep(seconds)  # blocks the loop's thread on purpose


async def test_a_loop_that_is_held_is_counted_and_told_with_what_held_it() -> None:
    stalls: list[Stall] = []
    told = asyncio.Event()

    def hear(stall: Stall) -> None:
        stalls.append(stall)
        told.set()

    watch = LoopWatch(hear)
    async with watch.watching():
        await asyncio.sleep(0)
        hold_the_loop(0.2)
        await told.wait()
    assert any(stall.seconds > 0.1 and "test_loop_watch.py" in " ".join(stall.where) for stall in stalls)
    assert watch.wire()["stalls"] == len(stalls)
    assert watch.wire()["longestMs"] > 100


@pytest.mark.parametrize(
    ("elapsed", "waited", "stands"),
    [
        (0.2, 0.0, True),
        (0.2, 0.18, False),  # the machine was busy with something else
        (0.2, 0.05, True),
        (0.055, 0.0, False),  # a beat, and not quite the limit
    ],
)
def test_waiting_for_a_cpu_is_not_standing(elapsed: float, waited: float, stands: bool) -> None:
    assert (standstill(elapsed=elapsed, waited_for_cpu=waited) > LIMIT_SECONDS) is stands

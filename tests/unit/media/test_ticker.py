from __future__ import annotations

import asyncio

from ari_assistant.media.ticker import Ticker


async def test_a_failing_subscriber_does_not_stop_the_clock_of_the_others() -> None:
    ticker = Ticker()
    ticks: list[float] = []
    faults: list[Exception] = []
    three = asyncio.Event()

    def bad(now: float, skipped: int) -> None:
        raise RuntimeError("this call is broken")

    def good(now: float, skipped: int) -> None:
        ticks.append(now)
        if len(ticks) == 3:
            three.set()

    ticker.subscribe("bad", bad, faults.append)
    ticker.subscribe("good", good, faults.append)
    task = asyncio.create_task(ticker.run())
    await asyncio.wait_for(three.wait(), 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [str(fault) for fault in faults] == ["this call is broken"]

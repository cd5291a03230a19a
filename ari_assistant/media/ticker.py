"""The one tick of all calls: every 20 ms by absolute deadlines, from one task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ari_assistant.media.frame import PTIME_SECONDS
from ari_assistant.media.pacer import Pacer

__all__ = ["Tick", "Ticker"]

Tick = Callable[[float, int], None]
"""Called with the loop's clock (seconds) and the frames that are skipped before this one (mostly 0)."""


class Ticker:
    """Calls every subscriber once a frame. Run it as one task for the life of the server."""

    def __init__(self) -> None:
        self._ticks: dict[object, tuple[Tick, Callable[[Exception], None]]] = {}
        self.late = 0
        """Ticks that came a whole frame or more too late."""

    def subscribe(self, owner: object, tick: Tick, failed: Callable[[Exception], None]) -> None:
        """Call `tick` from now on. If it raises it is unsubscribed and `failed` gets the exception, so that one
        call's fault does not stop the clock of the others."""
        self._ticks[owner] = (tick, failed)

    def unsubscribe(self, owner: object) -> None:
        """Stop calling the owner's tick. Harmless when repeated."""
        self._ticks.pop(owner, None)

    async def run(self) -> None:
        """Tick until cancelled."""
        loop = asyncio.get_running_loop()
        pacer = Pacer(start=loop.time(), interval=PTIME_SECONDS)
        while True:
            await asyncio.sleep(max(0.0, pacer.deadline - loop.time()))
            now = loop.time()
            due = pacer.due(now)
            self.late = pacer.late
            for frame in range(due.frames):
                skipped = due.skipped if frame == 0 else 0
                for owner, (tick, failed) in list(self._ticks.items()):
                    try:
                        tick(now, skipped)
                    except Exception as fault:
                        self.unsubscribe(owner)
                        failed(fault)

"""How the server is: which parts are ready, how much it has to do, and whether another call may come in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from ari_assistant.calls.admission import Admission, Load
from ari_assistant.loop_watch import LoopWatch
from ari_assistant.providers.process import EngineProcess
from ari_assistant.telemetry import lines_lost
from ari_assistant.vapi.base import JsonObject

__all__ = ["PARTS", "LoadMeter", "ServerHealth"]

PARTS: Final = ("database", "asterisk", "ari", "transcriber", "voice", "media")


class Told(Protocol):
    """Tells something of itself."""

    def wire(self) -> Mapping[str, Any]:
        """For `/health`."""


class _Nothing:
    def wire(self) -> Mapping[str, Any]:
        """It is not there yet."""
        return {}


class _Log:
    def wire(self) -> Mapping[str, Any]:
        """How much of the log was lost."""
        return {"linesLost": lines_lost()}


class ServerHealth:
    """What `/health` tells (`api.context.Health`). It is there before the parts are, which say themselves that they
    are."""

    def __init__(self, *, admission: Admission, loop_watch: LoopWatch) -> None:
        self._parts = {part: asyncio.Event() for part in PARTS}
        self._told: dict[str, Told] = {
            "webhooks": _Nothing(),
            "admission": admission,
            "media": _Nothing(),
            "loop": loop_watch,
            "log": _Log(),
        }

    def ready(self, part: str) -> None:
        """`part` has come up."""
        self._parts[part].set()

    def ready_while(self, part: str, condition: asyncio.Event) -> None:
        """`part` has come up, and is ready for as long as `condition` is set."""
        self._parts[part] = condition

    def not_ready(self, part: str) -> None:
        """`part` is not there any more."""
        self._parts[part] = asyncio.Event()

    def tell_of(self, *, webhooks: Told, media: Told) -> None:
        """These are there now."""
        self._told |= {"webhooks": webhooks, "media": media}

    def parts(self) -> dict[str, bool]:
        """See `api.context.Health`."""
        return {part: ready.is_set() for part, ready in self._parts.items()}

    def wire(self) -> JsonObject:
        """See `api.context.Health`."""
        return {name: dict(told.wire()) for name, told in self._told.items()}


class LoadMeter:
    """Tells the admission of calls how the machine did in the last second (a `media.process.client.LoadObserver`)."""

    def __init__(self, admission: Admission, engines: Sequence[EngineProcess]) -> None:
        self._admission = admission
        self._engines = engines

    def media_measured(self, health: Mapping[str, Any], lag: Mapping[str, float]) -> None:
        """See `media.process.client.LoadObserver`."""
        gaps = health["gaps"]
        load = Load(
            packets=gaps["packets"],
            over_40=gaps["over40"],
            over_50=gaps["over50"],
            media_busy=health["busy"],
            server_late_ms=lag["p50"],
            engine_queue=max((engine.queued for engine in self._engines), default=0),
        )
        self._admission.observe(load, now=time.monotonic())

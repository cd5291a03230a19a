"""What `/health` tells, from the first moment on."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from ari_assistant.calls.admission import Admission
from ari_assistant.loop_watch import LoopWatch
from ari_assistant.providers.process import EngineProcess
from ari_assistant.server.health import PARTS, LoadMeter, ServerHealth
from ari_assistant.telemetry import lines_lost


class Says(dict[str, Any]):
    def wire(self) -> dict[str, Any]:
        return self


def health() -> ServerHealth:
    return ServerHealth(admission=Admission(max_calls=3), loop_watch=LoopWatch())


def test_nothing_is_ready_at_first_and_every_section_is_there() -> None:
    told = health()
    assert told.parts() == dict.fromkeys(PARTS, False)
    assert list(told.wire()) == ["webhooks", "admission", "media", "loop", "log"]
    assert told.wire()["webhooks"] == told.wire()["media"] == {}
    assert told.wire()["admission"]["limit"] == 3
    assert told.wire()["log"] == {"linesLost": lines_lost()}


def test_a_part_is_ready_when_it_says_so() -> None:
    told = health()
    told.ready("database")
    assert [part for part, ready in told.parts().items() if ready] == ["database"]


def test_ari_is_ready_while_it_is_connected_and_until_the_server_stops() -> None:
    told, connected = health(), asyncio.Event()
    told.ready_while("ari", connected)
    assert not told.parts()["ari"]
    connected.set()
    assert told.parts()["ari"]
    connected.clear()
    assert not told.parts()["ari"]
    connected.set()
    told.not_ready("ari")
    assert not told.parts()["ari"]
    assert connected.is_set()


def test_what_comes_later_is_told_of_from_then_on() -> None:
    told = health()
    told.tell_of(webhooks=Says(sent=1), media=Says(restarts=0))
    assert told.wire()["webhooks"] == {"sent": 1}
    assert told.wire()["media"] == {"restarts": 0}
    assert list(told.wire()) == ["webhooks", "admission", "media", "loop", "log"]


def test_the_admission_hears_of_the_busiest_engine_and_of_the_media_process() -> None:
    engines = [cast(EngineProcess, SimpleNamespace(queued=queued)) for queued in (1, 30)]
    admission = Admission()
    meter = LoadMeter(admission, engines)
    gaps = {"packets": 50, "over40": 0, "over50": 0}
    for _ in range(3):
        meter.media_measured({"gaps": gaps, "busy": 0.1}, {"p50": 1.0})
    assert "wait for a speech engine" in str(admission.wire()["overload"])

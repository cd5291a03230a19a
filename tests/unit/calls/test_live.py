"""Who enters the application, and what becomes of them."""

from __future__ import annotations

from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any, cast

from ari_assistant.ari.events import AriEvent, parse_event
from ari_assistant.calls.live import LiveCalls
from ari_assistant.calls.services import Services
from ari_assistant.calls.transfer import REFER_CONTEXT


def back_from_refer(channel_id: str) -> AriEvent:
    channel = {
        "id": channel_id,
        "name": "PJSIP/anonymous-1",
        "state": "Up",
        "dialplan": {"context": REFER_CONTEXT},
    }
    return parse_event({"type": "StasisStart", "application": "a", "args": ["FAILED", "603"], "channel": channel})


async def test_a_caller_who_is_back_from_a_refer_that_nobody_waits_for_is_hung_up(log_lines: list[Any]) -> None:
    hung_up: list[str] = []

    class Channel:
        def __init__(self, channel_id: str) -> None:
            self.id = channel_id

        async def hangup(self) -> None:
            hung_up.append(self.id)

    started: list[Coroutine[Any, Any, None]] = []
    services = SimpleNamespace(
        ari=SimpleNamespace(app="a", channels=SimpleNamespace(get=Channel)),
        background=SimpleNamespace(spawn=lambda work, name: started.append(work)),
    )
    live = LiveCalls(cast(Services, services))
    live.stasis_started(back_from_refer("c1"))
    for work in started:
        await work
    assert hung_up == ["c1"]
    assert [line["event"] for line in log_lines] == ["refer_without_a_call"]

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ari_assistant.phone.line import CallFailed, DialledCall


class Agent:
    """The agent's two pipes."""

    def __init__(self) -> None:
        self.stdout = asyncio.StreamReader()
        self.stdin = SimpleNamespace(write=self._take)
        self.commands: list[dict[str, Any]] = []

    def _take(self, line: bytes) -> None:
        self.commands.append(json.loads(line))

    def tell(self, event: str, **fields: Any) -> None:
        self.stdout.feed_data(json.dumps({"event": event, **fields}).encode() + b"\n")


@asynccontextmanager
async def dialled() -> AsyncGenerator[tuple[DialledCall, Agent, list[str]]]:
    agent, seen = Agent(), list[str]()
    call = DialledCall(cast("asyncio.subprocess.Process", agent), lambda event: seen.append(event["event"]))
    reading = asyncio.create_task(call.read())
    yield call, agent, seen
    agent.stdout.feed_eof()
    await reading


async def test_an_event_is_waited_for_and_kept() -> None:
    async with dialled() as (call, agent, seen):
        agent.tell("ringing")
        agent.tell("answered", codec="PCMU")
        assert (await call.wait_for("answered"))["codec"] == "PCMU"
        assert seen == ["ringing", "answered"]
        assert call.find("ringing") == {"event": "ringing"}
        assert not call.over


async def test_the_second_of_a_kind_can_be_waited_for() -> None:
    async with dialled() as (call, agent, _):
        agent.tell("dtmf", digit="1")
        agent.tell("dtmf", digit="2")
        assert (await call.wait_for("dtmf", count=2))["digit"] == "2"


async def test_who_waits_for_what_does_not_come_hears_that_the_call_is_over() -> None:
    async with dialled() as (call, agent, _):
        agent.tell("failed", status=404)
        with pytest.raises(CallFailed, match="404"):
            await call.wait_for("answered")
        assert (await call.wait_over())["status"] == 404
        assert call.over


async def test_an_agent_that_dies_ends_the_call() -> None:
    async with dialled() as (call, agent, _):
        agent.stdout.feed_eof()
        with pytest.raises(CallFailed):
            await call.wait_for("answered")
        assert call.over


async def test_orders_reach_the_agent() -> None:
    async with dialled() as (call, agent, _):
        call.play_file(Path("hello.wav"))
        call.dial("12#")
        call.hang_up()
        assert agent.commands == [{"play": "hello.wav"}, {"dtmf": "12#"}, {"hangup": True}]

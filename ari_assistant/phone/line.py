"""A call placed by the agent, seen from asyncio."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

__all__ = ["CallFailed", "DialledCall", "place_call"]

AgentEvent = dict[str, Any]


class CallFailed(Exception):
    """The call could not be placed, or ended before what was waited for."""


class DialledCall:
    """One call of the agent's. Every event is kept in `events`."""

    def __init__(self, process: asyncio.subprocess.Process, on_event: Callable[[AgentEvent], None]) -> None:
        self.events: list[AgentEvent] = []
        self._process = process
        self._on_event = on_event
        self._news = asyncio.Condition()
        self._closed = False

    async def read(self) -> None:
        """Take the agent's events until it ends."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            event = json.loads(line)
            async with self._news:
                self.events.append(event)
                self._news.notify_all()
            self._on_event(event)
        async with self._news:
            self._closed = True
            self._news.notify_all()

    def find(self, *names: str) -> AgentEvent | None:
        """The first event of one of these names, or None."""
        return next((event for event in self.events if event["event"] in names), None)

    @property
    def over(self) -> bool:
        """The call has ended, or never began."""
        return self._closed or self.find("ended", "failed") is not None

    async def wait_for(self, *names: str, count: int = 1, timeout: float = 30.0) -> AgentEvent:
        """The `count`th event of one of these names. Raises CallFailed when the call is over before, and
        TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout), self._news:
            while True:
                found = [event for event in self.events if event["event"] in names]
                if len(found) >= count:
                    return found[count - 1]
                if self.over:
                    raise CallFailed(f"no {' or '.join(names)}: {self.events[-1:]}")
                await self._news.wait()

    async def wait_over(self, *, timeout: float = 60.0) -> AgentEvent:
        """The event that ended the call."""
        return await self.wait_for("ended", "failed", timeout=timeout)

    def _send(self, command: AgentEvent) -> None:
        assert self._process.stdin is not None
        with suppress(ConnectionError, RuntimeError):
            self._process.stdin.write(json.dumps(command).encode() + b"\n")

    def play_file(self, path: Path) -> None:
        """Say what is in a WAV file (16 bit, mono)."""
        self._send({"play": str(path)})

    def dial(self, digits: str) -> None:
        """Press keys (RFC 4733)."""
        self._send({"dtmf": digits})

    def hang_up(self) -> None:
        """Send BYE, or CANCEL."""
        self._send({"hangup": True})


@asynccontextmanager
async def place_call(
    uri: str,
    *,
    headers: Sequence[str] = (),
    record: Path | None = None,
    record_said: Path | None = None,
    play: Path | None = None,
    codec: str | None = None,
    caller: str | None = None,
    tcp: bool = False,
    auth: str | None = None,
    seconds: float = 3600.0,
    on_event: Callable[[AgentEvent], None] = lambda _: None,
) -> AsyncGenerator[DialledCall, None]:
    """Call `uri`; the call is hung up when the block is left.

    `headers` are whole lines (`X-First_Name: John`). `record` gets what is heard, `record_said` what is played,
    on one time line. `auth` is `user:password`, for a number that asks for them.
    Raises CallFailed when pjsua2 is missing.
    """
    options: list[str] = []
    named = {
        "--record": record,
        "--record-said": record_said,
        "--play": play,
        "--codec": codec,
        "--caller": caller,
        "--auth": auth,
    }
    for name, value in named.items():
        if value is not None:
            options += [name, str(value)]
    for header in headers:
        options += ["--header", header]
    if tcp:
        options.append("--tcp")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ari_assistant.phone.agent", uri, "--seconds", str(seconds), *options,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    call = DialledCall(process, on_event)
    reader = asyncio.create_task(call.read(), name="phone")
    try:
        yield call
    finally:
        call.hang_up()
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(6.0):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        await reader
        with suppress(ConnectionError):
            await process.stdin.wait_closed()

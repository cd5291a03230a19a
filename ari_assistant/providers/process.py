"""Runs a local engine outside the media loop's process: bounded queue, withdrawal, restart after a crash."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

from ari_assistant.providers.errors import ProviderBusy, ProviderRejected, ProviderTimeout, ProviderUnavailable
from ari_assistant.providers.wire import LENGTHS, MAX_BYTES, pack, unpack_header
from ari_assistant.supervision import Backoff, EventLog, Supervisor, child_environment, ended, unlogged

__all__ = ["EngineProcess"]

Part = tuple[dict[str, Any], bytes]
_STOP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Running:
    """The process, with its pipes."""

    process: asyncio.subprocess.Process
    orders: asyncio.StreamWriter
    parts: asyncio.StreamReader


class EngineProcess:
    """One engine in one process.

    `run` is the owner (`supervision`). Requests that were under way when the process died raise ProviderUnavailable.
    """

    def __init__(
        self,
        name: str,
        *,
        command: list[str] | None = None,
        queue_limit: int = 32,
        timeout_seconds: float = 15.0,
        environment: Mapping[str, str] | None = None,
        log: EventLog = unlogged,
    ) -> None:
        """`name` is a key of `worker.ENGINES`. `timeout_seconds` is the longest silence of the engine within a
        request. `environment` is added to ours. `log` takes starts and ends."""
        self.name = name
        self._command = command or [sys.executable, "-m", "ari_assistant.providers.worker", name, "--nice", "5"]
        self._queue_limit = queue_limit
        self._timeout_seconds = timeout_seconds
        self._environment = dict(environment or {})
        self._log = log
        self._running: _Running | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Queue[Part | None]] = {}
        self._supervisor = Supervisor(Backoff())
        self._failure = ""
        """Why the process is not there, as far as it is known."""

    @property
    def pid(self) -> int | None:
        """The process's id while it is ready, else None."""
        return self._running.process.pid if self._running is not None and self._supervisor.ready else None

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return self._supervisor.restarts

    @property
    def queued(self) -> int:
        """Requests that are under way or wait."""
        return len(self._waiting)

    async def wait_ready(self) -> None:
        """Return when the models are loaded. Raises ProviderUnavailable when the first start failed."""
        if not await self._supervisor.wait_ready() and self._failure:
            raise ProviderUnavailable(self.name, self._failure)

    async def run(self) -> None:
        """Keep the process alive until cancelled."""
        await self._supervisor.run(self)

    async def request(self, header: dict[str, Any], payload: bytes = b"") -> AsyncGenerator[Part, None]:
        """Send a request and yield the engine's parts.

        Raises ProviderUnavailable (no process, or it died), ProviderTimeout, ProviderBusy, ProviderRejected.
        Closing the generator early withdraws the request.
        """
        running = self._running
        if running is None or not self._supervisor.ready:
            raise ProviderUnavailable(self.name, self._failure or "its process is starting")
        if len(self._waiting) >= self._queue_limit:
            raise ProviderBusy(self.name, f"{self._queue_limit} requests wait already")
        number = next(self._numbers)
        parts: asyncio.Queue[Part | None] = asyncio.Queue()
        self._waiting[number] = parts
        finished = False
        try:
            running.orders.write(pack({"id": number, **header}, payload))
            while True:
                try:
                    async with asyncio.timeout(self._timeout_seconds):
                        part = await parts.get()
                except TimeoutError:
                    raise ProviderTimeout(
                        self.name, f"no answer within {self._timeout_seconds:g} seconds"
                    ) from None
                if part is None:
                    finished = True
                    raise ProviderUnavailable(self.name, "its process died")
                if "error" in part[0]:
                    finished = True
                    raise ProviderRejected(self.name, part[0]["error"])
                if part[0].get("done"):
                    finished = True
                    return
                yield part
        finally:
            del self._waiting[number]
            if not finished and self._running is running:
                running.orders.write(pack({"withdraw": number}))

    async def live(self) -> None:
        """See `supervision.Child`."""
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL if not os.environ.get("ARI_ASSISTANT_ENGINE_STDERR") else None,
            env=child_environment(**self._environment),
            start_new_session=True,  # a Ctrl-C in the terminal is ours to handle, in order
        )
        assert process.stdin is not None  # PIPE, above
        assert process.stdout is not None
        self._running = running = _Running(process, process.stdin, process.stdout)
        self._failure = ""
        try:
            failure = await self._read(running)
            self._failure = failure or f"its process ended with status {await process.wait()}"
        finally:
            self._supervisor.down()
            self._running = None
            for parts in self._waiting.values():
                parts.put_nowait(None)
            await self._end(running)

    def restarting(self, end: None, pause: float) -> None:
        """See `supervision.Child`."""
        self._log.error("engine_died", engine=self.name, failure=self._failure, restart_in_seconds=pause)

    async def _read(self, running: _Running) -> str | None:
        """Hand out the engine's parts until the pipe ends; tell why it did, if that is known."""
        failure: str | None = None
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head, body = LENGTHS.unpack(await running.parts.readexactly(LENGTHS.size))
                if max(head, body) > MAX_BYTES:
                    return "its pipe is out of step"
                header = unpack_header(await running.parts.readexactly(head))
                payload = await running.parts.readexactly(body)
                if header.get("ready"):
                    self._supervisor.up()
                    self._log.info("engine_ready", engine=self.name, pid=running.process.pid)
                elif "failed" in header:
                    failure = str(header["failed"])
                elif (parts := self._waiting.get(header["id"])) is not None:
                    parts.put_nowait((header, payload))
        return failure

    @staticmethod
    async def _end(running: _Running) -> None:
        running.orders.close()
        with contextlib.suppress(ProcessLookupError):
            running.process.terminate()
        # asyncio takes a process for ended only when its pipes are: a full one must be emptied meanwhile.
        emptying = asyncio.create_task(_empty(running.parts), name="engine-rest")
        try:
            await ended(running.process, within_seconds=_STOP_SECONDS)
        finally:
            emptying.cancel()
            await asyncio.gather(emptying, return_exceptions=True)


async def _empty(stream: asyncio.StreamReader) -> None:
    while await stream.read(1 << 16):
        pass

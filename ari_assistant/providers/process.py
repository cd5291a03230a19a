"""Runs a local engine outside the media loop's process: bounded queue, withdrawal, restart after a crash."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from ari_assistant.providers.errors import ProviderBusy, ProviderRejected, ProviderTimeout, ProviderUnavailable
from ari_assistant.providers.wire import LENGTHS, MAX_BYTES, pack, unpack_header

__all__ = ["EngineProcess"]

Part = tuple[dict[str, Any], bytes]


class EngineProcess:
    """One engine in one process.

    `run` is the owner: it starts the process, and starts it again when it dies (at once, then with a growing
    pause), until it is cancelled. Requests that were under way when it died raise ProviderUnavailable.
    """

    def __init__(
        self,
        name: str,
        *,
        command: list[str] | None = None,
        queue_limit: int = 32,
        timeout_seconds: float = 15.0,
        environment: Mapping[str, str] | None = None,
        log: Callable[..., None] = lambda *_, **__: None,
    ) -> None:
        """`name` is a key of `worker.ENGINES`. `timeout_seconds` is the longest silence of the engine within a
        request. `environment` is added to ours. `log(event, **fields)` hears of starts and ends."""
        self.name = name
        self.restarts = 0
        self._command = command or [sys.executable, "-m", "ari_assistant.providers.worker", name, "--nice", "5"]
        self._queue_limit = queue_limit
        self._timeout_seconds = timeout_seconds
        self._environment = dict(environment or {})
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Queue[Part | None]] = {}
        self._ready = asyncio.Event()
        self._failure: str | None = None
        self._first_outcome = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The process's id while it is ready, else None."""
        return self._process.pid if self._process is not None and self._ready.is_set() else None

    @property
    def queued(self) -> int:
        """Requests that are under way or wait."""
        return len(self._waiting)

    async def wait_ready(self) -> None:
        """Return when the models are loaded. Raises ProviderUnavailable when the first start failed."""
        await self._first_outcome.wait()
        if not self._ready.is_set() and self._failure is not None:
            raise ProviderUnavailable(self.name, self._failure)

    async def run(self) -> None:
        """Keep the process alive until cancelled."""
        pause = 0.0
        while True:
            started = time.monotonic()
            await self._run_once()
            self._first_outcome.set()
            self.restarts += 1
            pause = 0.1 if time.monotonic() - started > 10 else min(10.0, max(0.1, pause * 2))
            self._log("engine_died", engine=self.name, failure=self._failure, restart_in_seconds=pause)
            await asyncio.sleep(pause)

    async def request(self, header: dict[str, Any], payload: bytes = b"") -> AsyncGenerator[Part, None]:
        """Send a request and yield the engine's parts.

        Raises ProviderUnavailable (no process, or it died), ProviderTimeout, ProviderBusy, ProviderRejected.
        Closing the generator early withdraws the request.
        """
        process = self._process
        if process is None or process.stdin is None or not self._ready.is_set():
            raise ProviderUnavailable(self.name, self._failure or "its process is starting")
        if len(self._waiting) >= self._queue_limit:
            raise ProviderBusy(self.name, f"{self._queue_limit} requests wait already")
        number = next(self._numbers)
        parts: asyncio.Queue[Part | None] = asyncio.Queue()
        self._waiting[number] = parts
        finished = False
        try:
            process.stdin.write(pack({"id": number, **header}, payload))
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
            if not finished and self._process is process:
                process.stdin.write(pack({"withdraw": number}))

    async def _run_once(self) -> None:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL if not os.environ.get("ARI_ASSISTANT_ENGINE_STDERR") else None,
            env={**os.environ, "OMP_NUM_THREADS": "1", **self._environment},
            start_new_session=True,  # a Ctrl-C in the terminal is ours to handle, in order
        )
        self._process = process
        self._failure = None
        try:
            failure = await self._read(process)
            self._failure = failure or f"its process ended with status {await process.wait()}"
        finally:
            self._ready.clear()
            self._process = None
            for parts in self._waiting.values():
                parts.put_nowait(None)
            await self._end(process)

    async def _read(self, process: asyncio.subprocess.Process) -> str | None:
        """Hand out the engine's parts until the pipe ends; tell why it did, if that is known."""
        assert process.stdout is not None
        failure: str | None = None
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head, body = LENGTHS.unpack(await process.stdout.readexactly(LENGTHS.size))
                if max(head, body) > MAX_BYTES:
                    return "its pipe is out of step"
                header = unpack_header(await process.stdout.readexactly(head))
                payload = await process.stdout.readexactly(body)
                if header.get("ready"):
                    self._ready.set()
                    self._first_outcome.set()
                    self._log("engine_ready", engine=self.name, pid=process.pid)
                elif "failed" in header:
                    failure = str(header["failed"])
                elif (parts := self._waiting.get(header["id"])) is not None:
                    parts.put_nowait((header, payload))
        return failure

    @staticmethod
    async def _end(process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        # asyncio takes a process for ended only when its pipes are: a full one must be emptied meanwhile.
        emptying = asyncio.create_task(_empty(process.stdout), name="engine-rest")
        try:
            async with asyncio.timeout(1.0):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        finally:
            emptying.cancel()
            await asyncio.gather(emptying, return_exceptions=True)


async def _empty(stream: asyncio.StreamReader) -> None:
    while await stream.read(1 << 16):
        pass

"""Engines in their own processes, with a stand-in engine that a test can make slow, wrong or dead."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from ari_assistant.providers.errors import ProviderBusy, ProviderRejected, ProviderTimeout, ProviderUnavailable
from ari_assistant.providers.process import EngineProcess

ENGINE = """
import os, sys, time
from ari_assistant.providers.worker import serve

class Engine:
    def load(self):
        if "fail-to-load" in sys.argv:
            raise ImportError("no such model")
    def run(self, header, payload):
        what = header["do"]
        if what == "echo":
            yield {"said": header["text"]}, payload
        elif what == "count":
            for n in range(header["n"]):
                time.sleep(0.01)
                yield {"n": n}, b"x" * header.get("size", 0)
        elif what == "fail":
            raise ValueError("cannot do that")
        elif what == "die":
            yield {"last": "words"}, b""
            os._exit(3)
        elif what == "hang":
            time.sleep(60)

source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
serve(Engine(), source, sink)
"""


@asynccontextmanager
async def engine(
    tmp_path: Path, *arguments: str, queue_limit: int = 8, timeout_seconds: float = 5.0
) -> AsyncGenerator[EngineProcess, None]:
    script = tmp_path / "engine.py"
    script.write_text(ENGINE)
    process = EngineProcess(
        "stand-in",
        command=[sys.executable, str(script), *arguments],
        queue_limit=queue_limit,
        timeout_seconds=timeout_seconds,
    )
    task = asyncio.create_task(process.run())
    try:
        yield process
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_requests_and_their_parts_find_each_other(tmp_path: Path) -> None:
    async with engine(tmp_path) as process:
        await process.wait_ready()

        async def count(n: int) -> list[int]:
            return [header["n"] async for header, _ in process.request({"do": "count", "n": n})]

        counted = list(await asyncio.gather(count(3), count(0), count(5)))
        assert counted == [[0, 1, 2], [], [0, 1, 2, 3, 4]]
        echo = [part async for part in process.request({"do": "echo", "text": "ä"}, b"\x00\xff")]
        assert [(header["said"], payload) for header, payload in echo] == [("ä", b"\x00\xff")]


async def test_a_request_that_fails_is_an_answer_not_an_end(tmp_path: Path) -> None:
    async with engine(tmp_path) as process:
        await process.wait_ready()
        with pytest.raises(ProviderRejected, match="ValueError: cannot do that"):
            [part async for part in process.request({"do": "fail"})]
        assert [part async for part in process.request({"do": "echo", "text": "still here"})]
        assert process.restarts == 0


async def test_a_withdrawn_request_stops_early_and_frees_the_engine(tmp_path: Path) -> None:
    async with engine(tmp_path) as process:
        await process.wait_ready()
        async with aclosing(process.request({"do": "count", "n": 5_000})) as parts:
            await anext(parts)
        async with asyncio.timeout(5):
            assert [part async for part in process.request({"do": "echo", "text": "next"})]


async def test_a_process_that_dies_fails_its_requests_and_comes_back(tmp_path: Path) -> None:
    async with engine(tmp_path) as process:
        await process.wait_ready()
        pid = process.pid
        with pytest.raises(ProviderUnavailable, match="died"):
            [part async for part in process.request({"do": "die"})]
        async with asyncio.timeout(10):
            while process.pid is None or process.pid == pid:
                await asyncio.sleep(0.01)
        assert [part async for part in process.request({"do": "echo", "text": "again"})]
        assert process.restarts == 1


async def test_an_engine_that_hangs_is_a_time_out(tmp_path: Path) -> None:
    async with engine(tmp_path, timeout_seconds=0.1) as process:
        await process.wait_ready()
        with pytest.raises(ProviderTimeout):
            [part async for part in process.request({"do": "hang"})]


async def test_the_queue_is_bounded(tmp_path: Path) -> None:
    async with engine(tmp_path, queue_limit=1) as process:
        await process.wait_ready()
        async with aclosing(process.request({"do": "count", "n": 100})) as parts:
            await anext(parts)
            with pytest.raises(ProviderBusy):
                [part async for part in process.request({"do": "echo", "text": ""})]


async def test_a_model_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    async with engine(tmp_path, "fail-to-load") as process:
        with pytest.raises(ProviderUnavailable, match="ImportError: no such model"):
            await process.wait_ready()
        with pytest.raises(ProviderUnavailable):
            [part async for part in process.request({"do": "echo", "text": ""})]


async def test_it_ends_even_when_its_pipe_is_full_of_what_nobody_reads(tmp_path: Path) -> None:
    async with engine(tmp_path) as process:
        await process.wait_ready()
        async with aclosing(process.request({"do": "count", "n": 500, "size": 1 << 20})) as parts:
            await anext(parts)
    # Leaving the block cancels the owner: it hung here, with the pipe full, before it emptied the pipe.

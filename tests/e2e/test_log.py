"""Nobody reads the log, or it cannot be written: calls are answered all the same."""

from __future__ import annotations

import json
import os
import pty
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest

from ari_assistant.phone.line import place_call
from tests.support.assistants import ASSISTANTS
from tests.support.caller_voice import CallerVoice
from tests.support.listening import ask, heard_something
from tests.support.running_server import RunningServer

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(120)]


@contextmanager
def full_disk() -> Iterator[int]:
    number = os.open("/dev/full", os.O_WRONLY)
    yield number
    os.close(number)


@contextmanager
def closed_pipe() -> Iterator[int]:
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@contextmanager
def nobody_reads() -> Iterator[int]:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)  # who waits now waits for ever
    yield writing
    os.close(writing)
    os.close(reading)


@contextmanager
def dead_terminal() -> Iterator[int]:
    ours, theirs = pty.openpty()
    os.close(ours)
    yield theirs
    os.close(theirs)


@pytest.mark.parametrize("trouble", [full_disk, closed_pipe, dead_terminal, nobody_reads])
async def test_calls_are_answered_whatever_becomes_of_the_log(
    tmp_path: Path, voices: CallerVoice, heard: Path, trouble: Callable[[], AbstractContextManager[int]]
) -> None:
    running = RunningServer(tmp_path, ASSISTANTS, log_level="debug")
    with trouble() as number:
        running.start(stderr=number)
        try:
            async with place_call(running.uri("banana"), record=heard) as call:
                await call.wait_for("media")
                await heard_something(heard)
                await ask(call, voices.say("Thank you, goodbye."))
                assert (await call.wait_over(timeout=20))["code"] == 200
            record = await running.ended_call("banana")
            assert record["endedReason"] == "assistant-ended-call"
            kept = (running.folder / "data/logs" / f"{record['id']}.jsonl").read_text()
            assert "call_started" in [json.loads(line)["event"] for line in kept.splitlines()]
            _, health = await running.api("GET", "/health")
            assert health["status"] == "ok"
            assert health["log"]["linesLost"] > 5
        finally:
            assert running.stop() == 0

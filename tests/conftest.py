"""Every test: a time-out, warnings as errors (pyproject.toml), and nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.support.assistants import ASSISTANTS
from tests.support.caller_voice import CallerVoice
from tests.support.running_server import RunningServer
from tests.support.webhook import Webhook, webhook_server

settings.register_profile("quick", max_examples=60, deadline=None, derandomize=True)
settings.register_profile("long", max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

_POOLED = ("asyncio_", "ThreadPoolExecutor")


def _open_sockets() -> set[str]:
    found = set()
    for entry in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{entry}")
        except OSError:
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """A test that leaves a thread or a socket open fails."""
    threads = set(threading.enumerate())
    sockets = _open_sockets()
    yield
    gc.collect()
    left: list[str] = []
    open_still: set[str] = set()
    # asyncio's thread that reaps a killed child ends a moment after the child; a pooled thread that still resolves a
    # name for a test that was cancelled has a socket for as long.
    for _ in range(200):
        left = [t.name for t in set(threading.enumerate()) - threads if not t.name.startswith(_POOLED)]
        open_still = _open_sockets() - sockets
        if not left and not open_still:
            break
        time.sleep(0.01)
    assert not left, f"threads left behind: {left}"
    assert not open_still, "sockets left behind"
    gc.freeze()  # what has outlived its test stays: the collection after the next one need not look at it


@pytest.fixture(autouse=True)
async def no_task_left_behind() -> AsyncGenerator[None, None]:
    """A test that leaves an asyncio task behind fails."""
    before = asyncio.all_tasks()
    yield
    for _ in range(20):  # a task that was cancelled at the very end may still have to hear of it
        await asyncio.sleep(0)
        left = [task.get_name() for task in asyncio.all_tasks() - before - {asyncio.current_task()}]
        if not left:
            break
        await asyncio.sleep(0.005)
    assert not left, f"tasks left behind: {left}"


@pytest.fixture(autouse=True)
def log_lines() -> Iterator[list[structlog.types.EventDict]]:
    """What was logged, as structlog's event dictionaries."""
    with structlog.testing.capture_logs() as lines:
        yield lines


# -- a whole server, for the end-to-end tests and the contract ------------------------------------------------


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> CallerVoice:
    """Speech for the callers."""
    if find_spec("pjsua2") is None:
        pytest.skip("pjsua2 has no wheel for this Python: use 3.11 or 3.12 to place calls")
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "voices"  # one for all workers
    folder.mkdir(exist_ok=True)
    return CallerVoice(folder)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The server."""
    running = RunningServer(tmp_path_factory.mktemp("running"), ASSISTANTS, assistant_request_seconds="1.5")
    running.start()
    yield running
    assert running.stop() == 0


@pytest.fixture(autouse=True)
async def everything_is_given_back(request: pytest.FixtureRequest) -> AsyncGenerator[None, None]:
    """After every call no channel and no bridge is left; and the server's event loop did not stand in the test."""
    yield
    if "running" in request.fixturenames:
        running: RunningServer = request.getfixturevalue("running")
        await running.assert_clean()
        running.assert_loop_never_stood()


@pytest.fixture
async def webhook() -> AsyncGenerator[Webhook, None]:
    """A webhook receiver."""
    async with webhook_server() as receiver:
        yield receiver


@pytest.fixture
def heard(tmp_path: Path) -> Path:
    """Where the caller's phone records."""
    return tmp_path / "heard.wav"

"""A whole server, with its database and its API, on an Asterisk that is only its ARI; engines and media are fakes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from ari_assistant.asterisk.instance import NEEDED_MODULES
from ari_assistant.calls.live import LiveCalls
from ari_assistant.config.ports import free_tcp_port
from ari_assistant.config.settings import Settings
from ari_assistant.fault import Fault, faults_in
from ari_assistant.media.handle import MediaUnavailable
from ari_assistant.providers.process import EngineProcess
from ari_assistant.server import server as server_module
from ari_assistant.server import wiring
from ari_assistant.server.engines import LocalEngines
from ari_assistant.server.preflight import preflight
from ari_assistant.server.server import Server
from ari_assistant.server.tasks import BackgroundTasks
from tests.support.fake_ari import FakeAri, fake_ari

ASSISTANTS = """
assistants:
  - {id: desk, firstMessage: Hello.}
phoneNumbers:
  - {provider: vapi, sipUri: "sip:desk@localhost", assistantId: desk}
"""
STARTED = ["preflight", "tasks", "api", "internet"]
TAKEN_DOWN = ["-internet", "-api", "-tasks", "-preflight"]


class Screen:
    """What the operator sees."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.announced = asyncio.Event()

    def progress(self, what: str, done: int, total: int) -> None:
        """Nobody looks."""

    def announce(self, line: str) -> None:
        self.lines.append(line)
        if line.startswith("Ready"):
            self.announced.set()


class FakeEngine:
    """Loads its model when the test lets it, and says silence."""

    queued = 0

    def __init__(self, name: str, loaded: asyncio.Event) -> None:
        self.name = name
        self._loaded = loaded

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def wait_ready(self) -> None:
        await self._loaded.wait()

    async def request(self, header: dict[str, Any]) -> AsyncGenerator[tuple[dict[str, Any], bytes], None]:
        yield {}, bytes(320)


class FakeMedia:
    """A media process that is ready at once, or has a fault."""

    fault: str | None = None

    def __init__(self, **_: Any) -> None: ...

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def wait_ready(self) -> None:
        if self.fault is not None:
            raise MediaUnavailable(self.fault)

    def wire(self) -> dict[str, Any]:
        return {"restarts": 0}


class Scene:
    """A server that can be started, what it did in which order, and a way to ask its API."""

    def __init__(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        self.order: list[str] = []
        self.screen = Screen()
        self.loaded = asyncio.Event()
        self.server = Server(settings, self.screen)
        self._base = settings.api_base
        for name in ("background_tasks", "_listening", "internet"):
            label = {"background_tasks": "tasks", "_listening": "api"}.get(name, name)
            monkeypatch.setattr(server_module, name, self._recorded(label, getattr(server_module, name)))
        monkeypatch.setattr(server_module, "start_engines", self._engines)
        monkeypatch.setattr(wiring, "MediaPlane", FakeMedia)
        self._record_preflight(monkeypatch)
        self._record_drain(monkeypatch)

    def _recorded(self, name: str, factory: Callable[..., Any]) -> Callable[..., Any]:
        @asynccontextmanager
        async def recorded(*arguments: Any) -> AsyncGenerator[Any, None]:
            try:
                async with factory(*arguments) as made:
                    self.order.append(name)
                    yield made
            finally:
                self.order.append(f"-{name}")

        return recorded

    def _record_preflight(self, monkeypatch: pytest.MonkeyPatch) -> None:
        original = preflight

        @contextmanager
        def recorded(settings: Settings) -> Any:
            try:
                with original(settings) as ready:
                    self.order.append("preflight")
                    yield ready
            finally:
                self.order.append("-preflight")

        monkeypatch.setattr(server_module, "preflight", recorded)

    def _record_drain(self, monkeypatch: pytest.MonkeyPatch) -> None:
        original = LiveCalls.aclose

        async def recorded(live: LiveCalls) -> None:
            assert not self.server._health.parts()["ari"], "no call is sent here any more"
            self.order.append("drain")
            await original(live)

        monkeypatch.setattr(LiveCalls, "aclose", recorded)

    def _engines(self, settings: Settings, tasks: BackgroundTasks) -> LocalEngines:
        made = [cast(EngineProcess, FakeEngine(name, self.loaded)) for name in ("moonshine", "piper")]
        for engine in made:
            tasks.start(engine.run(), name=f"engine-{engine.name}")
        return LocalEngines(made[0], made[1], None)

    async def asked(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """The API's answer."""
        async with (
            aiohttp.ClientSession(headers={"Authorization": "Bearer key"}) as session,
            session.request(method, f"{self._base}{path}", json=body) as response,
        ):
            return response.status, await response.json()

    async def reached(self, step: str) -> None:
        """Wait until the start has come so far."""
        async with asyncio.timeout(20):
            while step not in self.order:
                await asyncio.sleep(0)


@pytest.fixture
async def ari() -> AsyncGenerator[FakeAri, None]:
    async with fake_ari() as fake:
        fake.replies["GET asterisk/modules"] = (200, [{"name": f"{name}.so"} for name in NEEDED_MODULES])
        for path in ("channels", "bridges", "endpoints/PJSIP"):
            fake.replies[f"GET {path}"] = (200, [])
        yield fake


@pytest.fixture
def scene(ari: FakeAri, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    file = tmp_path / "assistants.yaml"
    file.write_text(ASSISTANTS)
    settings = Settings(
        data_dir=tmp_path / "data",
        assistants_file=file,
        api_port=free_tcp_port(),
        api_key="key",
        asterisk=ari.credentials.url,
        ari_username=ari.credentials.username,
        ari_password=ari.credentials.password,
        vad="webrtc",
    )
    return Scene(settings, monkeypatch)


async def test_it_starts_in_order_serves_and_is_taken_down_in_reverse(
    scene: Scene, ari: FakeAri, log_lines: list[Any]
) -> None:
    scene.loaded.set()
    running = asyncio.create_task(scene.server.run())
    async with asyncio.timeout(20):
        await scene.screen.announced.wait()
    assert scene.order == STARTED
    status, health = await scene.asked("GET", "/health")
    assert status == 200
    assert all(health["parts"].values())
    assert list(health) == ["status", "parts", "webhooks", "admission", "media", "loop", "log"]
    assert scene.screen.lines == [
        f"Ready: dial desk at the Asterisk of {ari.credentials.url}, where its dialplan has Stasis(ari-assistant)"
    ]
    os.kill(os.getpid(), signal.SIGTERM)
    await running
    assert scene.order == [*STARTED, "drain", *TAKEN_DOWN]
    told = [line["event"] for line in log_lines]
    assert [told[0], *told[-2:]] == ["assistants_file", "ready", "stopping"]
    assert "ari_connected" in told


async def test_while_it_starts_the_api_stores_and_says_what_is_missing(scene: Scene) -> None:
    running = asyncio.create_task(scene.server.run())
    await scene.reached("api")
    status, health = await scene.asked("GET", "/health")
    assert status == 503
    assert [part for part, ready in health["parts"].items() if ready] == ["database"]
    status, made = await scene.asked("POST", "/assistant", {"name": "Early"})
    assert status == 201
    assert made["name"] == "Early"
    scene.server.stop()
    await running


async def test_a_start_that_is_given_up_is_taken_down_and_no_fault(scene: Scene) -> None:
    running = asyncio.create_task(scene.server.run())
    await scene.reached("internet")
    scene.server.stop()
    await running
    assert scene.order == [*STARTED, *TAKEN_DOWN]


async def test_a_part_that_cannot_start_ends_it_with_the_cure(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeMedia, "fault", "192.0.2.99:0 cannot be bound")
    scene.loaded.set()
    with pytest.raises(BaseException) as raised:
        await scene.server.run()
    (fault,) = faults_in(raised.value)
    assert isinstance(fault, Fault)
    assert str(fault) == "192.0.2.99:0 cannot be bound"
    assert "ARI_ASSISTANT_MEDIA_HOST" in fault.cure
    assert scene.order == [*STARTED, *TAKEN_DOWN]


async def test_an_asterisk_that_does_not_know_us_ends_it(scene: Scene) -> None:
    scene.loaded.set()
    scene.server._settings = scene.server._settings.model_copy(update={"ari_username": "somebody"})
    with pytest.raises(BaseExceptionGroup) as raised:
        await scene.server.run()
    (fault,) = faults_in(raised.value)
    assert "ARI_ASSISTANT_ARI_USERNAME" in fault.cure
    assert scene.order == [*STARTED, *TAKEN_DOWN]

"""Which local engines are started, and what is said when one cannot be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, cast

import numpy as np
import pytest

from ari_assistant.assistants.local_transcribers import MoonshineForAll, WhisperForEach
from ari_assistant.audio.frame import Pcm
from ari_assistant.calls.admission import Admission
from ari_assistant.config.settings import Settings
from ari_assistant.fault import Fault
from ari_assistant.loop_watch import LoopWatch
from ari_assistant.providers.errors import ProviderUnavailable
from ari_assistant.providers.process import EngineProcess
from ari_assistant.providers.voice_cache import CachedVoice
from ari_assistant.server import engines as engines_module
from ari_assistant.server.engines import (
    LocalEngines,
    local_transcribers,
    speech_detectors,
    start_engines,
    wait_for_engines,
)
from ari_assistant.server.health import ServerHealth
from ari_assistant.server.screen import NoScreen
from ari_assistant.server.tasks import BackgroundTasks
from ari_assistant.session.options import Prompts
from ari_assistant.turns.vad import WebRtcDetectors


class Tasks:
    """Takes tasks, and begins none."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        work.close()
        self.names.append(name)


def started(settings: Settings) -> tuple[LocalEngines, list[str]]:
    tasks = Tasks()
    return start_engines(settings, cast(BackgroundTasks, tasks)), tasks.names


@pytest.fixture
def everything_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines_module, "find_spec", lambda name: object())
    monkeypatch.setattr(engines_module, "model_path", lambda: "smart-turn.onnx")


@pytest.mark.usefixtures("everything_is_installed")
def test_the_recogniser_the_voice_and_the_judge_of_pauses_are_started() -> None:
    engines, names = started(Settings())
    assert names == ["engine-moonshine", "engine-piper", "engine-smart-turn"]
    assert engines.end_of_turn() is not None
    assert len(engines.all()) == 3


@pytest.mark.usefixtures("everything_is_installed")
def test_the_operator_may_choose_another_recogniser_and_none_for_the_pauses() -> None:
    engines, names = started(Settings(transcriber="faster-whisper", end_of_turn_model=False))
    assert names == ["engine-faster-whisper", "engine-piper"]
    assert engines.end_of_turn() is None


def test_without_its_model_the_words_alone_judge_pauses(
    monkeypatch: pytest.MonkeyPatch, log_lines: list[Any], everything_is_installed: None
) -> None:
    monkeypatch.setattr(engines_module, "model_path", lambda: None)
    engines, _ = started(Settings())
    assert engines.turns is None
    assert [line["event"] for line in log_lines] == ["end_of_turn_missing"]


@pytest.mark.parametrize(
    ("missing", "extra"), [("moonshine_voice", "local"), ("piper", "piper"), ("faster_whisper", "whisper")]
)
def test_a_package_that_is_not_installed_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, missing: str, extra: str
) -> None:
    monkeypatch.setattr(engines_module, "find_spec", lambda name: None if name == missing else object())
    settings = Settings(transcriber="faster-whisper" if missing == "faster_whisper" else "moonshine")
    with pytest.raises(Fault, match=f"the package {missing} is not installed") as raised:
        started(settings)
    assert f"'ari-assistant[{extra}]'" in raised.value.cure


def test_the_local_transcriber_is_that_of_the_engine() -> None:
    assert isinstance(local_transcribers(EngineProcess("faster-whisper")), WhisperForEach)
    assert isinstance(local_transcribers(EngineProcess("moonshine")), MoonshineForAll)


def test_where_the_detector_is_not_installed_the_simpler_one_stands_in(
    monkeypatch: pytest.MonkeyPatch, log_lines: list[Any]
) -> None:
    def network() -> None:
        raise ProviderUnavailable("silero", "not installed")

    monkeypatch.setattr(engines_module, "SileroNetwork", network)
    assert isinstance(speech_detectors(Settings(vad="silero")), WebRtcDetectors)
    assert [line["event"] for line in log_lines] == ["vad_fallback"]


class Engine:
    queued = 0

    def __init__(self, fault: str = "") -> None:
        self._fault = fault

    async def wait_ready(self) -> None:
        if self._fault:
            raise ProviderUnavailable("engine", self._fault)


class Voice:
    """Says silence, and remembers what."""

    name = "voice"

    def __init__(self) -> None:
        self.said: list[str] = []

    async def synthesize(self, text: str, *, rate: int = 8_000) -> AsyncGenerator[Pcm, None]:
        self.said.append(text)
        yield np.zeros(160, np.int16)


async def waited(recogniser: Engine, piper: Engine, voice: Voice, health: ServerHealth) -> None:
    engines = LocalEngines(cast(EngineProcess, recogniser), cast(EngineProcess, piper), None)
    async with asyncio.timeout(10):
        await wait_for_engines(engines, CachedVoice(voice), Prompts(), screen=NoScreen(), health=health)


def health() -> ServerHealth:
    return ServerHealth(admission=Admission(), loop_watch=LoopWatch())


async def test_callers_come_when_the_models_are_loaded_and_the_prompts_known() -> None:
    voice, told = Voice(), health()
    await waited(Engine(), Engine(), voice, told)
    assert voice.said == list(Prompts().all())
    assert [part for part, ready in told.parts().items() if ready] == ["transcriber", "voice"]


async def test_a_model_that_cannot_be_loaded_ends_the_start() -> None:
    told = health()
    with pytest.raises(Fault, match="no such model") as raised:
        await waited(Engine(), Engine("no such model"), Voice(), told)
    assert "ARI_ASSISTANT_ENGINE_STDERR" in raised.value.cure
    assert [part for part, ready in told.parts().items() if ready] == ["transcriber"]

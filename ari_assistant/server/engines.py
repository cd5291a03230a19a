"""The local speech engines and detectors: which ones, started, and waited for."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from ari_assistant.assistants.local_transcribers import LocalTranscribers, MoonshineForAll, WhisperForEach
from ari_assistant.config.settings import Settings
from ari_assistant.fault import Fault
from ari_assistant.providers.end_of_turn import EndOfTurnModel
from ari_assistant.providers.errors import ProviderError, ProviderUnavailable
from ari_assistant.providers.process import EngineProcess
from ari_assistant.providers.silero import SileroNetwork
from ari_assistant.providers.smart_turn import SmartTurn, model_path
from ari_assistant.providers.voice_cache import CachedVoice
from ari_assistant.server.health import ServerHealth
from ari_assistant.server.screen import Screen
from ari_assistant.server.tasks import BackgroundTasks
from ari_assistant.session.options import Prompts
from ari_assistant.telemetry import get_logger
from ari_assistant.turns.vad import SharpEnds, SileroDetectors, SpeechDetectors, WebRtcDetectors

__all__ = ["LocalEngines", "local_transcribers", "speech_detectors", "start_engines", "wait_for_engines"]

log = get_logger("server")

_PACKAGES = {
    "moonshine": ("moonshine_voice", "local"),
    "faster-whisper": ("faster_whisper", "whisper"),
    "piper": ("piper", "piper"),
}
_LOADING = "loading the speech models"


@dataclass(frozen=True, slots=True)
class LocalEngines:
    """Each in a process of its own."""

    recogniser: EngineProcess
    voice: EngineProcess
    turns: EngineProcess | None
    """Judges pauses by their sound, where it is installed and wanted."""

    def all(self) -> list[EngineProcess]:
        """Those that there are."""
        return [self.recogniser, self.voice, *([self.turns] if self.turns is not None else [])]

    def end_of_turn(self) -> EndOfTurnModel | None:
        """The model of the turns' ends, if there is one."""
        return SmartTurn(self.turns) if self.turns is not None else None


def start_engines(settings: Settings, tasks: BackgroundTasks) -> LocalEngines:
    """Start them: they load their models while the rest of the server starts. Raises Fault when a package is not
    there."""
    for name in (settings.transcriber, "piper"):
        _check_installed(name)
    model = settings.whisper_model
    environment = {"ARI_ASSISTANT_WHISPER_MODEL": str(model)} if model is not None else {}
    engines = LocalEngines(
        recogniser=EngineProcess(settings.transcriber, log=log, environment=environment),
        voice=EngineProcess("piper", log=log),
        turns=_end_of_turn_engine() if settings.end_of_turn_model else None,
    )
    for engine in engines.all():
        tasks.start(engine.run(), name=f"engine-{engine.name}")
    return engines


def _check_installed(name: str) -> None:
    module, extra = _PACKAGES[name]
    if find_spec(module) is None:
        raise Fault(
            f"the package {module} is not installed",
            cure=f"pip install 'ari-assistant[{extra}]', or run `make run`, which installs it",
        )


def _end_of_turn_engine() -> EngineProcess | None:
    if model_path() is None or find_spec("onnxruntime") is None:
        log.warning(
            "end_of_turn_missing",
            instead="the words alone",
            hint="ari-assistant fetch-models brings the model",
        )
        return None
    return EngineProcess("smart-turn", timeout_seconds=2.0, log=log)


def local_transcribers(engine: EngineProcess) -> LocalTranscribers:
    """By whichever engine there is."""
    return MoonshineForAll(engine) if engine.name == "moonshine" else WhisperForEach(engine)


def speech_detectors(settings: Settings) -> SpeechDetectors:
    """Who tells speech from noise in every call."""
    if settings.vad == "silero":
        try:
            return SharpEnds(SileroDetectors(SileroNetwork()))
        except ProviderUnavailable as fault:
            log.warning("vad_fallback", reason=str(fault), instead="webrtc")
    return WebRtcDetectors()


async def wait_for_engines(
    engines: LocalEngines, voice: CachedVoice, prompts: Prompts, *, screen: Screen, health: ServerHealth
) -> None:
    """Return when callers can be heard and answered, and `voice` knows what is said to everybody. Raises Fault."""
    screen.progress(_LOADING, 0, 3)
    try:
        await engines.recogniser.wait_ready()
        health.ready("transcriber")
        screen.progress(_LOADING, 1, 3)
        await engines.voice.wait_ready()
        screen.progress(_LOADING, 2, 3)
        for text in prompts.all():
            await voice.keep(text)
    except ProviderError as fault:
        raise Fault(
            str(fault), cure="run `ari-assistant doctor`, and with ARI_ASSISTANT_ENGINE_STDERR=1 for more"
        ) from fault
    health.ready("voice")
    screen.progress(_LOADING, 3, 3)

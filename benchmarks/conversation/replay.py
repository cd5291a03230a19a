"""Audio into `tests.support.replay`: the real engines and detectors, and the strategies that are compared.

When the engines answer is fixed (`Latency`), so that two runs decide alike on any machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ari_assistant.audio.frame import FRAME_SAMPLES, Pcm
from ari_assistant.providers.moonshine import MoonshineEngine
from ari_assistant.providers.silero import SileroNetwork
from ari_assistant.providers.smart_turn import SmartTurnEngine
from ari_assistant.turns.echo import EchoGuard
from ari_assistant.turns.endpointing import EndpointingPlan
from ari_assistant.turns.turn_taking import TurnOptions
from ari_assistant.turns.vad import OneDetector, SharpEnds, SileroDetectors, SpeechDetector, WebRtcDetectors
from benchmarks.conversation.dataset import Overlap, Turn
from tests.support.replay import Disturbed, Heard, replay_overlap, replay_turn
from tests.support.sink import local_playout

__all__ = ["OURS", "STRATEGIES", "Engines", "Strategy", "flags_of", "overlapped", "turned"]


class Engines:
    """The recogniser, the end-of-turn model and the detectors, with a memory on disk of what they said."""

    def __init__(self, folder: Path) -> None:
        self._moonshine = MoonshineEngine()
        self._moonshine.load()
        self._smart_turn = SmartTurnEngine()
        self._smart_turn.load()
        self._silero = SileroNetwork()
        self._path = folder / "engines.json"
        self._known: dict[str, str | float] = json.loads(self._path.read_text()) if self._path.is_file() else {}

    def save(self) -> None:
        """Keep what was heard."""
        self._path.write_text(json.dumps(self._known))

    def words(self, pcm: Pcm) -> str:
        """Moonshine."""
        key = "w" + hashlib.sha256(pcm.tobytes()).hexdigest()[:24]
        if key not in self._known:
            self._known[key] = " ".join(h["text"] for h, _ in self._moonshine.run({}, pcm.tobytes()))
        return str(self._known[key])

    def finished(self, pcm: Pcm) -> float:
        """Smart Turn."""
        key = "f" + hashlib.sha256(pcm.tobytes()).hexdigest()[:24]
        if key not in self._known:
            self._known[key] = next(iter(self._smart_turn.run({}, pcm.tobytes())))[0]["finished"]
        return float(self._known[key])

    def silero(self) -> SpeechDetector:
        """A new detector."""
        return OneDetector(SileroDetectors(self._silero))

    def sharp(self) -> SpeechDetector:
        """… as the server uses it."""
        return OneDetector(SharpEnds(SileroDetectors(self._silero)))


class EnergyDetector:
    """The plainest baseline: louder than a fixed level."""

    def receive(self, frame: Pcm) -> bool:
        """See `SpeechDetector`."""
        return bool(np.sqrt((frame.astype(np.float64) ** 2).mean()) > 250)


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to take turns. Without a plan silence alone ends a turn, and a voice alone interrupts."""

    name: str
    detector: Callable[[Engines], SpeechDetector]
    plan: EndpointingPlan | None = None
    prosody: bool = True


OURS = Strategy("ours", Engines.sharp, EndpointingPlan())
STRATEGIES = (
    OURS,
    Strategy("ours, words alone", Engines.sharp, EndpointingPlan(), prosody=False),
    Strategy("Silero, 0.6 s", Engines.silero),
    Strategy("webrtcvad, 0.6 s", lambda engines: OneDetector(WebRtcDetectors())),
    Strategy("loudness, 0.6 s", lambda engines: EnergyDetector()),
)


def frames(pcm: Pcm) -> NDArray[np.int16]:
    """Shape (n, 160)."""
    return pcm[: pcm.size - pcm.size % FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)


def flags_of(pcm: Pcm, strategy: Strategy, engines: Engines) -> list[bool]:
    """What the strategy's detector says of every frame."""
    detector = strategy.detector(engines)
    return [detector.receive(frame) for frame in frames(pcm)]


@dataclass(frozen=True, slots=True)
class _RealEars:
    pcm: Pcm
    engines: Engines
    prosody: bool

    def _cut(self, begin: int, end: int) -> Pcm:
        return np.ascontiguousarray(self.pcm[begin * FRAME_SAMPLES : end * FRAME_SAMPLES])

    def words(self, begin: int, end: int) -> str:
        return self.engines.words(self._cut(begin, end))

    def finished(self, begin: int, end: int) -> float | None:
        return self.engines.finished(self._cut(begin, end)) if self.prosody else None


def turned(turn: Turn, strategy: Strategy, engines: Engines) -> Heard:
    """One turn by one strategy."""
    ears = _RealEars(turn.pcm, engines, strategy.prosody)
    return replay_turn(flags_of(turn.pcm, strategy, engines), ears, plan=strategy.plan, asked=turn.asked)


class _RealLine:
    """Detector, echo guard and the playout of the reply that is spoken over."""

    def __init__(self, pcm: Pcm, reply: Pcm, strategy: Strategy, engines: Engines) -> None:
        self._frames = frames(pcm)
        self._detector = strategy.detector(engines)
        self._guard = EchoGuard() if strategy.plan is not None else None
        self._playout, self._line = local_playout()
        self._playout.open(1)
        self._playout.clause(1, "reply")
        self._playout.push(1, reply)
        self.flags: list[bool] = []

    def frame(self, index: int, *, held: bool) -> bool:
        if held and not self._playout.silent:
            self._playout.hold()
        elif not held:
            self._playout.resume()
        sent = self._line.pop()
        speech = self._detector.receive(self._frames[index])
        if self._guard is not None:
            self._guard.sent(sent)
            self._guard.heard(self._frames[index])
            speech = speech and not self._guard.is_echo()
        self.flags.append(speech)
        return speech

    def __len__(self) -> int:
        return len(self._frames)


def overlapped(item: Overlap, strategy: Strategy, engines: Engines) -> tuple[Disturbed, list[bool]]:
    """One sound over a reply by one strategy, and what the detector said."""
    line = _RealLine(item.pcm, item.assistant, strategy, engines)
    options = TurnOptions() if strategy.plan is not None else TurnOptions(confirm_seconds=0.0)
    ears = _RealEars(item.pcm, engines, prosody=False)
    return replay_overlap(line, len(line), ears, options=options), line.flags

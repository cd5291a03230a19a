"""Plays a caller through the turn-taking core on a simulated clock: frames in, decisions with their times out.

The core is the server's own; only what a session does with its commands is written again here, without I/O. What the
engines hear comes from `Ears`: real ones in `benchmarks/conversation`, captured ones in the unit tests.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ari_assistant.audio.frame import PTIME_SECONDS
from ari_assistant.turns.endpointing import EndpointingPlan, Evidence, wait_seconds
from ari_assistant.turns.interruption import InterruptionPlan
from ari_assistant.turns.turn_taking import (
    Command,
    Interrupted,
    OverlapPaused,
    ReplyHeld,
    ReplyResumed,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TurnEnded,
    TurnOptions,
    TurnState,
    TurnTaking,
)

__all__ = [
    "CapturedEars",
    "Disturbed",
    "Ears",
    "Heard",
    "Latency",
    "replay_overlap",
    "replay_turn",
    "runs",
    "unpacked",
]

_PRE_ROLL = 15


class Ears(Protocol):
    """What the engines make of one caller."""

    def words(self, begin: int, end: int) -> str:
        """The words of the utterance in frames `begin` … `end`."""

    def finished(self, begin: int, end: int) -> float | None:
        """The end-of-turn model's probability, or None without one."""


@dataclass(frozen=True, slots=True)
class Latency:
    """When the engines answer, in seconds after they were asked."""

    words: float = 0.12
    melody: float = 0.07
    voice: float = 0.12
    """From the words to the first sound of the reply."""


@dataclass(slots=True)
class Heard:
    """What came of one turn."""

    ended: list[float] = field(default_factory=list)
    """When the turn was taken to be over."""
    replied: list[float] = field(default_factory=list)
    """When a reply would have been heard."""
    words: str = ""
    """Of the last pause."""
    prepared: int = 0
    trace: list[tuple[int, int, str, float | None]] = field(default_factory=list)
    """(begin, end, words, melody) of every pause."""


@dataclass(slots=True)
class Disturbed:
    """What a sound over a reply did; times in seconds."""

    held: list[float] = field(default_factory=list)
    resumed: list[float] = field(default_factory=list)
    interrupted: list[float] = field(default_factory=list)
    trace: list[tuple[int, int, str, float | None]] = field(default_factory=list)


class CapturedEars:
    """What real engines once heard, by the last frame of the utterance."""

    def __init__(self, trace: Sequence[tuple[int, int, str, float | None]]) -> None:
        self._by_end = {end: (text, melody) for _, end, text, melody in trace}

    def words(self, begin: int, end: int) -> str:
        """See `Ears`. Raises KeyError when the core pauses elsewhere than it did: capture again."""
        return self._by_end[end][0]

    def finished(self, begin: int, end: int) -> float | None:
        """See `Ears`."""
        return self._by_end[end][1]


def runs(flags: Sequence[bool]) -> list[int]:
    """Lengths of the runs, beginning with one of silence."""
    lengths = [0]
    speech = False
    for flag in flags:
        if flag is not speech:
            lengths.append(0)
            speech = flag
        lengths[-1] += 1
    return lengths


def unpacked(lengths: Sequence[int]) -> list[bool]:
    """`runs` back to flags."""
    return [n % 2 == 1 for n, length in enumerate(lengths) for _ in range(length)]


class _Clock:
    """Work that is due later."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[float], None]]] = []
        self._numbers = itertools.count()

    def later(self, at: float, work: Callable[[float], None]) -> None:
        heapq.heappush(self._due, (at, next(self._numbers), work))

    def run(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            at, _, work = heapq.heappop(self._due)
            work(at)


def replay_turn(
    speech: Sequence[bool],
    ears: Ears,
    *,
    plan: EndpointingPlan | None,
    silence: float = 0.6,
    asked: str = "",
    latency: Latency | None = None,
) -> Heard:
    """A caller speaks while the assistant listens; `speech` is what the detector says of every frame. Without a `plan`
    silence alone ends the turn."""
    latency = latency or Latency()
    machine = TurnTaking(TurnOptions())
    heard = Heard()
    clock = _Clock()
    began = position = pause = 0
    ready = 0.0

    def obey(commands: list[Command], now: float) -> None:
        nonlocal began, pause
        for command in commands:
            match command:
                case SpeechStarted():
                    began = max(0, position - _PRE_ROLL)
                case SpeechPaused(turn):
                    pause += 1
                    heard.prepared += 1
                    weigh(turn, pause, now)
                case SpeechResumed() | Interrupted():
                    pause += 1
                case TurnEnded():
                    heard.ended.append(now)
                    speak(pause, max(now, ready, machine.may_speak_at))

    def weigh(turn: int, mine: int, now: float) -> None:
        nonlocal ready
        ready = now + latency.words + latency.voice
        if plan is None:
            obey(machine.expect(turn, silence, now=now), now)
            return
        text, melody = ears.words(began, position), ears.finished(began, position)
        heard.words = text
        heard.trace.append((began, position, text, melody))

        def expect(finished: float | None) -> Callable[[float], None]:
            def work(at: float) -> None:
                if mine == pause:
                    wait = wait_seconds(plan, Evidence(text, finished, asked))
                    obey(machine.expect(turn, wait, now=at), at)

            return work

        clock.later(now + latency.words, expect(None))
        if melody is not None:
            clock.later(now + max(latency.words, latency.melody), expect(melody))

    def speak(mine: int, at: float) -> None:
        def work(now: float) -> None:
            if mine == pause and machine.state is TurnState.THINKING:
                heard.replied.append(now)
                machine.reply_heard(machine.turn, now=now)

        clock.later(at, work)

    for flag in speech:
        position += 1
        now = position * PTIME_SECONDS
        clock.run(now)
        obey(machine.receive_frame(flag, now=now), now)
    return heard


class Line(Protocol):
    """The caller's side while a reply is played: what the detector says depends on whether the reply is heard."""

    def frame(self, index: int, *, held: bool) -> bool:
        """Whether frame `index` is speech of the caller."""


def replay_overlap(
    line: Line,
    frames: int,
    ears: Ears,
    *,
    options: TurnOptions | None = None,
    latency: Latency | None = None,
) -> Disturbed:
    """Something is heard while the assistant speaks."""
    latency = latency or Latency()
    machine = TurnTaking(options or TurnOptions())
    machine.begin_turn()
    machine.reply_heard(1, now=-2.0)
    plan = InterruptionPlan()
    result = Disturbed()
    clock = _Clock()
    began = position = pause = 0
    held = False

    def obey(commands: list[Command], now: float) -> None:
        nonlocal began, pause, held
        for command in commands:
            match command:
                case SpeechStarted():
                    began = max(0, position - _PRE_ROLL)
                case ReplyHeld():
                    result.held.append(now)
                    held = True
                case ReplyResumed():
                    result.resumed.append(now)
                    held = False
                case Interrupted():
                    result.interrupted.append(now)
                case SpeechResumed():
                    pause += 1
                case OverlapPaused(turn):
                    pause += 1
                    text = ears.words(began, position)
                    result.trace.append((began, position, text, None))
                    clock.later(now + latency.words, verdict(turn, pause, text))

    def verdict(turn: int, mine: int, text: str) -> Callable[[float], None]:
        def work(at: float) -> None:
            if mine == pause:
                obey(machine.overlap(turn, plan.interrupts(text), now=at), at)

        return work

    for index in range(frames):
        position += 1
        now = position * PTIME_SECONDS
        clock.run(now)
        obey(machine.receive_frame(line.frame(index, held=held), now=now), now)
        if result.interrupted:
            break
    return result

"""Plays a caller through the conversation's core on a simulated clock: frames in, decisions with their times out.

The core is the server's own, and so is all that it decides. Here stands only who performs: engines that answer after a
fixed time, and a voice that needs another. What the engines hear comes from `Ears`: real ones in
`benchmarks/conversation`, captured ones in the unit tests.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ari_assistant.audio.frame import PTIME_SECONDS
from ari_assistant.conversation import actions as do
from ari_assistant.conversation.core import ConversationCore, Greeting
from ari_assistant.conversation.policy import ConversationPolicy
from ari_assistant.turns.endpointing import EndpointingPlan, Rule
from ari_assistant.turns.turn_taking import TurnOptions

__all__ = [
    "CapturedEars",
    "Disturbed",
    "Ears",
    "Heard",
    "Latency",
    "policy",
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
    end_of_turn: float = 0.07
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
    """(begin, end, words, prosody) of every pause."""


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
        self._by_end = {end: (text, prosody) for _, end, text, prosody in trace}

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


class _Played:
    """One conversation: performs what the core decides."""

    def __init__(self, core: ConversationCore, ears: Ears, latency: Latency, *, asked: str = "") -> None:
        self.core = core
        self.position = 0
        """Frames so far."""
        self.began = 0
        """The first frame of the utterance."""
        self.prepared = 0
        self.words = ""
        self.trace: list[tuple[int, int, str, float | None]] = []
        self.turns_ended: list[float] = []
        self.replied: list[float] = []
        self.held: list[float] = []
        self.resumed: list[float] = []
        self.interrupted: list[float] = []
        self.judges_overlaps = False
        self._ears = ears
        self._latency = latency
        self._asked = asked
        self._clock = _Clock()
        self._detection = 0
        """Of the newest pause; what was begun for an older one has been stopped."""
        self._reply = 0
        """The number of the reply that is prepared or waits to be heard."""
        self._ready = 0.0
        self._confirmed: float | None = None
        """From when on it may be heard."""

    def frame(self, speech: bool) -> None:
        """20 ms."""
        self.position += 1
        now = self.now
        self._clock.run(now)
        self.perform(self.core.frame(speech, now=now), now)

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self.position * PTIME_SECONDS

    def perform(self, actions: Sequence[do.Action], now: float) -> None:
        """Carry out what one event led to."""
        for action in actions:
            match action:
                case do.Collect():
                    self.began = max(0, self.position - _PRE_ROLL)
                case do.Recognise(turn, _, over_reply):
                    self._detection += 1
                    if over_reply:
                        self._judge(turn, now)
                    else:
                        self._recognise(turn, now)
                case do.StopDetection():
                    self._detection += 1
                case do.PrepareReply(reply):
                    self.prepared += 1
                    self._reply, self._confirmed = reply.number, None
                case do.Generate(reply):
                    self._ready = now + self._latency.voice
                    self._speak_when_ready(reply.number)
                case do.ConfirmReply(number, not_before):
                    self.turns_ended.append(now)
                    self._confirmed = max(now, not_before)
                    self._speak_when_ready(number)
                case do.DelayReply(_, not_before) if self._confirmed is not None and self._ready > now:
                    self._confirmed = max(self._confirmed, not_before)
                case do.WithdrawReply() | do.CutReply():
                    self._reply = 0
                    if isinstance(action, do.CutReply):
                        self.interrupted.append(now)
                case do.HoldPlayout():
                    self.held.append(now)
                case do.ResumePlayout():
                    self.resumed.append(now)

    def _recognise(self, turn: int, now: float) -> None:
        if self.judges_overlaps:  # over a reply the replay ends with the interruption
            return
        mine = self._detection
        self._ready = float("inf")
        text, finished = (
            self._ears.words(self.began, self.position),
            self._ears.finished(self.began, self.position),
        )
        self.words = text
        self.trace.append((self.began, self.position, text, finished))

        def recognised(at: float) -> None:
            if mine == self._detection:
                self.perform(self.core.recognised(turn, text, asked=self._asked, now=at), at)

        def judged(at: float) -> None:
            if mine == self._detection:
                self.perform(self.core.end_judged(turn, finished=finished, told=None, now=at), at)

        latency = self._latency
        self._clock.later(now + latency.words, recognised)
        if finished is not None:
            self._clock.later(now + max(latency.words, latency.end_of_turn), judged)

    def _judge(self, turn: int, now: float) -> None:
        if not self.judges_overlaps:
            return
        mine = self._detection
        text = self._ears.words(self.began, self.position)
        self.trace.append((self.began, self.position, text, None))

        def judged(at: float) -> None:
            if mine == self._detection:
                self.perform(self.core.overlap_recognised(turn, text, now=at), at)

        self._clock.later(now + self._latency.words, judged)

    def _speak_when_ready(self, number: int) -> None:
        if self._confirmed is None or self._ready == float("inf"):
            return

        def heard(at: float) -> None:
            if number == self._reply:
                self.replied.append(at)
                self.perform(self.core.first_frame(number, now=at), at)

        self._clock.later(max(self._confirmed, self._ready), heard)


def policy(
    endpointing: EndpointingPlan | None = None, turns: TurnOptions | None = None, **given: Any
) -> ConversationPolicy:
    """A conversation's policy in which no clock but that of turns ever rings."""
    fields = {"silence_seconds": 1e9, "max_seconds": 1e9, **given}
    return ConversationPolicy(turns=turns or TurnOptions(), endpointing=endpointing or EndpointingPlan(), **fields)


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
    if plan is None:
        plan = EndpointingPlan(rules=(Rule(lambda asked, said: True, silence),))
        ears = _Deaf()
    core = ConversationCore(policy(plan), now=0.0)
    played = _Played(core, ears, latency, asked=asked)
    played.perform(core.answered(Greeting(), now=0.0), 0.0)
    for flag in speech:
        played.frame(flag)
    return Heard(
        ended=played.turns_ended,
        replied=played.replied,
        words=played.words,
        prepared=played.prepared,
        trace=played.trace,
    )


class _Deaf:
    """Ears that tell nothing of what was said."""

    def words(self, begin: int, end: int) -> str:
        return "something"

    def finished(self, begin: int, end: int) -> float | None:
        return None


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
    core = ConversationCore(policy(turns=options), now=-2.0)
    played = _Played(core, ears, latency or Latency())
    played.judges_overlaps = True
    for action in core.answered(Greeting((do.Text(("reply",)),)), now=-2.0):
        if isinstance(action, do.Say):
            played.perform(core.first_frame(action.reply.number, now=-2.0), -2.0)
    for index in range(frames):
        held = len(played.held) > len(played.resumed)
        played.frame(line.frame(index, held=held))
        if played.interrupted:
            break
    return Disturbed(held=played.held, resumed=played.resumed, interrupted=played.interrupted, trace=played.trace)

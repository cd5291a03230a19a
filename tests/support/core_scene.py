"""A conversation's core on a clock of the test's, with a caller, a recogniser and a voice that are ready at once.

It carries out what the core decides as a session would, and checks on the way what must hold of any script: each reply
begins once and ends once, and nothing is done with one that is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ari_assistant.conversation import actions as do
from ari_assistant.conversation.core import ConversationCore, Greeting, ReplyOutcome
from ari_assistant.conversation.ending import Ending
from ari_assistant.conversation.policy import ConversationPolicy

__all__ = ["CoreScene"]

A = TypeVar("A", bound=do.Action)
_TICK = 0.02


@dataclass(slots=True)
class _Playing:
    spec: do.ReplySpec
    confirmed: bool
    not_before: float
    written: bool = False
    """Its words are there."""
    heard_since: float | None = None
    outcome: ReplyOutcome = field(default_factory=ReplyOutcome)


class CoreScene:
    """`words` is what is recognised next (None: not understood), `outcome` what becomes of the next replies."""

    def __init__(self, policy: ConversationPolicy | None = None, *, greeting: Greeting | None = None) -> None:
        self.now = 0.0
        self.core = ConversationCore(policy or ConversationPolicy(), now=self.now)
        self.words: str | None = "What are your opening hours?"
        self.confidence: float | None = None
        self.outcome = ReplyOutcome()
        self.reply_seconds = 2.0
        self.writes = True
        """Off: what is being made does not become ready."""
        self.recognises = True
        """Off: the words do not come."""
        self.done: list[do.Action] = []
        self.endings: list[Ending] = []
        self._playing: _Playing | None = None
        self._known: set[int] = set()
        self._over: set[int] = set()
        self._detecting: tuple[int, bool] | None = None
        self.perform(self.core.answered(greeting or Greeting(), now=self.now))

    # -- what happens ---------------------------------------------------------------------------------------

    def passes(self, seconds: float, *, voice: bool = False) -> None:
        """Time, with the caller's voice or without."""
        for _ in range(round(seconds / _TICK)):
            self.now += _TICK
            self.perform(self.core.frame(voice, now=self.now))
            self._play()
            self._detect()
            self.perform(self.core.tick(now=self.now))

    def asks(self, words: str | None = "What are your opening hours?", *, seconds: float = 1.0) -> None:
        """The caller says something, and falls silent until their turn is over."""
        self.words = words
        self.passes(seconds, voice=True)
        self.passes(1.7)

    def presses(self, keys: str) -> None:
        """One key after the other."""
        for key in keys:
            self.perform(self.core.key(key, now=self.now))

    def wait_for_the_reply(self) -> None:
        """Until it is heard."""
        for _ in range(500):
            if self.speaks:
                return
            self.passes(_TICK)
        raise AssertionError("no reply")

    # -- what comes of it -----------------------------------------------------------------------------------

    @property
    def speaks(self) -> bool:
        """A reply is being heard."""
        return self._playing is not None and self._playing.heard_since is not None

    def all(self, kind: type[A]) -> list[A]:
        """What was decided so far, of one kind."""
        return [action for action in self.done if isinstance(action, kind)]

    @property
    def said(self) -> list[str]:
        """Everything that was said in fixed words; what came before an answer, too."""
        texts = [text for action in self.all(do.Say) for text in action.texts]
        texts += [text for action in self.all(do.Generate) for text in action.preface]
        return [text.choices[0] for text in texts]

    @property
    def answered(self) -> list[str]:
        """What the model was asked, where the caller has said it."""
        return [a.words.text.choices[0] for a in self.all(do.Generate) if a.words is not None]

    # -- carrying it out ------------------------------------------------------------------------------------

    def perform(self, actions: Sequence[do.Action]) -> None:
        """In order."""
        for action in actions:
            self.done.append(action)
            self._perform(action)

    def _perform(self, action: do.Action) -> None:
        match action:
            case do.PrepareReply(spec):
                self._begin(spec)
            case do.Generate(spec) | do.Say(spec) | do.SayNotUnderstood(spec):
                if spec.number not in self._known:
                    self._begin(spec)
                playing = self._of(spec.number)
                assert not playing.written, "a reply is written once"
                playing.written = True
            case do.ConfirmReply(number, not_before):
                playing = self._of(number)
                assert not playing.confirmed, "a reply is confirmed once"
                playing.confirmed, playing.not_before = True, not_before
            case do.DelayReply(number, not_before):
                self._of(number).not_before = not_before
            case do.WithdrawReply(number):
                assert self._of(number).heard_since is None, "what was heard cannot be withdrawn"
                self._end(number)
            case do.CutReply(number) | do.FinishReply(number):
                self._end(number)
            case do.CommitCaller(number):
                self._of(number)
            case do.Recognise(turn, _, over_reply):
                self._detecting = (turn, over_reply)
            case do.StopDetection():
                self._detecting = None
            case do.EndCall(ending):
                self.endings.append(ending)

    def _begin(self, spec: do.ReplySpec) -> None:
        assert spec.number not in self._known, "a reply begins once"
        assert self._playing is None, "there is at most one reply"
        self._known.add(spec.number)
        self._playing = _Playing(spec, spec.confirmed, spec.not_before, outcome=self.outcome)

    def _of(self, number: int) -> _Playing:
        assert number not in self._over, f"reply {number} is over"
        assert self._playing is not None
        assert self._playing.spec.number == number
        return self._playing

    def _end(self, number: int) -> None:
        self._of(number)
        self._over.add(number)
        self._playing = None

    def _play(self) -> None:
        playing = self._playing
        if playing is None or not playing.written or not self.writes or self.core.on_hold:
            return
        if playing.heard_since is None:
            if playing.confirmed and self.now >= playing.not_before:
                playing.heard_since = self.now
                self.perform(self.core.first_frame(playing.spec.number, now=self.now))
        elif self.now - playing.heard_since >= self.reply_seconds:
            self.perform(self.core.reply_done(playing.spec.number, playing.outcome, now=self.now))

    def _detect(self) -> None:
        if self._detecting is None or not self.recognises:
            return
        turn, over_reply = self._detecting
        self._detecting = None
        if over_reply:
            self.perform(self.core.overlap_recognised(turn, self.words, now=self.now))
            return
        heard = self.core.recognised(turn, self.words, asked="", confidence=self.confidence, now=self.now)
        self.perform(heard)
        self.perform(self.core.end_judged(turn, finished=None, told=None, now=self.now))

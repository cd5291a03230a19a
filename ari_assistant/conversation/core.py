"""What a conversation decides: events in, actions out, without I/O, and the clock as an argument.

Theory of operation
-------------------

Whatever happens is told by a method: a frame of somebody's voice, 20 ms that have passed, a key, words that were
recognised, a reply's first frame, its end. Each returns what is to be done, in order. **Who calls performs all actions
of one event before telling the next** (`session` does); then no event is ever judged by a state that is only half true.

Three tables hold every change of state, and the diagrams in `docs/turn-taking.md` are drawn from them:
`turn_taking.TRANSITIONS` (who has the floor), `REPLY_TRANSITIONS` (the life of one reply) and `STAGE_TRANSITIONS`
(what the conversation is about: talking, an announcement, its last words, nothing while the caller is with somebody
else).

There is at most one reply. It is prepared when the caller pauses, confirmed when their turn is over, heard from its
first frame on. If the caller goes on before that it is withdrawn, and nobody has known of it.

`now` is in seconds of one monotonic clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import count
from typing import Final, Literal

from ari_assistant.audio.frame import PTIME_SECONDS
from ari_assistant.conversation.actions import (
    Action,
    AddMessage,
    Announced,
    BackchannelNow,
    Collect,
    CommitCaller,
    ConfirmReply,
    CutReply,
    DelayReply,
    EndCall,
    FinishReply,
    ForgetUtterance,
    Generate,
    HoldPlayout,
    HookFired,
    OpenLine,
    OverlapJudged,
    PausePlayout,
    PlayComfortNoise,
    PrepareReply,
    Recognise,
    ReplySpec,
    ResumePlayout,
    Say,
    SayNotUnderstood,
    SpeechUpdate,
    StopDetection,
    Tell,
    Text,
    TransferCaller,
    UnpausePlayout,
    UseTool,
    Warn,
    WithdrawRecognition,
    WithdrawReply,
    Words,
)
from ari_assistant.conversation.ending import ASSISTANT_ENDED, END_PHRASE, MAX_DURATION, SILENCE, Ending
from ari_assistant.conversation.hooks import (
    CALL_ENDING,
    CALLER_INTERRUPTED,
    INTERRUPTED,
    LOW_CONFIDENCE,
    Exact,
    Hooks,
    said_by,
)
from ari_assistant.conversation.policy import ConversationPolicy
from ari_assistant.conversation.reply_life import LiveReply, ReplyEvent, ReplyKind, ReplyState
from ari_assistant.conversation.stages import STAGE_TRANSITIONS, Stage, StageEvent
from ari_assistant.turns.completeness import Completeness, judge
from ari_assistant.turns.endpointing import Evidence, wait_seconds
from ari_assistant.turns.idle import SilenceTimer
from ari_assistant.turns.keypad import KeypadInput
from ari_assistant.turns.opening import Opening
from ari_assistant.turns.turn_taking import (
    Command,
    Interrupted,
    OverlapDismissed,
    OverlapGrown,
    OverlapPaused,
    ReplyHeld,
    ReplyResumed,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TurnEnded,
    TurnState,
    TurnTaking,
)
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.hook import HookAction

__all__ = [
    "CALLER",
    "ConversationCore",
    "Greeting",
    "ReplyOutcome",
    "Role",
]

_HANG_SECONDS = 3.0
"""So long after the caller's turn without a sound of the reply, `hang` is sent (§7.4)."""
_LONG_SECONDS = 4.0
"""Who has spoken so long gets a backchannel at a pause, at most so often (`backchannelingEnabled`)."""
_GOODBYE_SECONDS = 20.0
"""Last words that take longer are given up: a voice may never come."""
_MAX_FAILURES = 3
"""So many replies in a row may fail before the call is given up (`pipeline-error-…`)."""
_AUDIBLE: Final = (TurnState.SPEAKING, TurnState.OVERLAPPING, TurnState.REPLY_HELD, TurnState.JUDGING)
_SPOKEN_OVER: Final = (TurnState.OVERLAPPING, TurnState.REPLY_HELD, TurnState.JUDGING)
_FIRST_OWN_TURN = 1_000_000
"""Turn numbers of what is said without being an answer: no utterance has these."""


class Role(Enum):
    """What somebody else than the assistant does in the conversation."""

    SPEAKS = "speaks"
    """Takes turns with the assistant."""
    LISTENS = "listens"
    """Is not heard by the assistant."""


CALLER: Final = "caller"
"""The party that every conversation has."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """How the assistant begins: with these texts, else with what the model says (`by_model`), else not at all."""

    texts: tuple[Text, ...] = ()
    by_model: bool = False
    protected: bool = False


@dataclass(frozen=True, slots=True)
class ReplyOutcome:
    """What became of a reply that was not cut."""

    text: str = ""
    """What was written of it, heard or not."""
    ending: Ending | None = None
    """A tool or a model wants the call to end."""
    transfer: Destination | None = None
    """… or the caller to be sent on."""
    failed: str | None = None
    """The `endedReason` of a provider that failed."""
    failures: int = 0
    """So many replies in a row have failed, this one among them; those that were cut count, too."""


class ConversationCore:
    """The policy of one conversation."""

    def __init__(self, policy: ConversationPolicy, *, now: float) -> None:
        self.policy = policy
        self.turns = TurnTaking(policy.turns, now=now)
        self.stage = Stage.WAITING
        self.reply: LiveReply | None = None
        self.on_hold = False
        self._roles: dict[str, Role] = {CALLER: Role.SPEAKS}
        self._numbers = count(1)
        self._own_turns = count(_FIRST_OWN_TURN)
        self._preface: tuple[Text, ...] = ()
        """Said before the next answer."""
        self._prompts: tuple[Text, ...] = ()
        """Further instructions for it."""
        # the caller's utterance
        self._utterance_began = now
        self._collecting = False
        self._words = ""
        self._asked = ""
        self._confidence: float | None = None
        self._backchannel_at = float("-inf")
        # clocks
        self._started = now
        self._opening = Opening(now=now)
        self._awaited_since: float | None = None
        """Since when the caller has been waiting for a reply that is not heard yet."""
        self._hang_told = False
        self._aside_since = now
        self._seconds_aside = 0.0
        self._ending_if_back: Ending | None = None
        self._closing = ASSISTANT_ENDED
        self._closing_since = now
        self._keypad: KeypadInput | None
        self._set(policy, now)

    def _set(self, policy: ConversationPolicy, now: float) -> None:
        self.policy = policy
        self.turns.options = policy.turns
        self._keypad = KeypadInput(policy.keypad) if policy.keypad is not None else None
        self._silence = SilenceTimer(policy.silence_seconds, now=now)
        self._hooks = Hooks(policy.hooks, now=now)

    # -- the life of the conversation -----------------------------------------------------------------------

    @property
    def listens(self) -> bool:
        """What the caller says counts."""
        return self.stage in (Stage.TALKING, Stage.ANNOUNCING, Stage.CLOSING) and not self.on_hold

    @property
    def takes_part(self) -> bool:
        """The assistant talks with the caller, and neither its last words nor somebody else do."""
        return self.stage is Stage.TALKING

    def answered(self, greeting: Greeting, *, now: float) -> list[Action]:
        """The call was answered: the clocks begin, and so does the assistant, if it speaks first."""
        if not self._go(StageEvent.ANSWERED):
            return []
        self._started = now
        self._opening = Opening(now=now)
        self._set(self.policy, now)
        return self._greet(greeting, turn=0)

    def take_over(self, policy: ConversationPolicy, greeting: Greeting, *, now: float) -> list[Action]:
        """Another assistant has the conversation from now on. What was said stays; the clocks of silence and of the
        hooks are the new one's and begin now. `call.timeElapsed` and the longest duration count from the answer; what
        has elapsed before is not made up for."""
        if self.stage is not Stage.TALKING:
            return []
        actions = self._drop()
        self._set(policy, now)
        self._hooks.skip(seconds=now - self._started - self._seconds_aside)
        return [*actions, *self._greet(greeting, turn=next(self._own_turns))]

    def join(self, party: str, role: Role) -> None:
        """Somebody is in the conversation from now on, or does something else in it."""
        self._roles[party] = role

    def leave(self, party: str) -> None:
        """… is not any more. Harmless when repeated."""
        self._roles.pop(party, None)

    def step_aside(self, *, now: float) -> list[Action]:
        """The caller is handed over: nothing is said, heard or done here until `come_back`."""
        if not self._go(StageEvent.STEP_ASIDE):
            return []
        self._aside_since = now
        actions: list[Action] = [StopDetection(), *self._drop(), *self._forget()]
        self.turns.reply_over(self.turns.begin_turn(), now=now)
        return actions

    def come_back(self, *, now: float) -> list[Action]:
        """Nobody has taken the caller: the conversation goes on, its clocks begin anew."""
        if not self._go(StageEvent.COME_BACK):
            return []
        self._seconds_aside += now - self._aside_since
        self._restart_clocks(now)
        return self._end(self._ending_if_back) if self._ending_if_back is not None else []

    def hold(self, on_hold: bool, *, now: float) -> list[Action]:
        """The caller puts the call on hold, or takes it back (RFC 3264 §8.4). On hold nothing is said and nothing is
        listened to; the clocks of silence stand still, the longest duration does not."""
        if on_hold is self.on_hold:
            return []
        self.on_hold = on_hold
        if on_hold:
            return [PausePlayout()]
        if self._awaited_since is not None:
            self._awaited_since = now
        self._restart_clocks(now)
        return [UnpausePlayout()]

    def announce(self, texts: tuple[Text, ...]) -> list[Action]:
        """Say something that cannot be interrupted; `Announced` comes when it has been heard."""
        if not self._go(StageEvent.ANNOUNCE):
            return [Announced()]
        return [*self._drop(), *self._say(texts, ReplyKind.ANNOUNCEMENT, protected=True)]

    def announce_and_end(self, texts: tuple[Text, ...], ending: Ending, *, now: float) -> list[Action]:
        """Say something that cannot be interrupted, and end the call."""
        if not self._go(StageEvent.LAST_WORDS):
            return []
        self._closing, self._closing_since = ending, now
        return [*self._drop(), *self._say(texts, ReplyKind.LAST_WORDS, protected=True)]

    def media_left(self, ending: Ending) -> list[Action]:
        """Nothing can be heard or said here any more. While the caller is handed over that matters only if they come
        back."""
        if self.stage is Stage.ASIDE:
            self._ending_if_back = ending
            return []
        return self._end(ending)

    def closed(self) -> list[Action]:
        """The call is over, whoever ended it: what was heard of the last reply is written down."""
        self._go(StageEvent.END)
        reply = self.reply
        if reply is not None and not reply.confirmed:  # nobody has gone on: it does not count as withdrawn
            self.reply = None
            return [CutReply(reply.spec.number, self.turns.turn)]
        return self._drop()

    def ending_hooks(self, ending: Ending) -> list[HookAction]:
        """The tools that run when the call is over."""
        due = self._hooks.on(CALL_ENDING, {"call.endedReason": ending.reason})
        return [action for action in due if action.type in ("tool", "function")]

    def hang_up(self, *, now: float) -> list[Action]:
        """End the call from the assistant's side."""
        return self._finish(ASSISTANT_ENDED, now) if self.stage is Stage.TALKING else []

    def tool_done(
        self, *, transfer: Destination | None = None, ends_call: bool = False, now: float
    ) -> list[Action]:
        """A hook's tool has run."""
        if self.stage is not Stage.TALKING:
            return []
        if transfer is not None:
            return [TransferCaller(transfer, is_template=False)]
        return self._finish(ASSISTANT_ENDED, now) if ends_call else []

    # -- hearing --------------------------------------------------------------------------------------------

    def frame(self, speech: bool, *, now: float, party: str = CALLER) -> list[Action]:
        """20 ms of somebody's audio that ended at `now`, with or without speech."""
        if party == CALLER:
            self._opening.receive_packet(now=now)
        if not self.listens or self._roles.get(party) is not Role.SPEAKS:
            return []
        actions = self._obey(self.turns.receive_frame(speech, now=now), now)
        reply = self.reply
        if speech and reply is not None and reply.state is ReplyState.CONFIRMED and not reply.spec.protected:
            # Nobody is spoken to who has just begun to speak.
            actions.append(DelayReply(reply.spec.number, self.turns.may_speak_at))
        return actions

    def recognised(
        self, turn: int, words: str | None, *, asked: str, confidence: float | None = None, now: float
    ) -> list[Action]:
        """The words of a pause in `turn`, None when no transcriber understood it. `asked` is what the assistant said
        before, `confidence` (0 … 1) is how sure the words are."""
        if self.stage is Stage.OVER:
            return []
        self._words, self._asked, self._confidence = words or "", asked, confidence
        actions: list[Action] = []
        reply = self.reply
        if reply is not None and reply.spec.turn == turn and reply.awaits_words:
            reply.awaits_words = False
            if reply.confirmed:
                actions += self._low_confidence(now)
            if self.reply is reply:  # a hook may have spoken instead
                actions += self._answer(reply, words, now)
        if self.policy.endpointing_server is None:
            actions += self._expect(turn, None, None, now)
        return actions

    def _answer(self, reply: LiveReply, words: str | None, now: float) -> list[Action]:
        if words is None:
            reply.kind = ReplyKind.EXCUSE
            return [SayNotUnderstood(reply.spec)]
        if not words:
            nothing = self._nothing(reply, now)
            return [*self._forget(), *nothing] if nothing else []
        return self._generate(reply, Text((words,), is_template=False), reply.voice_ended)

    def end_judged(self, turn: int, *, finished: float | None, told: float | None, now: float) -> list[Action]:
        """All that is known of the pause: how sure the end-of-turn model is (0 … 1), and what the assistant's own
        endpointing server answered (seconds); None where nobody was asked."""
        if self.stage is Stage.OVER:
            return []
        actions = self._expect(turn, finished, told, now)
        incomplete = self._words and (
            judge(self._words, asked=self._asked, language=self.policy.endpointing.language)
            is Completeness.INCOMPLETE
        )
        long = now - self._utterance_began > _LONG_SECONDS and now - self._backchannel_at > _LONG_SECONDS
        if self.policy.backchannels and incomplete and long:
            self._backchannel_at = now
            actions.append(BackchannelNow())
        return actions

    def _expect(self, turn: int, finished: float | None, told: float | None, now: float) -> list[Action]:
        evidence = Evidence(self._words, finished, self._asked)
        wait = wait_seconds(self.policy.endpointing, evidence, told=told)
        return self._obey(self.turns.expect(turn, wait, now=now), now)

    def overlap_recognised(self, turn: int, words: str | None, *, now: float) -> list[Action]:
        """The words that were said over the reply, None when no transcriber understood them."""
        if self.stage is Stage.OVER:
            return []
        interrupts = words is not None and self.policy.interruption.interrupts(words)
        judged = OverlapJudged(turn, words or "", interrupts)
        return [judged, *self._obey(self.turns.overlap(turn, interrupts, now=now), now)]

    def key(self, key: str, *, now: float) -> list[Action]:
        """The caller pressed a key of their telephone (0-9, *, #, A-D). It takes the floor; the entry, when it is
        complete, is what the caller says (§8.6)."""
        if self._keypad is None or self.stage is not Stage.TALKING:
            return []
        self._hooks.caller_spoke()
        self._silence.receive(True, now=now)
        entry = self._keypad.push(key, now=now)
        alone = entry is None and not self._keypad.collecting
        actions: list[Action] = []
        # A delimiter alone is no entry: it skips what is being said, and takes no words from anybody.
        if not self._protected and (self.turns.state in _AUDIBLE or not alone):
            actions += [
                self._caller_speaks(False),
                StopDetection(),
                *self._drop(),
                *self._forget(),
            ]
            self.turns.press_key()
        return actions + (self._keyed(entry, now) if entry is not None else [])

    def caller_wrote(self, text: Text, *, now: float) -> list[Action]:
        """Answer `text` as if the caller had said it."""
        if self.stage is not Stage.TALKING:
            return []
        actions = self._make_way()
        self._utterance_began = now
        reply = self._begin(self.turns.begin_turn(), ReplyKind.ANSWER)
        return actions + self._generate(reply, text, now)

    # -- what the player of replies tells -------------------------------------------------------------------

    def tools_called(self, number: int) -> list[Action]:
        """The reply calls tools because of what the caller said: what they say from now on is something new."""
        if self._current(number) is None:
            return []
        return [CommitCaller(number, self.turns.turn), *self._forget()]

    def first_frame(self, number: int, *, now: float) -> list[Action]:
        """The first frame of the reply has just been sent."""
        reply = self._current(number)
        if reply is None or not reply.step(ReplyEvent.FIRST_FRAME):
            return []
        self._awaited_since = None
        turn = self.turns.turn
        self.turns.reply_heard(reply.spec.turn, now=now, protected=reply.spec.protected)
        actions: list[Action] = [CommitCaller(number, turn), SpeechUpdate("assistant", True, turn)]
        return actions + (self._forget() if self.turns.state is TurnState.SPEAKING else [])

    def reply_done(self, number: int, outcome: ReplyOutcome, *, now: float) -> list[Action]:
        """The reply has been heard to its end, or nothing came of it."""
        reply = self._current(number)
        if reply is None or not reply.step(ReplyEvent.DONE):
            return []
        return [*self._close(reply, now), *self._after(reply, outcome, now)]

    def reply_failed(self, number: int, *, now: float) -> list[Action]:
        """A fault of ours has ended the reply: it ends the turn, not the call."""
        reply = self._current(number)
        return self._nothing(reply, now) if reply is not None else []

    def _after(self, reply: LiveReply, outcome: ReplyOutcome, now: float) -> list[Action]:
        """What a reply leads to that was heard."""
        match reply.kind:
            case ReplyKind.LAST_WORDS:
                return self._end(self._closing)
            case ReplyKind.ANNOUNCEMENT:
                self._go(StageEvent.ANNOUNCED)
                self._restart_clocks(now)
                return [Announced()]
            case ReplyKind.EXCUSE:
                return []
        if self.stage is not Stage.TALKING:
            return []
        if outcome.transfer is not None:
            return [TransferCaller(outcome.transfer, is_template=False)]
        said = outcome.text.lower()
        if any(phrase.lower() in said for phrase in self.policy.end_call_phrases):
            return self._end(END_PHRASE)
        if outcome.failed is not None and outcome.failures >= _MAX_FAILURES and reply.spec.source == "model":
            return self._finish(Ending(outcome.failed), now)
        return self._finish(outcome.ending, now) if outcome.ending is not None else []

    # -- the clock ------------------------------------------------------------------------------------------

    def tick(self, *, now: float) -> list[Action]:
        """20 ms have passed."""
        if self.stage in (Stage.WAITING, Stage.OVER):
            return []
        actions = self._open_the_line(now)
        if self.stage is Stage.CLOSING and now - self._closing_since >= _GOODBYE_SECONDS:
            return [*actions, Warn("goodbye_timed_out"), *self._end(self._closing)]
        if self.stage is Stage.ASIDE:
            return actions
        seconds = now - self._started - self._seconds_aside
        if self.on_hold:  # nobody would hear a farewell
            return actions + (self._end(MAX_DURATION) if seconds >= self.policy.max_seconds else [])
        actions += self._watch_the_reply(now)
        actions += self._obey(self.turns.handle_deadline(now), now)
        if self._keypad is not None and (entry := self._keypad.handle_deadline(now)) is not None:
            actions += self._keyed(entry, now)
        return actions + self._watch_the_silence(seconds, now)

    def _open_the_line(self, now: float) -> list[Action]:
        if self._opening.handle_deadline(now):
            return [OpenLine()]
        return [] if self._opening.over else [PlayComfortNoise()]

    def _watch_the_reply(self, now: float) -> list[Action]:
        """Is the answer late?"""
        if self._awaited_since is None:
            self._hang_told = False
            return []
        waited = now - self._awaited_since
        actions: list[Action] = []
        if waited >= _HANG_SECONDS and not self._hang_told:
            self._hang_told = True
            actions.append(Tell("hang"))
        return actions + self._act(self._hooks.late(waited, waited - PTIME_SECONDS), now)

    def _watch_the_silence(self, seconds: float, now: float) -> list[Action]:
        if self.stage is not Stage.TALKING:
            self._silence.receive(True, now=now)
            return []
        typing = self._keypad is not None and self._keypad.completes
        busy = self.turns.state is not TurnState.LISTENING or self.reply is not None or typing
        actions = self._act(self._hooks.tick(busy, seconds=seconds, now=now), now)
        if self._silence.receive(busy, now=now):
            return actions + self._finish(SILENCE, now)
        if seconds >= self.policy.max_seconds:
            return actions + self._finish(MAX_DURATION, now)
        return actions

    def _restart_clocks(self, now: float) -> None:
        """Silence begins now."""
        self._silence.receive(True, now=now)
        self._hooks.restart(now=now)

    # -- what turn-taking wants -----------------------------------------------------------------------------

    def _obey(self, commands: Iterable[Command], now: float) -> list[Action]:
        actions: list[Action] = []
        judged = False
        for command in commands:
            match command:
                case SpeechStarted():
                    actions += self._collect(now)
                    if self.turns.state is TurnState.HEARING:
                        actions.append(self._caller_speaks(True))
                case SpeechPaused(turn, voice_ended):
                    actions.append(self._caller_speaks(True))
                    actions += self._pause(turn, voice_ended, afresh=not judged)
                case SpeechResumed():
                    actions += self._resumed(now)
                case TurnEnded(turn):
                    actions += self._turn_ended(turn, now)
                case OverlapGrown(turn) | OverlapPaused(turn):
                    if self.stage is Stage.TALKING:
                        actions.append(Recognise(turn, afresh=True, over_reply=True))
                case OverlapDismissed():
                    actions += [StopDetection(), *self._forget()]
                case ReplyHeld():
                    actions.append(HoldPlayout())
                case ReplyResumed():
                    actions.append(ResumePlayout())
                case Interrupted(cuts_in=cuts_in):
                    judged = True
                    actions += self._interrupted(cuts_in, now)
        return actions

    def _collect(self, now: float) -> list[Action]:
        self._utterance_began = now
        self._collecting = True
        return [Collect()]

    def _forget(self) -> list[Action]:
        self._collecting = False
        return [ForgetUtterance()]

    def _caller_speaks(self, speaks: bool) -> SpeechUpdate:
        return SpeechUpdate("user", speaks, self.turns.turn)

    def _pause(self, turn: int, voice_ended: float, *, afresh: bool) -> list[Action]:
        """The turn may be over: recognise it, and prepare the answer, unheard."""
        if self.stage is not Stage.TALKING:
            return []
        actions = self._drop()
        reply = self._begin(turn, ReplyKind.ANSWER, confirmed=False)
        reply.awaits_words, reply.voice_ended = True, voice_ended
        prepare = PrepareReply(reply.spec, voice_ended)
        return [*actions, Recognise(turn, afresh=afresh, over_reply=False), prepare]

    def _resumed(self, now: float) -> list[Action]:
        """The caller goes on."""
        actions: list[Action] = [StopDetection(), WithdrawRecognition()]
        # By the reply's own life: the machine may be further, where going on and interrupting are one event.
        if self.reply is not None and self.reply.state is ReplyState.HEARD:
            return actions
        if not self._protected:
            actions += self._withdraw()
        if not self._collecting:
            # A tool has been called because of what was said before: this is something new.
            actions += self._collect(now)
        return actions

    def _turn_ended(self, turn: int, now: float) -> list[Action]:
        actions: list[Action] = [self._caller_speaks(False)]
        self._hooks.caller_spoke()
        reply = self.reply
        if reply is not None and reply.spec.turn == turn and not reply.awaits_words:
            actions += self._low_confidence(now)
        if reply is None or reply is not self.reply or reply.spec.turn != turn:
            return actions + self._obey(self.turns.reply_over(turn, now=now), now)
        reply.step(ReplyEvent.CONFIRM)
        if reply.state is ReplyState.OVER:
            return [*actions, *self._forget(), *self._close(reply, now)]
        self._awaited_since = now
        return [*actions, ConfirmReply(reply.spec.number, self.turns.may_speak_at)]

    def _low_confidence(self, now: float) -> list[Action]:
        if self._confidence is None:
            return []
        return self._act(self._hooks.on(LOW_CONFIDENCE, {"confidence": self._confidence}), now, preface=True)

    def _interrupted(self, cuts_in: bool, now: float) -> list[Action]:
        actions: list[Action] = [self._caller_speaks(True)]
        reply, self.reply = self.reply, None
        actions.append(Tell("user-interrupted", reply.spec.number if reply is not None else None))
        if reply is not None and reply.step(ReplyEvent.CUT):
            cut = CutReply(reply.spec.number, self.turns.turn, interrupted=True, cuts_in=cuts_in)
            actions.append(cut)
        hook = CALLER_INTERRUPTED if cuts_in else INTERRUPTED
        return actions + self._act(self._hooks.on(hook), now, preface=True)

    def _keyed(self, keys: str, now: float) -> list[Action]:
        """An entry of the keypad is complete: it is what the caller says (§8.6)."""
        return self.caller_wrote(Text((f"User's Keypad Entry: {keys}",), is_template=False), now=now)

    # -- replies --------------------------------------------------------------------------------------------

    @property
    def _protected(self) -> bool:
        return self.reply is not None and self.reply.spec.protected

    def _current(self, number: int) -> LiveReply | None:
        """The reply, unless something has replaced it."""
        return self.reply if self.reply is not None and self.reply.spec.number == number else None

    def _begin(self, turn: int, kind: ReplyKind, *, confirmed: bool = True, protected: bool = False) -> LiveReply:
        source: Literal["model", "force-say"] = (
            "model" if kind in (ReplyKind.ANSWER, ReplyKind.PROMPTED) else "force-say"
        )
        not_before = self.turns.may_speak_at if confirmed and not protected else float("-inf")
        spec = ReplySpec(next(self._numbers), turn, source, confirmed, protected, not_before)
        self.reply = LiveReply(spec, kind, ReplyState.CONFIRMED if confirmed else ReplyState.PREPARING)
        return self.reply

    def _greet(self, greeting: Greeting, *, turn: int) -> list[Action]:
        if greeting.texts:
            return self._say(greeting.texts, ReplyKind.FIXED, protected=greeting.protected, turn=turn)
        if greeting.by_model:
            return [self._prompted(self._begin(turn, ReplyKind.PROMPTED), ())]
        return []

    def _say(
        self, texts: tuple[Text, ...], kind: ReplyKind, *, protected: bool = False, turn: int | None = None
    ) -> list[Action]:
        reply = self._begin(next(self._own_turns) if turn is None else turn, kind, protected=protected)
        return [Say(reply.spec, texts)]

    def _generate(self, reply: LiveReply, text: Text, ended: float) -> list[Action]:
        words = Words(text, self._utterance_began, ended)
        self._take_along(reply)
        return [Generate(reply.spec, words, reply.prompts, reply.preface)]

    def _prompted(self, reply: LiveReply, prompts: tuple[Text, ...]) -> Generate:
        self._take_along(reply)
        return Generate(reply.spec, None, reply.prompts + prompts, reply.preface)

    def _take_along(self, reply: LiveReply) -> None:
        reply.preface, self._preface = self._preface, ()
        reply.prompts, self._prompts = self._prompts, ()

    def _nothing(self, reply: LiveReply, now: float) -> list[Action]:
        """There is nothing to be said: the turn is over once the caller has finished it."""
        if not reply.step(ReplyEvent.NOTHING) or reply.state is ReplyState.EMPTY:
            return []
        return [*self._close(reply, now), *self._after(reply, ReplyOutcome(), now)]

    def _close(self, reply: LiveReply, now: float) -> list[Action]:
        """A reply is over: write it down, and give the floor back."""
        self.reply = None
        self._awaited_since = None
        turn = self.turns.turn
        number = reply.spec.number
        actions: list[Action] = [CommitCaller(number, turn), FinishReply(number, turn)]
        return actions + self._obey(self.turns.reply_over(reply.spec.turn, now=now), now)

    def _withdraw(self) -> list[Action]:
        reply, self.reply = self.reply, None
        self._awaited_since = None
        if reply is None:
            return []
        if not reply.confirmed:
            self._preface = reply.preface + self._preface
            self._prompts = reply.prompts + self._prompts
        reply.step(ReplyEvent.WITHDRAW)
        return [WithdrawReply(reply.spec.number)]

    def _drop(self) -> list[Action]:
        """Something else takes the floor: what is being said is cut, what is being prepared for a caller who had not
        finished is withdrawn. What they had finished saying is written down."""
        reply = self.reply
        if reply is None or not reply.confirmed:
            return self._withdraw()
        self.reply = None
        self._awaited_since = None
        reply.step(ReplyEvent.CUT)
        number, turn = reply.spec.number, self.turns.turn
        self.turns.reply_cut()
        return [CommitCaller(number, turn), CutReply(number, turn)]

    def _make_way(self) -> list[Action]:
        """… for another reply: whoever waits for an answer waits no less for what replaces it."""
        awaited = self._awaited_since
        actions = self._drop()
        self._awaited_since = awaited
        return actions

    # -- hooks ----------------------------------------------------------------------------------------------

    def _act(self, due: Iterable[HookAction], now: float, *, preface: bool = False) -> list[Action]:
        """What hooks want. `preface`: the caller is speaking."""
        actions: list[Action] = []
        for hook in due:
            actions.append(HookFired(hook.type))
            if hook.type in ("tool", "function"):
                actions.append(UseTool(hook))
            elif self.stage is not Stage.TALKING:
                continue
            elif hook.type == "say":
                actions += self._said(hook, preface)
            elif hook.type == "message.add":
                actions += self._added(hook, now)
            elif hook.destination is not None:
                actions.append(TransferCaller(hook.destination, is_template=True))
        return actions

    def _said(self, hook: HookAction, preface: bool) -> list[Action]:
        said = said_by(hook)
        if not isinstance(said, Exact):
            return self._speak_by_prompt(tuple(Text((prompt,)) for prompt in said.texts))
        if not said.texts:
            return []
        text = Text(said.texts)
        if preface or self.reply is not None:
            self._preface += (text,)
            return []
        return self._say((text,), ReplyKind.FIXED)

    def _speak_by_prompt(self, prompts: tuple[Text, ...]) -> list[Action]:
        if self.turns.state in _SPOKEN_OVER:  # what the caller says comes first, and is answered with this in mind
            self._prompts += prompts
            return []
        actions = self._make_way()
        reply = self._begin(next(self._own_turns), ReplyKind.PROMPTED)
        return [*actions, self._prompted(reply, prompts)]

    def _added(self, hook: HookAction, now: float) -> list[Action]:
        if hook.message is None:
            return []
        text = Text((hook.message.content or "",))
        answers = hook.trigger_response_enabled is not False
        if hook.message.role == "user" and answers:
            return self.caller_wrote(text, now=now)
        actions: list[Action] = [AddMessage(hook.message.role, text)]
        if answers:
            actions += self._speak_by_prompt((text,) if hook.message.role in ("system", "developer") else ())
        return actions

    # -- ending ---------------------------------------------------------------------------------------------

    def _finish(self, ending: Ending, now: float) -> list[Action]:
        """End the call from our side, after what its hooks and its `endCallMessage` want said."""
        texts = [
            Text(said.texts)
            for hook in self._hooks.on(CALL_ENDING, {"call.endedReason": ending.reason})
            if hook.type == "say" and isinstance(said := said_by(hook), Exact) and said.texts
        ]
        last = self.policy.end_call_message
        if ending is SILENCE and self.policy.hooks.silence_message:
            last = self.policy.hooks.silence_message
        if last:
            texts.append(Text((last,)))
        if not texts:
            return self._end(ending)
        return self.announce_and_end(tuple(texts), ending, now=now)

    def _end(self, ending: Ending) -> list[Action]:
        return [EndCall(ending)] if self._go(StageEvent.END) else []

    def _go(self, event: StageEvent) -> bool:
        target = STAGE_TRANSITIONS[self.stage].get(event)
        if target is None:
            return False
        self.stage = target
        return True

"""Who has the floor: the end of the caller's turn, and their speech over a reply.

Theory of operation
-------------------

The caller's voice and the assistant's reply meet in one machine. The table `TRANSITIONS` holds every change of state;
what is not in it leaves the state as it is. The diagram in `docs/turn-taking.md` is generated from it.

Nobody speaks in LISTENING. A voice opens an utterance with a new turn number (HEARING). After a short silence
(`pause_seconds`) the utterance is recognised and a reply is prepared, unheard (PAUSING). What the words and the prosody
tell of the end comes back as a wait (`expect`); when the silence has lasted so long the turn is over (THINKING). While
nothing is told, the wait is `evidence_seconds`. If the caller goes on before the reply is heard, the utterance goes on
under its number and the reply is withdrawn: nobody answers half a sentence.

A reply is heard in SPEAKING, a voice over it in OVERLAPPING. What that means depends on the plan:

- with `num_words` 0 the voice counts. After `hold_seconds` of it the reply falls silent, for the time being
  (REPLY_HELD). When the caller pauses (JUDGING), what they said decides: words interrupt; an acknowledgement, a cough
  or a noise dismisses the overlap, and the reply goes on where it was cut. A voice of `confirm_seconds` interrupts
  without being understood;
- with `num_words` N the words count: the reply goes on while the overlap is recognised, at every pause and every
  `partial_seconds` of voice, until a verdict says that it interrupts;
- a protected reply (the first message, by default) goes on; what was said over it is kept and answered after it.

The machine owns no clock: `now` is in seconds, monotonic. Frames that do not come (DTX, loss) are silence, because
silence is measured from the last voiced frame to `now`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from ari_assistant.audio.frame import PTIME_SECONDS

__all__ = [
    "TRANSITIONS",
    "Command",
    "Interrupted",
    "OverlapDismissed",
    "OverlapGrown",
    "OverlapPaused",
    "ReplyHeld",
    "ReplyResumed",
    "SpeechPaused",
    "SpeechResumed",
    "SpeechStarted",
    "TurnEnded",
    "TurnEvent",
    "TurnOptions",
    "TurnState",
    "TurnTaking",
]


class TurnState(Enum):
    """Who has the floor."""

    LISTENING = "listening"
    HEARING = "hearing"
    PAUSING = "pausing"
    THINKING = "thinking"
    SPEAKING = "speaking"
    OVERLAPPING = "overlapping"
    REPLY_HELD = "reply held"
    JUDGING = "judging"


class TurnEvent(Enum):
    """What can happen to it."""

    VOICE = "voice"
    """The caller has spoken long enough to be taken for a voice."""
    PAUSE = "pause"
    """The caller has been silent for `pause_seconds`."""
    ENDPOINT = "endpoint"
    """… for as long as the evidence demands."""
    REPLY_HEARD = "reply heard"
    """The first frame of a reply goes out."""
    REPLY_OVER = "reply over"
    """A reply was played to its end, was cut by something else than a voice, or came to nothing."""
    REPLY_OVER_KEPT = "reply over, speech kept"
    """The same, and the caller had spoken over a protected reply."""
    HOLD = "hold"
    """The caller has spoken over an interruptible reply for `hold_seconds`."""
    BARGE_IN = "barge-in"
    """What was said over the reply interrupts it."""
    DISMISS = "dismiss"
    """… does not."""
    KEY = "key"
    """A key of the telephone takes the floor: what was being said, on either side, is over."""
    ENTRY = "entry"
    """Something else than a voice is to be answered: a keypad entry, a message that was put in."""


_S, _E = TurnState, TurnEvent

TRANSITIONS: Final[dict[TurnState, dict[TurnEvent, TurnState]]] = {
    _S.LISTENING: {
        _E.VOICE: _S.HEARING,
        _E.REPLY_HEARD: _S.SPEAKING,
        _E.KEY: _S.LISTENING,
        _E.ENTRY: _S.THINKING,
    },
    _S.HEARING: {
        _E.PAUSE: _S.PAUSING,
        _E.REPLY_HEARD: _S.OVERLAPPING,
        _E.KEY: _S.LISTENING,
        _E.ENTRY: _S.THINKING,
    },
    _S.PAUSING: {
        _E.VOICE: _S.HEARING,
        _E.ENDPOINT: _S.THINKING,
        _E.REPLY_HEARD: _S.SPEAKING,
        _E.KEY: _S.LISTENING,
        _E.ENTRY: _S.THINKING,
    },
    _S.THINKING: {
        _E.VOICE: _S.HEARING,
        _E.REPLY_HEARD: _S.SPEAKING,
        _E.REPLY_OVER: _S.LISTENING,
        _E.KEY: _S.LISTENING,
        _E.ENTRY: _S.THINKING,
    },
    _S.SPEAKING: {
        _E.VOICE: _S.OVERLAPPING,
        _E.BARGE_IN: _S.PAUSING,
        _E.REPLY_OVER: _S.LISTENING,
        _E.REPLY_OVER_KEPT: _S.PAUSING,
        _E.KEY: _S.LISTENING,
        _E.ENTRY: _S.THINKING,
    },
    _S.OVERLAPPING: {
        _E.PAUSE: _S.SPEAKING,
        _E.HOLD: _S.REPLY_HELD,
        _E.BARGE_IN: _S.HEARING,
        _E.REPLY_OVER: _S.HEARING,
        _E.REPLY_OVER_KEPT: _S.HEARING,
        _E.KEY: _S.LISTENING,
        _E.ENTRY: _S.THINKING,
    },
    _S.REPLY_HELD: {
        _E.PAUSE: _S.JUDGING,
        _E.BARGE_IN: _S.HEARING,
        _E.REPLY_OVER: _S.HEARING,
        _E.REPLY_OVER_KEPT: _S.HEARING,
        _E.KEY: _S.LISTENING,
        _E.ENTRY: _S.THINKING,
    },
    _S.JUDGING: {
        _E.VOICE: _S.REPLY_HELD,
        _E.BARGE_IN: _S.PAUSING,
        _E.DISMISS: _S.SPEAKING,
        _E.REPLY_OVER: _S.PAUSING,
        _E.REPLY_OVER_KEPT: _S.PAUSING,
        _E.KEY: _S.LISTENING,
        _E.ENTRY: _S.THINKING,
    },
}


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Begin to collect the utterance of `turn` (from the pre-roll on)."""

    turn: int


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """The turn may end here: recognise what has been collected, and prepare a reply that nobody hears yet."""

    turn: int
    voice_ended: float
    """When the caller was last heard (seconds, the machine's clock)."""


@dataclass(frozen=True, slots=True)
class SpeechResumed:
    """The caller goes on: throw away what was recognised, and withdraw the reply that was being prepared."""

    turn: int


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The caller has finished: what was prepared may be heard."""

    turn: int
    voice_ended: float


@dataclass(frozen=True, slots=True)
class OverlapGrown:
    """The caller goes on speaking over the reply: recognise what there is, and bring a verdict."""

    turn: int


@dataclass(frozen=True, slots=True)
class OverlapPaused:
    """What the caller said over the reply is over, or pauses: recognise it, and bring a verdict."""

    turn: int


@dataclass(frozen=True, slots=True)
class OverlapDismissed:
    """What was said over the reply does not count: forget it."""

    turn: int


@dataclass(frozen=True, slots=True)
class ReplyHeld:
    """Fall silent, and be ready to go on."""

    turn: int


@dataclass(frozen=True, slots=True)
class ReplyResumed:
    """It was nothing: go on where the reply was cut."""

    turn: int


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Cut the reply; the utterance of `turn` goes on being collected."""

    turn: int
    cuts_in: bool
    """The reply had just begun: it was the assistant who had interrupted the caller."""


Command = (
    SpeechStarted
    | SpeechPaused
    | SpeechResumed
    | TurnEnded
    | OverlapGrown
    | OverlapPaused
    | OverlapDismissed
    | ReplyHeld
    | ReplyResumed
    | Interrupted
)


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """Durations in seconds."""

    onset_seconds: float = 0.06
    """Voice shorter than this is a click."""
    pause_seconds: float = 0.2
    evidence_seconds: float = 1.2
    """The silence that ends a turn of which nothing else is known."""
    voice_seconds: float = 0.2
    """`stopSpeakingPlan.voiceSeconds` (contract §10.2): a shorter voice over a reply is nothing."""
    num_words: int = 0
    """`stopSpeakingPlan.numWords`."""
    confirm_seconds: float = 1.0
    """Voice that interrupts without being understood."""
    partial_seconds: float = 0.4
    """How often a growing overlap is recognised when words are counted."""
    verdict_seconds: float = 2.5
    """An overlap whose verdict takes longer interrupts."""
    wait_seconds: float = 0.4
    """`startSpeakingPlan.waitSeconds` (§10.1): the least time between the caller's voice and the reply."""
    backoff_seconds: float = 1.0
    """`stopSpeakingPlan.backoffSeconds` (§10.2): the least time between an interruption and the next reply."""
    cut_in_seconds: float = 0.5
    """Who speaks on so soon after a reply began had not finished."""

    @property
    def hold_seconds(self) -> float:
        """So much voice silences a reply for the time being: half of what interrupts it."""
        return max(self.onset_seconds, self.voice_seconds / 2)


class TurnTaking:
    """The machine of one call."""

    def __init__(self, options: TurnOptions | None = None, *, now: float = 0.0) -> None:
        self.options = options or TurnOptions()
        self.state = TurnState.LISTENING
        self.turn = 0
        """The number of the newest utterance; the first message is reply 0."""
        self.last_voice = now
        self._voice_started = now
        self._voiced = 0.0
        self._reply: int | None = None
        self._reply_began = now
        self._protected = False
        self._kept = False
        self._judging = False
        """An overlap waits for its verdict."""
        self._partials = 0
        self._wait: float | None = None
        self._interrupted_at: float | None = None

    def receive_frame(self, speech: bool, *, now: float) -> list[Command]:
        """A frame of the caller's audio that ended at `now`, with or without speech."""
        if speech:
            if self._voiced == 0.0 or now - self.last_voice > self.options.pause_seconds:
                self._voiced = 0.0
                if self.state not in (TurnState.REPLY_HELD, TurnState.JUDGING):
                    self._voice_started = now - PTIME_SECONDS
            self._voiced += PTIME_SECONDS
            self.last_voice = now
            # Half a frame of tolerance: sums of 0.02 do not meet the limits exactly.
            if self._voiced >= self.options.onset_seconds - PTIME_SECONDS / 2:
                return self._voice(now)
            return []
        return self.handle_deadline(now)

    def handle_deadline(self, now: float) -> list[Command]:
        """Time has passed; call it every frame."""
        commands: list[Command] = []
        silence = now - self.last_voice
        before = self.state
        if silence >= self.options.pause_seconds:
            said = self.last_voice - self._voice_started
            if self._voiced:
                self._voiced = 0.0
            if self._step(TurnEvent.PAUSE):
                if before is TurnState.HEARING:
                    self._wait = None
                    commands.append(SpeechPaused(self.turn, self.last_voice))
                else:
                    commands += self._overlap_paused(said, now)
            elif before is TurnState.JUDGING and silence >= self.options.verdict_seconds:
                commands += self._interrupt(now)
        wait = self.options.evidence_seconds if self._wait is None else self._wait
        if silence >= wait and self.state is TurnState.PAUSING and self._step(TurnEvent.ENDPOINT):
            commands.append(TurnEnded(self.turn, self.last_voice))
        return commands

    def expect(self, turn: int, seconds: float, *, now: float) -> list[Command]:
        """The evidence of the pause at hand says: turn `turn` is over `seconds` after the last voice."""
        if turn != self.turn or self.state is not TurnState.PAUSING:
            return []
        self._wait = max(self.options.pause_seconds, seconds)
        return self.handle_deadline(now)

    def overlap(self, turn: int, interrupts: bool, *, now: float) -> list[Command]:
        """The verdict on what has been said over the reply under number `turn`."""
        if turn != self.turn or not self._judging:
            return []
        if interrupts:
            return self._interrupt(now)
        if self.state is TurnState.OVERLAPPING:
            return []  # there may be more words
        self._judging = False
        if self._step(TurnEvent.DISMISS):
            return [ReplyResumed(turn), OverlapDismissed(turn)]
        return [OverlapDismissed(turn)] if self.state is TurnState.SPEAKING else []

    def reply_heard(self, turn: int, *, now: float, protected: bool = False) -> None:
        """The first frame of reply `turn` goes out; a `protected` one cannot be interrupted."""
        self._reply = turn
        self._reply_began = now
        self._protected = protected
        self._judging = False
        self._step(TurnEvent.REPLY_HEARD)

    def reply_over(self, turn: int, *, now: float) -> list[Command]:
        """Reply `turn` was played to its end, or came to nothing. One that is not the newest is ignored."""
        if turn != (self.turn if self._reply is None else self._reply):
            return []
        self._reply = None
        kept, self._kept = self._kept, False
        judging, self._judging = self._judging, False
        before = self.state
        # What was being judged is an utterance like any other now that nothing is there to be interrupted.
        answered = kept or (judging and before is TurnState.SPEAKING)
        if not self._step(TurnEvent.REPLY_OVER_KEPT if answered else TurnEvent.REPLY_OVER):
            return []
        if self.state is TurnState.PAUSING:
            self._wait = None
            return [SpeechPaused(self.turn, self.last_voice), *self.handle_deadline(now)]
        return []

    def reply_cut(self) -> None:
        """Something else than the caller's voice has ended the reply. What they were saying over it goes on."""
        self._drop_reply()
        self._step(TurnEvent.REPLY_OVER)

    def press_key(self) -> None:
        """A key was pressed: what the caller was saying is over, and so is a reply, which whoever plays it cuts. A
        protected reply that is heard goes on, and what is said over it is kept."""
        if self._reply is not None and self._protected:
            return
        self._drop_reply()
        self._step(TurnEvent.KEY)

    def begin_turn(self) -> int:
        """A turn without voice (keys, a message that was put in) takes the floor; returns its number."""
        self.turn += 1
        self._drop_reply()
        self._step(TurnEvent.ENTRY)
        return self.turn

    def _drop_reply(self) -> None:
        self._reply = None
        self._judging = self._kept = False

    @property
    def may_speak_at(self) -> float:
        """The earliest time at which the next reply may be heard."""
        if self.turn == 0:  # nobody has been kept waiting
            return float("-inf")
        earliest = self.last_voice + self.options.wait_seconds
        if self._interrupted_at is not None:
            earliest = max(earliest, self._interrupted_at + self.options.backoff_seconds)
        return earliest

    def _voice(self, now: float) -> list[Command]:
        before = self.state
        options = self.options
        commands: list[Command] = []
        if self._step(TurnEvent.VOICE):
            goes_on = before in (TurnState.PAUSING, TurnState.THINKING, TurnState.JUDGING)
            if goes_on or (before is TurnState.SPEAKING and self._judging):
                commands.append(SpeechResumed(self.turn))
            elif not self._kept:
                self.turn += 1
                self._partials = 0
                commands.append(SpeechStarted(self.turn))
        voice = now - self._voice_started + PTIME_SECONDS / 2
        if self._protected:
            return commands
        if self.state is TurnState.OVERLAPPING:
            if options.num_words == 0 and voice >= options.hold_seconds and self._step(TurnEvent.HOLD):
                self._judging = True
                commands.append(ReplyHeld(self.turn))
            elif options.num_words and voice >= (self._partials + 1) * options.partial_seconds:
                self._partials += 1
                self._judging = True
                commands.append(OverlapGrown(self.turn))
        if self.state is TurnState.REPLY_HELD and voice >= max(options.confirm_seconds, options.voice_seconds):
            commands += self._interrupt(now)
        return commands

    def _overlap_paused(self, said: float, now: float) -> list[Command]:
        """The caller fell silent over the reply: `said` seconds of voice."""
        if self._protected:
            self._kept = True
            return []
        if said + PTIME_SECONDS / 2 < self.options.voice_seconds and not self.options.num_words:
            self._judging = False
            held = self._step(TurnEvent.DISMISS)
            return (
                [ReplyResumed(self.turn), OverlapDismissed(self.turn)] if held else [OverlapDismissed(self.turn)]
            )
        self._judging = True
        return [OverlapPaused(self.turn)]

    def _interrupt(self, now: float) -> list[Command]:
        silent = self.state in (TurnState.SPEAKING, TurnState.JUDGING)
        if self._reply is None or not self._step(TurnEvent.BARGE_IN):
            return []
        self._judging = False
        self._interrupted_at = self._voice_started
        cuts_in = self._voice_started - self._reply_began < self.options.cut_in_seconds
        self._reply = None
        commands: list[Command] = [Interrupted(self.turn, cuts_in)]
        if silent:
            self._wait = None
            commands.append(SpeechPaused(self.turn, self.last_voice))
        return commands

    def _step(self, event: TurnEvent) -> bool:
        target = TRANSITIONS[self.state].get(event)
        if target is None:
            return False
        self.state = target
        return True

"""Who has the floor: end of the caller's turn by silence, interruption by voice.

Theory of operation
-------------------

The caller's voice and the assistant's reply meet in one machine of six states. The table `TRANSITIONS` holds
every change of state; what is not in it leaves the state as it is. The diagram in `docs/turn-taking.md` is
generated from it.

Nobody speaks in LISTENING. A voice opens an utterance with a new turn number (HEARING). A short silence
(`pause_seconds`) is worth recognising what there is (PAUSING); a longer one (`endpoint_seconds`) ends the turn
(THINKING), and the reply of that number is prepared. If the caller goes on before the reply is heard, the
utterance goes on under its number and the reply is withdrawn: nobody answers half a sentence.

A reply is heard in SPEAKING. A voice over it (OVERLAPPING) interrupts once it has lasted `voice_seconds`, and
is dismissed when it is shorter. Over a protected reply (the first message, by default) it never interrupts,
but what was said is held and answered when the reply is over.

The machine owns no clock: `now` is in seconds, monotonic. Frames that do not come (DTX, loss) are silence,
because silence is measured from the last voiced frame to `now`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from ari_assistant.media.frame import PTIME_SECONDS

__all__ = [
    "TRANSITIONS",
    "Command",
    "Interrupted",
    "OverlapDismissed",
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


class TurnEvent(Enum):
    """What can happen to it."""

    VOICE = "voice"
    """The caller has spoken long enough to be taken for a voice."""
    PAUSE = "pause"
    """The caller has been silent for `pause_seconds`."""
    ENDPOINT = "endpoint"
    """… for `endpoint_seconds`."""
    REPLY_HEARD = "reply heard"
    """The first frame of a reply goes out."""
    REPLY_OVER = "reply over"
    """A reply was played to its end, or came to nothing."""
    REPLY_OVER_HELD = "reply over, speech held"
    """The same, and the caller had spoken over a protected reply."""
    BARGE_IN = "barge-in"
    """The caller has spoken over an interruptible reply for `voice_seconds`."""


_S, _E = TurnState, TurnEvent

TRANSITIONS: Final[dict[TurnState, dict[TurnEvent, TurnState]]] = {
    _S.LISTENING: {_E.VOICE: _S.HEARING, _E.REPLY_HEARD: _S.SPEAKING},
    _S.HEARING: {_E.PAUSE: _S.PAUSING, _E.REPLY_HEARD: _S.OVERLAPPING},
    _S.PAUSING: {_E.VOICE: _S.HEARING, _E.ENDPOINT: _S.THINKING, _E.REPLY_HEARD: _S.SPEAKING},
    _S.THINKING: {_E.VOICE: _S.HEARING, _E.REPLY_HEARD: _S.SPEAKING, _E.REPLY_OVER: _S.LISTENING},
    _S.SPEAKING: {
        _E.VOICE: _S.OVERLAPPING,
        _E.REPLY_OVER: _S.LISTENING,
        _E.REPLY_OVER_HELD: _S.PAUSING,
    },
    _S.OVERLAPPING: {
        _E.PAUSE: _S.SPEAKING,
        _E.BARGE_IN: _S.HEARING,
        _E.REPLY_OVER: _S.HEARING,
        _E.REPLY_OVER_HELD: _S.HEARING,
    },
}


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Begin to collect the utterance of `turn` (from the pre-roll on)."""

    turn: int


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """Recognise what has been collected: the turn probably ends here."""

    turn: int


@dataclass(frozen=True, slots=True)
class SpeechResumed:
    """The caller goes on: throw away what was recognised, and withdraw the reply that was being prepared."""

    turn: int


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The caller has finished: answer."""

    turn: int
    voice_ended: float
    """When the caller was last heard (seconds, the machine's clock)."""


@dataclass(frozen=True, slots=True)
class OverlapDismissed:
    """What was said over the reply was too short to count: forget it."""

    turn: int


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Cut the reply; the utterance of `turn` goes on being collected."""

    turn: int
    voice_started: float
    """When the interrupting speech began."""


Command = SpeechStarted | SpeechPaused | SpeechResumed | TurnEnded | OverlapDismissed | Interrupted


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """Durations in seconds."""

    onset_seconds: float = 0.06
    """Voice shorter than this is a click."""
    pause_seconds: float = 0.24
    endpoint_seconds: float = 0.6
    voice_seconds: float = 0.2
    """`stopSpeakingPlan.voiceSeconds` (contract §10.2)."""
    wait_seconds: float = 0.4
    """`startSpeakingPlan.waitSeconds` (§10.1): the least time between the caller's voice and the reply."""
    backoff_seconds: float = 1.0
    """`stopSpeakingPlan.backoffSeconds` (§10.2): the least time between an interruption and the next reply."""


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
        self._protected = False
        self._held = False
        self._interrupted_at: float | None = None

    def receive_frame(self, speech: bool, *, now: float) -> list[Command]:
        """A frame of the caller's audio that ended at `now`, with or without speech."""
        if speech:
            if self._voiced == 0.0 or now - self.last_voice > self.options.pause_seconds:
                self._voice_started = now - PTIME_SECONDS
                self._voiced = 0.0
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
        if silence >= self.options.pause_seconds:
            self._voiced = 0.0
            overlapping = self.state is TurnState.OVERLAPPING
            if self._step(TurnEvent.PAUSE):
                if not overlapping:
                    commands.append(SpeechPaused(self.turn))
                elif self._protected:
                    self._held = True
                else:
                    commands.append(OverlapDismissed(self.turn))
        if silence >= self.options.endpoint_seconds and self._step(TurnEvent.ENDPOINT):
            commands.append(TurnEnded(self.turn, self.last_voice))
        return commands

    def reply_heard(self, turn: int, *, protected: bool = False) -> None:
        """The first frame of reply `turn` goes out; a `protected` one cannot be interrupted."""
        self._reply = turn
        self._protected = protected
        self._step(TurnEvent.REPLY_HEARD)

    def reply_over(self, turn: int, *, now: float) -> list[Command]:
        """Reply `turn` was played to its end, or came to nothing. One that is not the newest is ignored."""
        if turn != (self.turn if self._reply is None else self._reply):
            return []
        self._reply = None
        held, self._held = self._held, False
        overlapping = self.state is TurnState.OVERLAPPING
        if self._step(TurnEvent.REPLY_OVER_HELD if held else TurnEvent.REPLY_OVER) and held and not overlapping:
            return [SpeechPaused(self.turn), *self.handle_deadline(now)]
        return []

    @property
    def may_speak_at(self) -> float:
        """The earliest time at which the next reply may be heard."""
        earliest = self.last_voice + self.options.wait_seconds
        if self._interrupted_at is not None:
            earliest = max(earliest, self._interrupted_at + self.options.backoff_seconds)
        return earliest

    def _voice(self, now: float) -> list[Command]:
        before = self.state
        commands: list[Command] = []
        if self._step(TurnEvent.VOICE):
            if before in (TurnState.PAUSING, TurnState.THINKING):
                commands.append(SpeechResumed(self.turn))
            elif not self._held:
                self.turn += 1
                commands.append(SpeechStarted(self.turn))
        enough = now - self._voice_started >= self.options.voice_seconds - PTIME_SECONDS / 2
        if not self._protected and enough and self._step(TurnEvent.BARGE_IN):
            self._interrupted_at = now
            self._reply = None
            commands.append(Interrupted(self.turn, self._voice_started))
        return commands

    def _step(self, event: TurnEvent) -> bool:
        target = TRANSITIONS[self.state].get(event)
        if target is None:
            return False
        self.state = target
        return True

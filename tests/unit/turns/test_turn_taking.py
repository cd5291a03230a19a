"""Conversations replayed frame by frame: no clock, no sleeping."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from ari_assistant.turns.turn_taking import (
    Command,
    Interrupted,
    OverlapDismissed,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TurnEnded,
    TurnOptions,
    TurnState,
    TurnTaking,
)


@dataclass
class Stage:
    """Plays speech and silence into the machine, and notes the commands with their times."""

    machine: TurnTaking = field(default_factory=lambda: TurnTaking(TurnOptions(pause_seconds=0.24)))
    now: float = 0.0
    commands: list[tuple[float, Command]] = field(default_factory=list)

    def frames(self, seconds: float, *, speech: bool) -> list[Command]:
        """`seconds` of the caller."""
        said: list[Command] = []
        for _ in range(round(seconds / 0.02)):
            self.now = round(self.now + 0.02, 6)
            said += self.machine.receive_frame(speech, now=self.now)
        self.commands += [(self.now, command) for command in said]
        return said

    def speaks(self, seconds: float) -> list[Command]:
        return self.frames(seconds, speech=True)

    def is_silent(self, seconds: float) -> list[Command]:
        return self.frames(seconds, speech=False)

    def nothing_comes(self, seconds: float) -> list[Command]:
        """The caller's phone sends nothing (DTX)."""
        self.now += seconds
        return self.machine.handle_deadline(self.now)


def kinds(commands: list[Command]) -> list[type]:
    return [type(command) for command in commands]


def test_a_turn_ends_by_silence_after_a_pause_that_begins_recognition() -> None:
    stage = Stage()
    assert stage.speaks(1.0) == [SpeechStarted(1)]
    assert stage.is_silent(0.22) == []
    assert stage.is_silent(0.04) == [SpeechPaused(1)]
    ended = stage.is_silent(0.4)
    assert kinds(ended) == [TurnEnded]
    assert ended == [TurnEnded(1, 1.0)]
    assert stage.machine.state is TurnState.THINKING


def test_a_click_is_no_voice() -> None:
    stage = Stage()
    assert stage.speaks(0.04) == []
    assert stage.is_silent(2.0) == []
    assert stage.machine.state is TurnState.LISTENING


def test_going_on_after_a_pause_throws_the_recognition_away() -> None:
    stage = Stage()
    stage.speaks(1.0)
    stage.is_silent(0.3)
    assert stage.speaks(0.5) == [SpeechResumed(1)]
    assert kinds(stage.is_silent(1.0)) == [SpeechPaused, TurnEnded]


def test_going_on_before_the_reply_is_heard_withdraws_it_and_keeps_the_turn() -> None:
    stage = Stage()
    stage.speaks(1.0)
    stage.is_silent(0.7)
    assert stage.speaks(0.2) == [SpeechResumed(1)]
    assert stage.machine.turn == 1
    assert stage.machine.state is TurnState.HEARING


def test_frames_that_do_not_come_are_silence() -> None:
    stage = Stage()
    stage.speaks(1.0)
    assert kinds(stage.nothing_comes(0.25)) == [SpeechPaused]
    assert kinds(stage.nothing_comes(0.40)) == [TurnEnded]


def speaking(*, protected: bool = False) -> Stage:
    """The assistant is answering turn 1."""
    stage = Stage()
    stage.speaks(1.0)
    stage.is_silent(0.7)
    stage.machine.reply_heard(1, protected=protected)
    return stage


def test_a_voice_over_the_reply_interrupts_after_voice_seconds() -> None:
    stage = speaking()
    began = stage.now
    assert stage.speaks(0.18) == [SpeechStarted(2)]
    assert stage.speaks(0.02) == [Interrupted(2, began)]
    assert stage.machine.state is TurnState.HEARING
    assert kinds(stage.is_silent(1.0)) == [SpeechPaused, TurnEnded]


def test_a_short_noise_over_the_reply_is_dismissed() -> None:
    stage = speaking()
    assert kinds(stage.speaks(0.1)) == [SpeechStarted]
    assert stage.is_silent(0.3) == [OverlapDismissed(2)]
    assert stage.machine.state is TurnState.SPEAKING


def test_a_protected_reply_is_never_interrupted_but_what_was_said_is_answered_after_it() -> None:
    stage = speaking(protected=True)
    assert stage.speaks(2.0) == [SpeechStarted(2)]
    assert stage.is_silent(1.5) == []
    assert kinds(stage.machine.reply_over(1, now=stage.now)) == [SpeechPaused, TurnEnded]
    assert stage.machine.state is TurnState.THINKING


def test_speech_held_over_a_protected_reply_goes_on_under_its_number() -> None:
    stage = speaking(protected=True)
    stage.speaks(0.5)
    stage.is_silent(0.5)
    assert stage.speaks(0.5) == []
    assert stage.machine.turn == 2


def test_a_reply_that_ends_while_the_caller_speaks_leaves_them_the_floor() -> None:
    stage = speaking(protected=True)
    stage.speaks(0.5)
    assert stage.machine.reply_over(1, now=stage.now) == []
    assert stage.machine.state is TurnState.HEARING
    assert kinds(stage.is_silent(1.0)) == [SpeechPaused, TurnEnded]


def test_the_end_of_an_old_reply_changes_nothing() -> None:
    stage = speaking()
    assert stage.machine.reply_over(0, now=stage.now) == []
    assert stage.machine.state is TurnState.SPEAKING


def test_the_reply_waits_for_wait_seconds_and_after_an_interruption_for_backoff_seconds() -> None:
    stage = speaking()
    stage.speaks(0.2)
    interrupted = stage.now
    stage.is_silent(0.7)
    assert stage.machine.may_speak_at == pytest.approx(interrupted + 1.0)
    stage = Stage()
    stage.speaks(1.0)
    assert stage.machine.may_speak_at == pytest.approx(1.4)

"""Conversations replayed frame by frame: no clock, no sleeping."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

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
    TurnOptions,
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

    @property
    def state(self) -> str:
        return self.machine.state.value

    def nothing_comes(self, seconds: float) -> list[Command]:
        """The caller's phone sends nothing (DTX)."""
        self.now += seconds
        return self.machine.handle_deadline(self.now)


def kinds(commands: list[Command]) -> list[type]:
    return [type(command) for command in commands]


def test_a_turn_ends_when_the_evidence_of_its_pause_says_so() -> None:
    stage = Stage()
    assert stage.speaks(1.0) == [SpeechStarted(1)]
    assert stage.is_silent(0.22) == []
    assert stage.is_silent(0.04) == [SpeechPaused(1, 1.0)]
    assert stage.machine.expect(1, 0.4, now=stage.now) == []
    assert stage.is_silent(0.12) == []
    assert stage.is_silent(0.04) == [TurnEnded(1, 1.0)]
    assert stage.state == "thinking"


def test_evidence_that_comes_late_ends_the_turn_at_once() -> None:
    stage = Stage()
    stage.speaks(1.0)
    stage.is_silent(0.6)
    assert stage.machine.expect(1, 0.4, now=stage.now) == [TurnEnded(1, 1.0)]


def test_an_unfinished_sentence_is_waited_for() -> None:
    stage = Stage()
    stage.speaks(1.0)
    stage.is_silent(0.3)
    stage.machine.expect(1, 1.6, now=stage.now)
    assert stage.is_silent(1.2) == []
    assert kinds(stage.is_silent(0.2)) == [TurnEnded]


def test_without_any_evidence_a_longer_silence_ends_the_turn() -> None:
    stage = Stage()
    stage.speaks(1.0)
    assert kinds(stage.is_silent(1.18)) == [SpeechPaused]
    assert kinds(stage.is_silent(0.04)) == [TurnEnded]


def test_evidence_of_another_pause_does_not_count() -> None:
    stage = Stage()
    stage.speaks(1.0)
    stage.is_silent(0.3)
    stage.machine.expect(1, 0.4, now=stage.now)
    stage.speaks(0.5)
    assert kinds(stage.is_silent(0.6)) == [SpeechPaused], "the second pause has no evidence yet"
    assert stage.machine.expect(0, 0.4, now=stage.now) == [], "nor does that of another turn"


def test_a_click_is_no_voice() -> None:
    stage = Stage()
    assert stage.speaks(0.04) == []
    assert stage.is_silent(2.0) == []
    assert stage.state == "listening"


def test_going_on_after_a_pause_throws_the_recognition_away() -> None:
    stage = Stage()
    stage.speaks(1.0)
    stage.is_silent(0.3)
    assert stage.speaks(0.5) == [SpeechResumed(1)]
    assert kinds(stage.is_silent(1.3)) == [SpeechPaused, TurnEnded]


def test_going_on_before_the_reply_is_heard_withdraws_it_and_keeps_the_turn() -> None:
    stage = Stage()
    stage.speaks(1.0)
    stage.is_silent(1.3)
    assert stage.state == "thinking"
    assert stage.speaks(0.2) == [SpeechResumed(1)]
    assert stage.machine.turn == 1
    assert stage.state == "hearing"


def test_frames_that_do_not_come_are_silence() -> None:
    stage = Stage()
    stage.speaks(1.0)
    assert kinds(stage.nothing_comes(0.25)) == [SpeechPaused]
    assert kinds(stage.nothing_comes(1.00)) == [TurnEnded]


def speaking(*, protected: bool = False, **options: float) -> Stage:
    """The assistant has been answering turn 1 for a second."""
    stage = Stage(TurnTaking(TurnOptions(**{"pause_seconds": 0.24, **options})))  # type: ignore[arg-type]
    stage.speaks(1.0)
    stage.is_silent(1.3)
    stage.machine.reply_heard(1, now=stage.now, protected=protected)
    stage.is_silent(1.0)
    return stage


def test_a_voice_over_the_reply_silences_it_at_once_and_its_words_interrupt_it() -> None:
    stage = speaking()
    began = stage.now
    assert stage.speaks(0.08) == [SpeechStarted(2)]
    began = round(began, 6)
    assert stage.speaks(0.02) == [ReplyHeld(2)]
    assert stage.speaks(0.4) == []
    ended = stage.now
    assert stage.is_silent(0.3) == [OverlapPaused(2)]
    verdict = stage.machine.overlap(2, True, now=stage.now)
    assert verdict == [Interrupted(2, cuts_in=False), SpeechPaused(2, ended)]
    assert stage.state == "pausing"


def test_a_cough_over_the_reply_lets_it_go_on() -> None:
    stage = speaking()
    assert kinds(stage.speaks(0.3)) == [SpeechStarted, ReplyHeld]
    assert stage.is_silent(0.3) == [OverlapPaused(2)]
    assert stage.machine.overlap(2, False, now=stage.now) == [ReplyResumed(2), OverlapDismissed(2)]
    assert stage.state == "speaking"


def test_a_voice_shorter_than_voice_seconds_is_dismissed_without_being_understood() -> None:
    stage = speaking()
    assert kinds(stage.speaks(0.14)) == [SpeechStarted, ReplyHeld]
    assert kinds(stage.is_silent(0.3)) == [ReplyResumed, OverlapDismissed]
    assert stage.state == "speaking"


def test_a_click_over_the_reply_does_not_even_silence_it() -> None:
    stage = speaking()
    assert kinds(stage.speaks(0.08)) == [SpeechStarted]
    assert stage.is_silent(0.3) == [OverlapDismissed(2)]


def test_a_voice_that_goes_on_interrupts_without_being_understood() -> None:
    stage = speaking()
    stage.speaks(0.9)
    assert kinds(stage.speaks(0.12)) == [Interrupted]
    assert stage.state == "hearing"
    assert kinds(stage.is_silent(1.3)) == [SpeechPaused, TurnEnded]


def test_going_on_before_the_verdict_is_one_utterance() -> None:
    stage = speaking()
    stage.speaks(0.4)
    stage.is_silent(0.3)
    assert stage.speaks(0.1) == [SpeechResumed(2)]
    assert stage.state == "reply held"


def test_an_overlap_whose_verdict_does_not_come_interrupts() -> None:
    stage = speaking()
    stage.speaks(0.4)
    assert kinds(stage.is_silent(2.6)) == [*[OverlapPaused, Interrupted, SpeechPaused, TurnEnded][:3], TurnEnded]


def test_who_speaks_on_as_the_reply_begins_was_interrupted_by_it() -> None:
    stage = Stage()
    stage.speaks(1.0)
    stage.is_silent(1.3)
    stage.machine.reply_heard(1, now=stage.now)
    stage.is_silent(0.1)
    commands = stage.speaks(1.1)
    assert isinstance(commands[-1], Interrupted)
    assert commands[-1].cuts_in


def test_when_words_are_counted_the_reply_goes_on_while_they_are() -> None:
    stage = speaking(num_words=3)
    assert kinds(stage.speaks(1.0)) == [SpeechStarted, OverlapGrown, OverlapGrown]
    assert stage.machine.overlap(2, False, now=stage.now) == []
    assert stage.state == "overlapping"
    assert kinds(stage.machine.overlap(2, True, now=stage.now)) == [Interrupted]
    assert stage.state == "hearing"


def test_too_few_words_are_forgotten() -> None:
    stage = speaking(num_words=3)
    stage.speaks(0.3)
    assert stage.is_silent(0.3) == [OverlapPaused(2)]
    assert stage.machine.overlap(2, False, now=stage.now) == [OverlapDismissed(2)]
    assert stage.state == "speaking"


def test_enough_words_interrupt_also_after_a_pause() -> None:
    stage = speaking(num_words=2)
    stage.speaks(0.3)
    stage.is_silent(0.3)
    assert kinds(stage.machine.overlap(2, True, now=stage.now)) == [Interrupted, SpeechPaused]
    assert stage.state == "pausing"


def test_what_is_being_judged_when_the_reply_ends_is_answered() -> None:
    stage = speaking(num_words=3)
    stage.speaks(0.3)
    stage.is_silent(0.3)
    assert kinds(stage.machine.reply_over(1, now=stage.now)) == [SpeechPaused]
    assert stage.machine.overlap(2, False, now=stage.now) == [], "the verdict comes too late"


def test_a_protected_reply_is_never_interrupted_but_what_was_said_is_answered_after_it() -> None:
    stage = speaking(protected=True)
    assert stage.speaks(2.0) == [SpeechStarted(2)]
    assert stage.is_silent(1.5) == []
    assert kinds(stage.machine.reply_over(1, now=stage.now)) == [SpeechPaused, TurnEnded]
    assert stage.state == "thinking"


def test_speech_kept_over_a_protected_reply_goes_on_under_its_number() -> None:
    stage = speaking(protected=True)
    stage.speaks(0.5)
    stage.is_silent(0.5)
    assert stage.speaks(0.5) == []
    assert stage.machine.turn == 2


def test_a_reply_that_ends_while_the_caller_speaks_leaves_them_the_floor() -> None:
    stage = speaking(protected=True)
    stage.speaks(0.5)
    assert stage.machine.reply_over(1, now=stage.now) == []
    assert stage.state == "hearing"
    assert kinds(stage.is_silent(1.3)) == [SpeechPaused, TurnEnded]


def test_the_end_of_an_old_reply_changes_nothing() -> None:
    stage = speaking()
    assert stage.machine.reply_over(0, now=stage.now) == []
    assert stage.state == "speaking"


def test_the_reply_waits_for_wait_seconds_and_after_an_interruption_for_backoff_seconds() -> None:
    stage = speaking(backoff_seconds=2.0)
    began = stage.now
    stage.speaks(0.3)
    stage.is_silent(0.3)
    stage.machine.overlap(2, True, now=stage.now)
    assert stage.machine.may_speak_at == pytest.approx(began + 2.0)
    stage = Stage()
    stage.speaks(1.0)
    assert stage.machine.may_speak_at == pytest.approx(1.4)


def test_a_key_is_a_turn_of_its_own() -> None:
    stage = speaking()
    stage.machine.reply_over(1, now=stage.now)
    assert stage.machine.begin_turn() == 2
    assert stage.state == "thinking"


def test_a_key_ends_a_reply_and_the_next_words_are_an_utterance_like_any_other() -> None:
    stage = speaking()
    stage.machine.press_key()
    assert stage.state == "listening"
    assert stage.speaks(0.5) == [SpeechStarted(2)]
    assert kinds(stage.is_silent(1.3)) == [SpeechPaused, TurnEnded]


def test_a_key_changes_nothing_while_a_protected_reply_is_heard() -> None:
    stage = Stage()
    stage.machine.reply_heard(0, now=stage.now, protected=True)
    stage.speaks(0.5)
    stage.machine.press_key()
    assert stage.state == "overlapping"
    stage.machine.reply_over(0, now=stage.now)
    assert kinds(stage.is_silent(1.3)) == [SpeechPaused, TurnEnded], "what was said over it is answered"

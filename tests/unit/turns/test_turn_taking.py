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
class TurnScene:
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
    scene = TurnScene()
    assert scene.speaks(1.0) == [SpeechStarted(1)]
    assert scene.is_silent(0.22) == []
    assert scene.is_silent(0.04) == [SpeechPaused(1, 1.0)]
    assert scene.machine.expect(1, 0.4, now=scene.now) == []
    assert scene.is_silent(0.12) == []
    assert scene.is_silent(0.04) == [TurnEnded(1, 1.0)]
    assert scene.state == "thinking"


def test_evidence_that_comes_late_ends_the_turn_at_once() -> None:
    scene = TurnScene()
    scene.speaks(1.0)
    scene.is_silent(0.6)
    assert scene.machine.expect(1, 0.4, now=scene.now) == [TurnEnded(1, 1.0)]


def test_an_unfinished_sentence_is_waited_for() -> None:
    scene = TurnScene()
    scene.speaks(1.0)
    scene.is_silent(0.3)
    scene.machine.expect(1, 1.6, now=scene.now)
    assert scene.is_silent(1.2) == []
    assert kinds(scene.is_silent(0.2)) == [TurnEnded]


def test_without_any_evidence_a_longer_silence_ends_the_turn() -> None:
    scene = TurnScene()
    scene.speaks(1.0)
    assert kinds(scene.is_silent(1.18)) == [SpeechPaused]
    assert kinds(scene.is_silent(0.04)) == [TurnEnded]


def test_evidence_of_another_pause_does_not_count() -> None:
    scene = TurnScene()
    scene.speaks(1.0)
    scene.is_silent(0.3)
    scene.machine.expect(1, 0.4, now=scene.now)
    scene.speaks(0.5)
    assert kinds(scene.is_silent(0.6)) == [SpeechPaused], "the second pause has no evidence yet"
    assert scene.machine.expect(0, 0.4, now=scene.now) == [], "nor does that of another turn"


def test_a_click_is_no_voice() -> None:
    scene = TurnScene()
    assert scene.speaks(0.04) == []
    assert scene.is_silent(2.0) == []
    assert scene.state == "listening"


def test_going_on_after_a_pause_throws_the_recognition_away() -> None:
    scene = TurnScene()
    scene.speaks(1.0)
    scene.is_silent(0.3)
    assert scene.speaks(0.5) == [SpeechResumed(1)]
    assert kinds(scene.is_silent(1.3)) == [SpeechPaused, TurnEnded]


def test_going_on_before_the_reply_is_heard_withdraws_it_and_keeps_the_turn() -> None:
    scene = TurnScene()
    scene.speaks(1.0)
    scene.is_silent(1.3)
    assert scene.state == "thinking"
    assert scene.speaks(0.2) == [SpeechResumed(1)]
    assert scene.machine.turn == 1
    assert scene.state == "hearing"


def test_frames_that_do_not_come_are_silence() -> None:
    scene = TurnScene()
    scene.speaks(1.0)
    assert kinds(scene.nothing_comes(0.25)) == [SpeechPaused]
    assert kinds(scene.nothing_comes(1.00)) == [TurnEnded]


def speaking(*, protected: bool = False, **options: float) -> TurnScene:
    """The assistant has been answering turn 1 for a second."""
    scene = TurnScene(TurnTaking(TurnOptions(**{"pause_seconds": 0.24, **options})))  # type: ignore[arg-type]
    scene.speaks(1.0)
    scene.is_silent(1.3)
    scene.machine.reply_heard(1, now=scene.now, protected=protected)
    scene.is_silent(1.0)
    return scene


def test_a_voice_over_the_reply_silences_it_at_once_and_its_words_interrupt_it() -> None:
    scene = speaking()
    began = scene.now
    assert scene.speaks(0.08) == [SpeechStarted(2)]
    began = round(began, 6)
    assert scene.speaks(0.02) == [ReplyHeld(2)]
    assert scene.speaks(0.4) == []
    ended = scene.now
    assert scene.is_silent(0.3) == [OverlapPaused(2)]
    verdict = scene.machine.overlap(2, True, now=scene.now)
    assert verdict == [Interrupted(2, cuts_in=False), SpeechPaused(2, ended)]
    assert scene.state == "pausing"


def test_a_cough_over_the_reply_lets_it_go_on() -> None:
    scene = speaking()
    assert kinds(scene.speaks(0.3)) == [SpeechStarted, ReplyHeld]
    assert scene.is_silent(0.3) == [OverlapPaused(2)]
    assert scene.machine.overlap(2, False, now=scene.now) == [ReplyResumed(2), OverlapDismissed(2)]
    assert scene.state == "speaking"


def test_a_voice_shorter_than_voice_seconds_is_dismissed_without_being_understood() -> None:
    scene = speaking()
    assert kinds(scene.speaks(0.14)) == [SpeechStarted, ReplyHeld]
    assert kinds(scene.is_silent(0.3)) == [ReplyResumed, OverlapDismissed]
    assert scene.state == "speaking"


def test_a_click_over_the_reply_does_not_even_silence_it() -> None:
    scene = speaking()
    assert kinds(scene.speaks(0.08)) == [SpeechStarted]
    assert scene.is_silent(0.3) == [OverlapDismissed(2)]


def test_a_voice_that_goes_on_interrupts_without_being_understood() -> None:
    scene = speaking()
    scene.speaks(0.9)
    assert kinds(scene.speaks(0.12)) == [Interrupted]
    assert scene.state == "hearing"
    assert kinds(scene.is_silent(1.3)) == [SpeechPaused, TurnEnded]


def test_going_on_before_the_verdict_is_one_utterance() -> None:
    scene = speaking()
    scene.speaks(0.4)
    scene.is_silent(0.3)
    assert scene.speaks(0.1) == [SpeechResumed(2)]
    assert scene.state == "reply held"


def test_an_overlap_whose_verdict_does_not_come_interrupts() -> None:
    scene = speaking()
    scene.speaks(0.4)
    assert kinds(scene.is_silent(2.6)) == [*[OverlapPaused, Interrupted, SpeechPaused, TurnEnded][:3], TurnEnded]


def test_who_speaks_on_as_the_reply_begins_was_interrupted_by_it() -> None:
    scene = TurnScene()
    scene.speaks(1.0)
    scene.is_silent(1.3)
    scene.machine.reply_heard(1, now=scene.now)
    scene.is_silent(0.1)
    commands = scene.speaks(1.1)
    assert isinstance(commands[-1], Interrupted)
    assert commands[-1].cuts_in


def test_when_words_are_counted_the_reply_goes_on_while_they_are() -> None:
    scene = speaking(num_words=3)
    assert kinds(scene.speaks(1.0)) == [SpeechStarted, OverlapGrown, OverlapGrown]
    assert scene.machine.overlap(2, False, now=scene.now) == []
    assert scene.state == "overlapping"
    assert kinds(scene.machine.overlap(2, True, now=scene.now)) == [Interrupted]
    assert scene.state == "hearing"


def test_too_few_words_are_forgotten() -> None:
    scene = speaking(num_words=3)
    scene.speaks(0.3)
    assert scene.is_silent(0.3) == [OverlapPaused(2)]
    assert scene.machine.overlap(2, False, now=scene.now) == [OverlapDismissed(2)]
    assert scene.state == "speaking"


def test_enough_words_interrupt_also_after_a_pause() -> None:
    scene = speaking(num_words=2)
    scene.speaks(0.3)
    scene.is_silent(0.3)
    assert kinds(scene.machine.overlap(2, True, now=scene.now)) == [Interrupted, SpeechPaused]
    assert scene.state == "pausing"


def test_what_is_being_judged_when_the_reply_ends_is_answered() -> None:
    scene = speaking(num_words=3)
    scene.speaks(0.3)
    scene.is_silent(0.3)
    assert kinds(scene.machine.reply_over(1, now=scene.now)) == [SpeechPaused]
    assert scene.machine.overlap(2, False, now=scene.now) == [], "the verdict comes too late"


def test_a_protected_reply_is_never_interrupted_but_what_was_said_is_answered_after_it() -> None:
    scene = speaking(protected=True)
    assert scene.speaks(2.0) == [SpeechStarted(2)]
    assert scene.is_silent(1.5) == []
    assert kinds(scene.machine.reply_over(1, now=scene.now)) == [SpeechPaused, TurnEnded]
    assert scene.state == "thinking"


def test_speech_kept_over_a_protected_reply_goes_on_under_its_number() -> None:
    scene = speaking(protected=True)
    scene.speaks(0.5)
    scene.is_silent(0.5)
    assert scene.speaks(0.5) == []
    assert scene.machine.turn == 2


def test_a_reply_that_ends_while_the_caller_speaks_leaves_them_the_floor() -> None:
    scene = speaking(protected=True)
    scene.speaks(0.5)
    assert scene.machine.reply_over(1, now=scene.now) == []
    assert scene.state == "hearing"
    assert kinds(scene.is_silent(1.3)) == [SpeechPaused, TurnEnded]


def test_the_end_of_an_old_reply_changes_nothing() -> None:
    scene = speaking()
    assert scene.machine.reply_over(0, now=scene.now) == []
    assert scene.state == "speaking"


def test_the_reply_waits_for_wait_seconds_and_after_an_interruption_for_backoff_seconds() -> None:
    scene = speaking(backoff_seconds=2.0)
    began = scene.now
    scene.speaks(0.3)
    scene.is_silent(0.3)
    scene.machine.overlap(2, True, now=scene.now)
    assert scene.machine.may_speak_at == pytest.approx(began + 2.0)
    scene = TurnScene()
    scene.speaks(1.0)
    assert scene.machine.may_speak_at == pytest.approx(1.4)


def test_a_key_is_a_turn_of_its_own() -> None:
    scene = speaking()
    scene.machine.reply_over(1, now=scene.now)
    assert scene.machine.begin_turn() == 2
    assert scene.state == "thinking"


def test_a_key_ends_a_reply_and_the_next_words_are_an_utterance_like_any_other() -> None:
    scene = speaking()
    scene.machine.press_key()
    assert scene.state == "listening"
    assert scene.speaks(0.5) == [SpeechStarted(2)]
    assert kinds(scene.is_silent(1.3)) == [SpeechPaused, TurnEnded]


def test_a_key_changes_nothing_while_a_protected_reply_is_heard() -> None:
    scene = TurnScene()
    scene.machine.reply_heard(0, now=scene.now, protected=True)
    scene.speaks(0.5)
    scene.machine.press_key()
    assert scene.state == "overlapping"
    scene.machine.reply_over(0, now=scene.now)
    assert kinds(scene.is_silent(1.3)) == [SpeechPaused, TurnEnded], "what was said over it is answered"


def test_a_reply_that_is_cut_by_something_else_than_a_voice_leaves_what_is_said_over_it_alone() -> None:
    scene = speaking()
    scene.speaks(0.08)
    assert scene.state == "overlapping"
    scene.machine.reply_cut()
    assert scene.state == "hearing"
    scene.is_silent(0.3)
    assert scene.state == "pausing"
    scene = speaking()
    scene.machine.reply_cut()
    assert scene.state == "listening"

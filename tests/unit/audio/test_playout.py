from __future__ import annotations

import numpy as np

from ari_assistant.audio.frame import Pcm
from tests.support.sink import LocalSink, local_playout


def pcm(samples: int, value: int = 1) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.full(samples, value, np.int16)


def play(line: LocalSink, frames: int) -> list[int]:
    popped = [line.pop() for _ in range(frames)]
    return [0 if frame is None else int(frame.size) for frame in popped]


def test_frames_run_over_chunk_and_clause_borders_and_the_last_is_padded() -> None:
    playout, line = local_playout()
    playout.open(1)
    playout.clause(1, "One.")
    playout.push(1, pcm(100, 1))
    playout.push(1, pcm(100, 2))
    playout.clause(1, "Two.")
    playout.push(1, pcm(150, 3))
    playout.finish(1)
    first, second, third, fourth = (line.pop() for _ in range(4))
    assert first is not None
    assert first.tolist() == [1] * 100 + [2] * 60
    assert second is not None
    assert second.tolist() == [2] * 40 + [3] * 120
    assert third is not None
    assert third.tolist() == [3] * 30 + [0] * 130
    assert fourth is None
    assert playout.drained


def test_cutting_takes_effect_at_the_next_frame() -> None:
    playout, line = local_playout()
    playout.open(1)
    playout.clause(1, "a")
    playout.push(1, pcm(8000))
    assert play(line, 2) == [160, 160]
    playout.close()
    assert line.pop() is None


def test_what_arrives_late_from_a_cancelled_reply_is_dropped() -> None:
    playout, line = local_playout()
    playout.open(1)
    playout.clause(1, "old")
    playout.close()
    assert not playout.push(1, pcm(160))
    playout.open(2)
    playout.clause(1, "old")
    assert not playout.push(1, pcm(160))
    assert line.pop() is None


def test_only_the_words_that_were_played_count_as_spoken() -> None:
    playout, line = local_playout()
    playout.open(3)
    playout.clause(3, "First clause.")
    playout.push(3, pcm(320))
    playout.clause(3, "alpha bravo charlie delta")
    playout.push(3, pcm(1600))
    playout.clause(3, "never")
    playout.push(3, pcm(160))
    play(line, 2 + 5)
    spoken = playout.close()
    assert spoken is not None
    assert spoken.text == "First clause. alpha bravo"
    assert spoken.samples == 320 + 800
    assert not spoken.complete


def test_a_reply_of_which_nothing_was_played_was_not_spoken() -> None:
    playout, _ = local_playout()
    playout.open(1)
    playout.clause(1, "unheard")
    playout.push(1, pcm(1600))
    spoken = playout.close()
    assert spoken is not None
    assert spoken.text == ""
    assert spoken.samples == 0


def test_a_clause_whose_audio_is_still_coming_is_waited_for() -> None:
    playout, line = local_playout()
    playout.open(1)
    playout.clause(1, "slow")
    playout.push(1, pcm(160))
    assert line.pop() is not None
    assert line.pop() is None
    assert not playout.drained
    playout.push(1, pcm(160))
    assert line.pop() is not None
    playout.finish(1)
    assert playout.drained


def _frames(line: LocalSink) -> list[Pcm]:
    found = []
    while (frame := line.pop()) is not None:
        found.append(frame)
    return found


def _words_with_gaps() -> Pcm:
    """Four "words" of 300 ms, 100 ms of quiet between them."""
    word = np.full(2400, 5000, np.int16)
    return np.concatenate([np.concatenate([word, np.zeros(800, np.int16)]) for _ in range(4)])


def test_a_held_reply_is_silent_and_goes_on_at_the_word_that_was_cut() -> None:
    playout, line = local_playout()
    playout.open(1)
    playout.clause(1, "one two three four")
    playout.push(1, _words_with_gaps())
    playout.finish(1)
    for _ in range(25):  # 500 ms: in the second word, which began at 400 ms
        line.pop()
    playout.hold()
    assert line.pop() is None
    assert not playout.drained
    spoken = playout.spoken()
    assert spoken is not None
    assert spoken.text == "one"
    playout.resume()
    first = line.pop()
    assert first is not None
    rest = [first, *_frames(line)]
    missing = (4 * 3200 - 25 * 160) / 160
    assert len(rest) > missing, "a little is said again"
    assert len(rest) * 160 <= 3 * 3200 + 800, "but not the first word"
    assert playout.drained


def test_what_was_heard_before_the_cut_stays_heard() -> None:
    playout, line = local_playout()
    playout.open(1)
    playout.clause(1, "one two three four")
    playout.push(1, _words_with_gaps())
    for _ in range(60):
        line.pop()
    playout.hold()
    before = playout.spoken()
    playout.resume()
    line.pop()
    after = playout.close()
    assert before is not None
    assert after is not None
    assert after.text == before.text


def test_a_reply_that_had_hardly_begun_begins_again() -> None:
    playout, line = local_playout()
    playout.open(1)
    playout.clause(1, "one two three four")
    playout.push(1, _words_with_gaps())
    for _ in range(5):
        line.pop()
    playout.hold()
    playout.resume()
    assert len(_frames(line)) == 4 * 3200 // 160


def test_holding_nothing_holds_nothing() -> None:
    playout, line = local_playout()
    playout.hold()
    assert not playout.silent
    playout.open(1)
    assert line.pop() is None


def test_what_waits_while_nobody_listens_begins_again_with_the_sentence_that_was_cut() -> None:
    playout, line = local_playout()
    playout.open(1)
    playout.clause(1, "Whole.")
    playout.push(1, pcm(160, 1))
    playout.clause(1, "one two three four")
    playout.push(1, _words_with_gaps())
    for _ in range(40):
        line.pop()
    playout.pause()
    playout.hold()
    playout.push(1, pcm(160, 2))
    assert line.pop() is None
    playout.resume()
    assert line.pop() is None, "resumed, but still nobody listens"
    playout.unpause()
    assert len(_frames(line)) == 4 * 3200 // 160 + 1


def test_a_reply_that_begins_while_nobody_listens_waits_whole() -> None:
    playout, line = local_playout()
    playout.pause()
    playout.open(1)
    playout.clause(1, "One.")
    playout.push(1, pcm(320))
    playout.finish(1)
    assert line.pop() is None
    assert not playout.drained
    playout.unpause()
    assert play(line, 3) == [160, 160, 0]
    assert playout.drained

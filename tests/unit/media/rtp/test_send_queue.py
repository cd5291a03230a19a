"""What one caller is sent: no sound begins, ends or is cut with a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_assistant.audio.codec import CODECS
from ari_assistant.audio.frame import Pcm
from ari_assistant.media.rtp.send_queue import SendQueue
from tests.support.levels import largest_step
from tests.support.tones import tone

LOUD = tone(100, 1.0)
"""Its own largest step is 770, its peak 9,830."""
SMOOTH = 3_500
"""What a step may be where two such tones fade into each other, µ-law's own steps included."""


def heard(queue: SendQueue, frames: int) -> Pcm:
    """The next frames, as the far end decodes them."""
    codec = queue._codec
    return np.concatenate([codec.decoder().decode(queue.pop() or codec.silent_payload) for _ in range(frames)])


def queue_of(codec: str = "ulaw") -> SendQueue:
    return SendQueue(CODECS[codec])


def flush(queue: SendQueue) -> None:
    queue.flush(queue.epoch + 1)


def barge_in(queue: SendQueue) -> Pcm:
    queue.push(LOUD)
    before = heard(queue, 3)
    flush(queue)
    return np.concatenate([before, heard(queue, 2)])


def next_reply_over_a_cut_one(queue: SendQueue) -> Pcm:
    queue.push(LOUD[20:])
    before = heard(queue, 3)
    flush(queue)
    queue.push(LOUD[20:])
    return np.concatenate([before, heard(queue, 2)])


def held_and_resumed_amid_a_word(queue: SendQueue) -> Pcm:
    queue.push(LOUD)
    before = heard(queue, 3)
    flush(queue)
    between = heard(queue, 5)
    queue.push(LOUD[460:])
    return np.concatenate([before, between, heard(queue, 3)])


def end_within_a_frame(queue: SendQueue) -> Pcm:
    queue.push(LOUD[: 2 * 160 + 140])
    return heard(queue, 4)


def end_with_a_frame(queue: SendQueue) -> Pcm:
    queue.push(LOUD[20 : 20 + 160])
    return heard(queue, 3)


def hum_cut_by_a_reply(queue: SendQueue) -> Pcm:
    queue.fill_silence(LOUD[:800])
    before = heard(queue, 2)
    queue.push(LOUD[20:200])
    return np.concatenate([before, heard(queue, 6)])


def hum_flushed(queue: SendQueue) -> Pcm:
    queue.fill_silence(LOUD[20:1600])
    before = heard(queue, 2)
    flush(queue)
    return np.concatenate([before, heard(queue, 2)])


@pytest.mark.parametrize("codec", ["ulaw", "alaw"])
@pytest.mark.parametrize(
    "scene",
    [
        barge_in, next_reply_over_a_cut_one, held_and_resumed_amid_a_word, end_within_a_frame, end_with_a_frame,
        hum_cut_by_a_reply, hum_flushed,
    ],
)  # fmt: skip
def test_no_cut_clicks(scene: Callable[[SendQueue], Pcm], codec: str) -> None:
    assert largest_step(scene(queue_of(codec))) < SMOOTH


def test_a_cut_takes_five_milliseconds_and_no_more() -> None:
    queue = queue_of()
    queue.push(LOUD)
    heard(queue, 3)
    flush(queue)
    after = heard(queue, 2)
    assert after[:40].any()
    assert not after[40:].any()
    assert queue.idle
    assert queue.played == 0, "what fades is not counted as heard"


def test_what_begins_softly_is_sent_as_it_is() -> None:
    queue = queue_of()
    queue.push(LOUD)
    ulaw = CODECS["ulaw"]
    assert queue.pop() == ulaw.encoder().encode(LOUD[:160])


def test_a_cut_with_a_background_leaves_the_background_whole() -> None:
    with_voice, alone = queue_of(), queue_of()
    for queue in (with_voice, alone):
        queue.background = _Hum()  # type: ignore[assignment]
    with_voice.push(LOUD)
    heard(with_voice, 3)
    heard(alone, 3)
    flush(with_voice)
    after, undisturbed = heard(with_voice, 2), heard(alone, 2)
    assert after[40:].tolist() == undisturbed[40:].tolist()


class _Hum:
    """Stands where a background does."""

    def __init__(self) -> None:
        self._at = 0

    def under(self, frame: Pcm | None, count: int) -> Pcm:
        self._at += count
        sound = (300 * np.sin(np.arange(self._at - count, self._at) / 9)).astype(np.int16)
        return sound if frame is None else sound + frame


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("play"), st.integers(0, 700), st.integers(1, 700)),
        st.tuples(st.just("fill_silence"), st.integers(0, 700), st.integers(1, 400)),
        st.tuples(st.just("flush")),
        st.tuples(st.just("pop"), st.integers(1, 4)),
    ),
    max_size=30,
)


@given(STEPS, st.sampled_from(["ulaw", "alaw"]))
def test_whatever_is_ordered_no_step_is_heard_but_where_two_chunks_were_given_as_one(
    steps: list[tuple[Any, ...]], codec: str
) -> None:
    queue = queue_of(codec)
    parts = [np.zeros(0, np.int16)]
    for step in steps:
        match step:
            case ("play", at, size) if not queue.speaking:
                queue.push(LOUD[at : at + size])
            case ("fill_silence", at, size) if not queue.speaking:
                queue.fill_silence(LOUD[at - at % 80 : at - at % 80 + -(-size // 160) * 160])
            case ("flush",):
                flush(queue)
            case ("pop", count):
                parts.append(heard(queue, count))
    assert largest_step(np.concatenate([*parts, heard(queue, 12)])) < SMOOTH

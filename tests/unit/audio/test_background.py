"""A sound behind the voice."""

from __future__ import annotations

import numpy as np

from ari_assistant.audio.background import Background, room_tone
from ari_assistant.audio.frame import FRAME_SAMPLES
from tests.support.levels import largest_step
from tests.support.tones import tone


def test_it_repeats_without_end_and_is_quiet() -> None:
    background = Background(np.arange(-500, 500, dtype=np.int16) * 30)
    heard = np.concatenate([background.under(None) for _ in range(100)])
    assert heard.size == 100 * FRAME_SAMPLES
    assert np.array_equal(heard[750:1500], heard[1500:2250])
    rms = np.sqrt((heard.astype(float) ** 2).mean())
    assert 200 < rms < 320


def test_it_begins_and_repeats_without_a_click() -> None:
    sound = tone(310, 1.03)  # ends elsewhere than it begins
    background = Background(sound)
    heard = np.concatenate([background.under(None) for _ in range(200)])
    assert abs(int(heard[0])) < 10
    assert largest_step(heard) < 1.6 * largest_step(heard[2_000:6_000])


def test_a_voice_lies_over_it_and_is_not_clipped_round() -> None:
    background = Background(np.full(8000, 1000, np.int16))
    background.under(None)
    loud = np.full(FRAME_SAMPLES, 32_700, np.int16)
    assert background.under(loud).max() == 32_767


def test_a_short_or_silent_sound_does_no_harm() -> None:
    assert Background(np.ones(3, np.int16)).under(None).size == FRAME_SAMPLES
    assert not Background(np.zeros(10, np.int16)).under(None).any()


def test_the_room_is_the_same_every_time() -> None:
    assert np.array_equal(room_tone(1.0), room_tone(1.0))
    assert room_tone(1.0).size == 8000

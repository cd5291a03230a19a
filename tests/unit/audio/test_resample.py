from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ari_assistant.audio.resample import Halver

DELAY_SECONDS = 30 / 16_000
"""Half of the filter's 63 taps, less the sample that is there already."""


def halved(sound: NDArray[np.int16]) -> NDArray[np.int16]:
    halver = Halver()
    return np.concatenate([halver.halve([7], frame[None])[0] for frame in sound.reshape(-1, 320)])


def wave(hertz: float, seconds: float = 0.4) -> NDArray[np.int16]:
    at = np.arange(round(seconds * 16_000)) / 16_000
    sound: NDArray[np.int16] = (np.sin(2 * np.pi * hertz * at) * 10_000).astype(np.int16)
    return sound


@pytest.mark.parametrize("hertz", [100, 1_000, 3_000, 3_400])
def test_what_both_can_carry_passes_unchanged_but_for_the_delay(hertz: float) -> None:
    out = halved(wave(hertz)).astype(float)
    at = np.arange(out.size) / 8_000 - DELAY_SECONDS
    expected = np.sin(2 * np.pi * hertz * at) * 10_000
    assert np.abs(out[100:] - expected[100:]).max() < 150


@pytest.mark.parametrize("hertz", [4_700, 6_000, 7_500])
def test_what_eight_kilohertz_cannot_carry_does_not_come_back_as_something_else(hertz: float) -> None:
    assert np.abs(halved(wave(hertz))[100:]).max() < 60


def test_frames_join_without_a_seam() -> None:
    sound = wave(440)
    whole = Halver().halve([1], sound[:320][None])
    assert whole.shape == (1, 160)
    smooth = np.abs(np.diff(halved(sound).astype(int), 2))[100:]
    assert smooth.max() < 1.2 * 10_000 * (2 * np.pi * 440 / 8_000) ** 2


def test_streams_do_not_mix() -> None:
    halver = Halver()
    loud, quiet = wave(500)[:320], np.zeros(320, np.int16)
    halver.halve([1, 2], np.stack([loud, quiet]))
    assert not halver.halve([2], quiet[None]).any()
    halver.remove(1)
    assert not halver.halve([1], quiet[None]).any()

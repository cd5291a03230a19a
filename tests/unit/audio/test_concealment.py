from __future__ import annotations

import numpy as np
import pytest

from ari_assistant.audio.concealment import comfort_noise, conceal, join
from ari_assistant.audio.frame import Pcm
from tests.support.tones import tone


def voice(seconds: float = 0.4, *, pitch: float = 120.0, rate: int = 8_000) -> Pcm:
    """A buzz with a voice's formants: what concealment is made for."""
    at = np.arange(round(seconds * rate)) / rate
    sound = sum(
        np.sin(2 * np.pi * pitch * k * at + k) / (1 + ((pitch * k - 700) / 300) ** 2) for k in range(1, 24)
    )
    scaled: Pcm = (sound / np.abs(sound).max() * 9_000).astype(np.int16)
    return scaled


def error(made: Pcm, true: Pcm) -> float:
    """Energy of the difference, against that of silence."""
    wide = true.astype(np.float64)
    return float(((made - wide) ** 2).sum() / (wide**2).sum())


@pytest.mark.parametrize("pitch", [80.0, 120.0, 190.0])
@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_a_lost_frame_of_voice_is_made_up_far_better_than_by_silence(pitch: float, rate: int) -> None:
    sound = voice(pitch=pitch, rate=rate)
    frame, cut = rate // 50, rate // 4
    made = conceal(sound[cut - 3 * frame : cut], frame, rate)
    assert error(made, sound[cut : cut + frame]) < 0.25


def test_it_fades_and_is_gone_after_60_ms() -> None:
    sound = voice()
    made = conceal(sound[1_520:2_000], 1_600, 8_000).astype(np.float64)
    energies = [float((made[n : n + 160] ** 2).mean()) for n in range(0, 1_600, 160)]
    assert energies[0] > energies[1] > energies[2] > 0
    assert not any(energies[3:])


def test_the_beginning_does_not_click() -> None:
    sound = voice()
    made = conceal(sound[1_520:2_000], 160, 8_000)
    steps = np.abs(np.diff(sound[1_520:2_000].astype(int))).max()
    assert abs(int(made[0]) - int(sound[1_999])) <= 1.5 * steps


def test_nothing_is_made_of_silence_or_of_nothing() -> None:
    assert not conceal(np.zeros(480, np.int16), 160, 8_000).any()
    assert not conceal(np.zeros(0, np.int16), 160, 8_000).any()
    assert conceal(voice()[:80], 160, 8_000).size == 160


def test_the_first_frame_after_a_loss_is_led_over_into() -> None:
    substitute, frame = tone(500, 0.02), tone(1500, 0.02)
    joined = join(substitute, frame, 8_000)
    assert abs(int(joined[0]) - int(substitute[-1])) < abs(int(frame[0]) - int(substitute[-1])) + 1
    assert joined[40:].tolist() == frame[40:].tolist()
    assert join(np.zeros(160, np.int16), frame, 8_000) is frame


@pytest.mark.parametrize(("level", "rms"), [(30, 1036), (60, 33), (127, 0)])
def test_comfort_noise_has_the_level_that_its_payload_says(level: int, rms: float) -> None:
    noise = comfort_noise(bytes([level, 9, 9]), 8_000, seed=1).astype(np.float64)
    assert np.sqrt((noise**2).mean()) == pytest.approx(rms, rel=0.06, abs=0.5)


def test_an_empty_comfort_noise_payload_is_silence() -> None:
    assert not comfort_noise(b"", 160, seed=1).any()

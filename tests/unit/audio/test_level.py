"""Every voice at one level, sentence for sentence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_assistant.audio.frame import Pcm
from ari_assistant.audio.level import ActiveLevel, Leveller
from tests.support.levels import active_level

SAMPLES = st.lists(st.integers(-32768, 32767), max_size=400).map(lambda values: np.array(values, np.int16))


def babble(level_db: float, *, seconds: float = 2.0, seed: int = 1, rate: int = 8_000) -> Pcm:
    """Noise that comes and goes like syllables, with pauses, about as loud as `level_db` while it is there."""
    random = np.random.default_rng(seed)
    at = np.arange(round(seconds * rate)) / rate
    syllables = np.clip(np.sin(2 * np.pi * 4 * at), 0, 1) * (np.sin(2 * np.pi * 0.7 * at) > -0.6)
    wave = random.normal(0, 1, at.size) * syllables
    wave *= 10 ** (level_db / 20) / np.sqrt((wave[syllables > 0.1] ** 2).mean())
    pcm: Pcm = np.clip(wave * 32768, -32768, 32767).astype(np.int16)
    return pcm


def levelled(pcm: Pcm, *, rate: int = 8_000, gain_db: float = 0.0, chunk: int = 0) -> Pcm:
    leveller = Leveller(rate, gain_db=gain_db)
    parts = [pcm[at : at + chunk] for at in range(0, pcm.size, chunk)] if chunk else [pcm]
    return np.concatenate([*(leveller.push(part) for part in parts), leveller.finish()])


@given(SAMPLES, st.integers(1, 90), st.sampled_from([8_000, 16_000]))
def test_how_the_audio_is_cut_makes_no_difference(pcm: Pcm, chunk: int, rate: int) -> None:
    assert levelled(pcm, rate=rate, chunk=chunk).tolist() == levelled(pcm, rate=rate).tolist()


@given(SAMPLES, st.floats(-18, 18))
def test_as_many_samples_come_out_as_went_in_and_none_changes_its_sign(pcm: Pcm, gain_db: float) -> None:
    out = levelled(pcm, gain_db=gain_db)
    assert out.size == pcm.size
    assert (out.astype(np.int32) * pcm >= 0).all()


@given(SAMPLES, st.floats(-18, 18))
def test_nothing_is_clipped(pcm: Pcm, gain_db: float) -> None:
    assert np.abs(levelled(pcm, gain_db=gain_db).astype(np.int32)).max(initial=0) < 32767


def test_silence_stays_silence() -> None:
    assert not levelled(np.zeros(1_000, np.int16)).any()


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_a_usual_voice_leaves_at_about_20_db_below_full_scale(rate: int) -> None:
    assert active_level(levelled(babble(-22.2, rate=rate), rate=rate), rate) == pytest.approx(-20, abs=1.5)


def test_of_six_decibels_between_two_sentences_at_most_two_are_left() -> None:
    loud, quiet = (active_level(levelled(babble(level))) for level in (-19, -25))
    assert 0 < loud - quiet < 2


@pytest.mark.parametrize("level", [-12.0, -22.0, -34.0])
def test_a_voice_that_is_known_is_as_loud_as_any_other(level: float) -> None:
    known = ActiveLevel()
    for seed in range(20):
        known.learn(babble(level, seed=seed), 8_000)
    out = levelled(babble(level, seed=99), gain_db=known.gain_db)
    assert active_level(out) == pytest.approx(active_level(levelled(babble(-22.2, seed=99))), abs=1)


def test_the_gain_of_a_voice_stays_once_it_is_known() -> None:
    known = ActiveLevel()
    while not known.known:
        known.learn(babble(-30), 8_000)
    gain = known.gain_db
    known.learn(babble(-10), 8_000)
    assert known.gain_db == gain


def test_nothing_is_learnt_of_silence() -> None:
    known = ActiveLevel()
    known.learn(np.zeros(80_000, np.int16), 8_000)
    assert known.gain_db == 0.0

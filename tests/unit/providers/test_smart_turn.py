"""The end-of-turn model: its features and its answer."""

from __future__ import annotations

import numpy as np
import pytest

from ari_assistant.providers.smart_turn import SmartTurnEngine, log_mel, model_path


def test_features_have_the_shape_and_the_range_that_the_model_knows() -> None:
    audio = np.random.default_rng(1).normal(size=40_000).astype(np.float32)
    features = log_mel(audio)
    assert features.shape == (80, 800)
    assert features.dtype == np.float32
    assert features.max() - features.min() <= 2.0 + 1e-6, "eight decades, a quarter each"


def test_a_tone_lies_in_its_band() -> None:
    at = np.arange(16_000 * 8) / 16_000
    energy = log_mel(np.sin(2 * np.pi * 1000 * at).astype(np.float32)).mean(axis=1)
    # 1 kHz is 15 mel of 45.2 on Slaney's scale: filter 26 of 80.
    assert abs(int(energy.argmax()) - 26) <= 1


def test_only_the_last_eight_seconds_count() -> None:
    audio = np.random.default_rng(2).normal(size=16_000 * 10).astype(np.float32)
    assert np.array_equal(log_mel(audio), log_mel(audio[-16_000 * 8 :]))


@pytest.mark.models
@pytest.mark.skipif(model_path() is None, reason="the model was not fetched")
def test_it_gives_a_probability() -> None:
    engine = SmartTurnEngine()
    engine.load()
    (header, _), *rest = list(engine.run({}, np.zeros(16_000, np.int16).tobytes()))
    assert 0.0 <= header["finished"] <= 1.0
    assert rest == []

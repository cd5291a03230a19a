from __future__ import annotations

import numpy as np
import pytest

from ari_assistant.audio.trim import trim_leading_silence
from tests.support.tones import tone


@pytest.mark.parametrize("silent_ms", [0, 3, 20, 100, 290])
def test_a_voice_begins_at_once(silent_ms: int) -> None:
    sound = np.concatenate([np.full(silent_ms * 8, 20, np.int16), tone(500, 0.2)])
    left = trim_leading_silence(sound, 8_000)
    assert int(np.argmax(np.abs(left) > 80)) <= 42
    assert left[-1_600:].tolist() == sound[-1_600:].tolist(), "nothing of the voice is lost"


def test_a_pause_that_is_meant_stays() -> None:
    sound = np.concatenate([np.zeros(4_000, np.int16), tone(500, 0.1)])
    assert trim_leading_silence(sound, 8_000).size == sound.size
    assert not trim_leading_silence(np.zeros(100, np.int16), 8_000).any()
    assert trim_leading_silence(np.zeros(0, np.int16), 8_000).size == 0

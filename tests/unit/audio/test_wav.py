from __future__ import annotations

import numpy as np
import pytest

from ari_assistant.audio.wav import read_wav, wav_bytes

TONE = (9000 * np.sin(np.arange(16_000) / 6)).astype(np.int16)


def test_what_is_written_is_read() -> None:
    assert np.array_equal(read_wav(wav_bytes(TONE, 8_000)), TONE)


def test_other_rates_and_channels_arrive_as_mono_at_8_khz() -> None:
    stereo = np.stack([TONE, TONE], axis=1)
    narrow = read_wav(wav_bytes(stereo, 16_000))
    assert narrow.size == 8_000
    assert np.corrcoef(narrow[500:7_500], TONE[1_000:15_000:2])[0, 1] > 0.99


@pytest.mark.parametrize(
    "data",
    [b"", b"RIFF", b"ID3 this is MP3", wav_bytes(TONE, 8_000)[:30], wav_bytes(TONE, 1_000)],
)
def test_what_is_no_wav_file_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="WAV"):
        read_wav(data)


def test_a_file_that_was_cut_off_gives_what_it_has() -> None:
    assert read_wav(wav_bytes(TONE, 8_000)[:1_001]).size == (1_001 - 44) // 2

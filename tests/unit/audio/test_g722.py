from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest

from ari_assistant.audio.codec import CODECS
from ari_assistant.audio.frame import WIDE_RATE
from tests.support.tones import tone

G722 = CODECS["g722"]


def wide_tone(hertz: float, seconds: float) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    at = np.arange(round(seconds * WIDE_RATE)) / WIDE_RATE
    return (np.sin(2 * np.pi * hertz * at) * 9_000).astype(np.int16)


@pytest.mark.parametrize("hertz", [300, 1_000, 3_000, 5_000, 6_500])
def test_what_telephones_do_not_carry_survives(hertz: float) -> None:
    coder, decoder = G722.encoder(), G722.decoder()
    sound = wide_tone(hertz, 0.5)
    payload = b"".join(coder.encode(frame) for frame in sound.reshape(-1, 320))
    assert len(payload) == sound.size // 2
    heard = np.concatenate([decoder.decode(payload[at : at + 160]) for at in range(0, len(payload), 160)])
    spectrum = np.abs(np.fft.rfft(heard[1_600:].astype(float) * np.hanning(heard.size - 1_600)))
    assert np.argmax(spectrum) * WIDE_RATE / (heard.size - 1_600) == pytest.approx(hertz, abs=5)
    assert np.abs(heard[1_600:]).max() > 6_000


def test_frame_by_frame_is_the_same_as_in_one_piece() -> None:
    sound = np.concatenate([wide_tone(700, 0.1), wide_tone(4_500, 0.1)])
    one, many = G722.encoder(), G722.encoder()
    assert one.encode(sound) == b"".join(many.encode(frame) for frame in sound.reshape(-1, 320))


def test_it_is_bit_exact_with_ffmpeg() -> None:
    """The hashes are of what FFmpeg's encoder (PyAV 18.1.0) made of this signal, and its decoder of that."""
    n = np.arange(32_000, dtype=np.int64)
    sound = (((n * n * 7) // 640 % 65536 - 32768) // 4 + ((n * 331) % 4001 - 2000)).astype(np.int16)
    payload = G722.encoder().encode(sound)
    assert sha256(payload).hexdigest() == "27b77fdb3da8e2980180d898d7084fd3a502b81ce73178384f47c609180a676d"
    heard = G722.decoder().decode(payload).astype("<i2").tobytes()
    assert sha256(heard).hexdigest() == "9d9ef5ec683449aec4334630a7033d4ab341f204b9dc597bbbf702220ad02895"


def test_silence_is_quiet_from_the_first_frame_on() -> None:
    decoder = G722.decoder()
    heard = np.concatenate([decoder.decode(G722.silent_payload) for _ in range(10)])
    assert np.abs(heard).max() <= 32


def test_a_narrow_tone_is_no_wide_one() -> None:
    assert tone(440, 0.02).size * 2 == wide_tone(440, 0.02).size

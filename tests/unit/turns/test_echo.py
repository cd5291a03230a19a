"""The assistant's own voice is not the caller's."""

from __future__ import annotations

import numpy as np
import pytest

from ari_assistant.audio.frame import FRAME_SAMPLES, Pcm
from ari_assistant.audio.g711 import ULAW
from ari_assistant.turns.echo import EchoGuard

random = np.random.default_rng(5)


def voice(seed: int, seconds: float = 2.0) -> Pcm:
    """Noise with a speech-like spectrum and syllables."""
    random = np.random.default_rng(seed)
    samples = int(seconds * 8000)
    shaped = np.convolve(random.normal(size=samples), np.exp(-np.arange(40) / 8.0), "same")
    syllables = np.abs(np.sin(np.arange(samples) / 8000 * 2 * np.pi * 3)) + 0.05
    sound: Pcm = (shaped / np.abs(shaped).max() * syllables * 12_000).astype(np.int16)
    return sound


def likeness(sent: Pcm, heard: Pcm) -> list[float]:
    guard = EchoGuard()
    found = []
    for at in range(0, min(sent.size, heard.size) - FRAME_SAMPLES, FRAME_SAMPLES):
        guard.sent(sent[at : at + FRAME_SAMPLES])
        guard.heard(heard[at : at + FRAME_SAMPLES])
        found.append(guard.likeness())
    return found[30:]


@pytest.mark.parametrize("delay_ms", [0, 33, 120, 300, 500])
@pytest.mark.parametrize("decibels", [0, 12, 24])
def test_a_delayed_and_quieter_copy_is_echo(delay_ms: int, decibels: int) -> None:
    sent = voice(1)
    delayed = np.concatenate([np.zeros(delay_ms * 8, np.int16), sent])
    heard = ULAW.decode(ULAW.encode((delayed * 10 ** (-decibels / 20)).astype(np.int16)))
    assert min(likeness(sent, heard)) > 0.8


def test_another_voice_is_not() -> None:
    assert max(likeness(voice(1), voice(2))) < 0.8


def test_a_voice_over_the_echo_is_not() -> None:
    sent = voice(1)
    heard = (sent * 0.1 + voice(2)).astype(np.int16)
    assert np.median(likeness(sent, heard)) < 0.8


def test_without_anything_sent_nothing_is_echo() -> None:
    assert max(likeness(np.zeros(16_000, np.int16), voice(2))) == 0.0


def test_the_silence_behind_an_echo_is_still_the_echo() -> None:
    sent = voice(1)
    assert min(likeness(sent, np.zeros(16_000, np.int16))) == 1.0


def test_the_first_frame_of_a_voice_over_a_silent_line_counts() -> None:
    sent = voice(1)
    heard = np.concatenate([np.zeros(8_000, np.int16), voice(2, 1.0)])
    guard = EchoGuard()
    for at in range(0, 8_000 + 480, FRAME_SAMPLES):
        guard.sent(sent[at : at + FRAME_SAMPLES])
        guard.heard(heard[at : at + FRAME_SAMPLES])
    assert not guard.is_echo(), "60 ms of voice behind 100 ms of silence"

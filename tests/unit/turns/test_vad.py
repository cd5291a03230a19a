from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ari_assistant.media.frame import FRAME_SAMPLES, SILENCE
from ari_assistant.turns.vad import SharpEnd, SileroDetector, WebRtcDetector


def test_silero_is_asked_every_32_ms_with_32_samples_of_context() -> None:
    windows: list[NDArray[np.float32]] = []

    def model(window: NDArray[np.float32], state: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
        windows.append(window.copy())
        return 0.0, state + 1

    detector = SileroDetector(model)
    for number in range(16):
        detector.receive(np.arange(number * 160, number * 160 + 160, dtype=np.int16))
    assert len(windows) == 16 * 160 // 256
    assert windows[0].shape == (1, 288)
    assert (windows[0][0, :32] == 0).all()
    assert (windows[1][0, :32] == windows[0][0, -32:]).all()


def test_silero_holds_speech_until_it_falls_below_the_lower_threshold() -> None:
    script = iter([0.4, 0.6, 0.4, 0.3, 0.4])
    detector = SileroDetector(lambda _, state: (next(script), state), start=0.5, stop=0.35)
    results = [detector.receive(np.zeros(FRAME_SAMPLES, np.int16)) for _ in range(8)]
    changes = [a for a, b in zip(results, [None, *results], strict=False) if a != b]
    assert changes == [False, True, False]


def test_webrtc_takes_loud_noise_for_speech_but_not_silence() -> None:
    detector = WebRtcDetector(3)
    assert not any(detector.receive(SILENCE) for _ in range(50))
    noise = (np.random.default_rng(1).normal(0, 6000, 8000)).clip(-32768, 32767).astype(np.int16)
    assert any(detector.receive(frame) for frame in noise.reshape(-1, FRAME_SAMPLES))


class Scripted:
    """Says what it is told to."""

    def __init__(self, *flags: bool) -> None:
        self._flags = iter(flags)

    def receive(self, frame: NDArray[np.int16]) -> bool:
        return next(self._flags)


def _frame(level: int) -> NDArray[np.int16]:
    return np.full(FRAME_SAMPLES, level, np.int16)


def test_speech_ends_when_the_voice_does_although_the_detector_rings_on() -> None:
    detector = SharpEnd(Scripted(*[True] * 30))
    results = [detector.receive(_frame(5000)) for _ in range(20)] + [
        detector.receive(_frame(20)) for _ in range(10)
    ]
    assert results == [True] * 20 + [False] * 10


def test_a_soft_beginning_counts() -> None:
    detector = SharpEnd(Scripted(*[False] * 50, *[True] * 5))
    for _ in range(50):
        detector.receive(_frame(5000))  # loud, but not speech: a tone
    assert [detector.receive(_frame(60)) for _ in range(5)] == [True] * 5


def test_in_noise_nothing_ends_sooner() -> None:
    detector = SharpEnd(Scripted(*[True] * 40))
    assert all(detector.receive(_frame(5000)) for _ in range(20))
    assert all(detector.receive(_frame(800)) for _ in range(20))


def test_it_never_adds_speech() -> None:
    detector = SharpEnd(Scripted(*[False] * 10))
    assert not any(detector.receive(_frame(9000)) for _ in range(10))

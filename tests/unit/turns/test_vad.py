from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ari_assistant.audio.frame import FRAME_SAMPLES, SILENCE
from ari_assistant.turns.vad import OneDetector, SharpEnds, SileroDetectors, WebRtcDetectors


class Network:
    """Stands where Silero's network does: notes what it is asked, says what it is told to."""

    def __init__(self, *script: float) -> None:
        self.windows: list[NDArray[np.float32]] = []
        self._script = list(script)

    def __call__(
        self, windows: NDArray[np.float32], states: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        assert windows.shape[1:] == (288,)
        assert states.shape == (2, len(windows), 128)
        self.windows.append(windows.copy())
        answer = self._script.pop(0) if self._script else 0.0
        return np.full(len(windows), answer, np.float32), states + 1


def noise(level: int, seed: int = 1) -> NDArray[np.int16]:
    return np.random.default_rng(seed).normal(0, level, FRAME_SAMPLES).astype(np.int16)


def test_silero_is_asked_every_32_ms_with_32_samples_of_context() -> None:
    network = Network()
    detector = OneDetector(SileroDetectors(network, above_noise=0.0))
    for number in range(16):
        detector.receive(np.arange(number * 160, number * 160 + 160, dtype=np.int16))
    windows = network.windows
    assert len(windows) == 16 * 160 // 256
    assert windows[0].shape == (1, 288)
    assert (windows[0][0, :32] == 0).all()
    assert (windows[1][0, :32] == windows[0][0, -32:]).all()


def test_silero_holds_speech_until_it_falls_below_the_lower_threshold() -> None:
    detector = OneDetector(
        SileroDetectors(Network(0.4, 0.6, 0.4, 0.3, 0.4), start=0.5, stop=0.35, above_noise=0.0)
    )
    results = [detector.receive(noise(500, n)) for n in range(8)]
    changes = [a for a, b in zip(results, [None, *results], strict=False) if a != b]
    assert changes == [False, True, False]


def test_all_that_is_due_is_asked_at_once_and_every_call_keeps_its_own_state() -> None:
    network = Network(*[0.9] * 40)
    bank = SileroDetectors(network, above_noise=0.0)
    slots = [bank.add() for _ in range(40)]  # more than there were places for at first
    for n in range(4):
        bank.receive(slots, np.stack([noise(500, n)] * 40))
    assert [len(w) for w in network.windows] == [40, 40]
    bank.remove(slots[3])
    again = bank.add()
    assert again == slots[3]
    assert bank.receive([again], noise(500)[None]) == [False], "a new call knows nothing of the one before it"
    assert bank.receive([slots[4]], noise(500)[None]) == [True]


def test_a_silent_line_and_a_steady_hum_are_not_judged() -> None:
    network = Network(*[0.9] * 400)
    detector = OneDetector(SileroDetectors(network))
    for _ in range(200):
        assert not detector.receive(SILENCE)
    assert not network.windows, "nothing can be heard"
    for n in range(150):
        detector.receive(noise(200, n))
    judged = len(network.windows)
    network._script = [0.0] * 400
    for n in range(300):
        detector.receive(noise(200, n))
    settled = len(network.windows)
    for n in range(100):
        detector.receive(noise(200, n))
    assert len(network.windows) == settled, "the noise of the line is known"
    assert judged > 0, "it was looked at before"


def test_a_voice_over_the_noise_is_judged_at_once() -> None:
    network = Network(*[0.0] * 1000)
    detector = OneDetector(SileroDetectors(network))
    for n in range(300):
        detector.receive(noise(100, n))
    network._script = [0.9] * 10
    assert True in (detector.receive(noise(300, n)) for n in range(2))


def test_webrtc_takes_loud_noise_for_speech_but_not_silence() -> None:
    detector = OneDetector(WebRtcDetectors(3))
    assert not any(detector.receive(SILENCE) for _ in range(50))
    loud = (np.random.default_rng(1).normal(0, 6000, 8000)).clip(-32768, 32767).astype(np.int16)
    assert any(detector.receive(frame) for frame in loud.reshape(-1, FRAME_SAMPLES))


class Scripted:
    """Says what it is told to."""

    def __init__(self, *flags: bool) -> None:
        self._flags = iter(flags)

    def add(self) -> int:
        return 0

    def remove(self, slot: int) -> None:
        pass

    def receive(self, slots: Sequence[int], frames: NDArray[np.int16]) -> list[bool]:
        return [next(self._flags) for _ in slots]


def _frame(level: int) -> NDArray[np.int16]:
    return np.full(FRAME_SAMPLES, level, np.int16)


def test_speech_ends_when_the_voice_does_although_the_detector_rings_on() -> None:
    detector = OneDetector(SharpEnds(Scripted(*[True] * 30)))
    results = [detector.receive(_frame(5000)) for _ in range(20)] + [
        detector.receive(_frame(20)) for _ in range(10)
    ]
    assert results == [True] * 20 + [False] * 10


def test_a_soft_beginning_counts() -> None:
    detector = OneDetector(SharpEnds(Scripted(*[False] * 50, *[True] * 5)))
    for _ in range(50):
        detector.receive(_frame(5000))  # loud, but not speech: a tone
    assert [detector.receive(_frame(60)) for _ in range(5)] == [True] * 5


def test_in_noise_nothing_ends_sooner() -> None:
    detector = OneDetector(SharpEnds(Scripted(*[True] * 40)))
    assert all(detector.receive(_frame(5000)) for _ in range(20))
    assert all(detector.receive(_frame(800)) for _ in range(20))


def test_it_never_adds_speech() -> None:
    detector = OneDetector(SharpEnds(Scripted(*[False] * 10)))
    assert not any(detector.receive(_frame(9000)) for _ in range(10))

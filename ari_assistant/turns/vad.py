"""Voice activity: is there speech in this frame? Detectors for many calls at once, behind one interface.

A call has a slot in a bank of detectors. All frames that come in one wake-up are judged together: a neural network
costs a third a window when it is asked for thirty at a time, and the rest is arithmetic on columns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from ari_assistant.audio.frame import FRAME_SAMPLES, SAMPLE_RATE, Pcm

__all__ = [
    "OneDetector", "SharpEnds", "SileroDetectors", "SileroModel", "SpeechDetector", "SpeechDetectors",
    "WebRtcDetectors",
]  # fmt: skip

_FIRST_SLOTS = 16

_Scalar = TypeVar("_Scalar", bound=np.generic)


class SpeechDetectors(Protocol):
    """Detectors of any number of calls, one in each slot."""

    def add(self) -> int:
        """A new detector; returns its slot."""

    def remove(self, slot: int) -> None:
        """The slot is free again."""

    def receive(self, slots: Sequence[int], frames: NDArray[np.int16]) -> list[bool]:
        """Take one frame of each slot of `slots` (each at most once): shape (n, 160), 8 kHz. True while its caller
        speaks."""


class SpeechDetector(Protocol):
    """A detector of one call, fed with every frame, in order."""

    def receive(self, frame: Pcm) -> bool:
        """Take 160 samples (int16, 8 kHz); True while the caller speaks."""


class OneDetector:
    """A bank with one slot: a `SpeechDetector`."""

    def __init__(self, bank: SpeechDetectors) -> None:
        self._bank = bank
        self._slots = [bank.add()]

    def receive(self, frame: Pcm) -> bool:
        """See `SpeechDetector`."""
        return self._bank.receive(self._slots, frame[None])[0]


class _Slots:
    """Numbers that are given out and taken back; `size` is how many there ever were."""

    def __init__(self) -> None:
        self._free: list[int] = []
        self.size = 0

    def take(self) -> int:
        if self._free:
            return self._free.pop()
        self.size += 1
        return self.size - 1

    def give_back(self, slot: int) -> None:
        self._free.append(slot)


class WebRtcDetectors:
    """webrtcvad, smoothed: speech when three of the last five frames are. 4 µs a frame, but it takes ringback,
    DTMF and loud noise for speech."""

    def __init__(self, mode: int = 3) -> None:
        """`mode` 0 (takes most for speech) … 3 (least)."""
        self._mode = mode
        self._slots = _Slots()
        self._detectors: dict[int, tuple[webrtcvad.Vad, deque[bool]]] = {}

    def add(self) -> int:
        """See `SpeechDetectors`."""
        slot = self._slots.take()
        self._detectors[slot] = (webrtcvad.Vad(self._mode), deque(maxlen=5))
        return slot

    def remove(self, slot: int) -> None:
        """See `SpeechDetectors`."""
        del self._detectors[slot]
        self._slots.give_back(slot)

    def receive(self, slots: Sequence[int], frames: NDArray[np.int16]) -> list[bool]:
        """See `SpeechDetectors`."""
        flags = []
        for slot, frame in zip(slots, frames, strict=True):
            detector, recent = self._detectors[slot]
            recent.append(bool(detector.is_speech(frame.tobytes(), SAMPLE_RATE)))
            flags.append(sum(recent) >= 3)
        return flags


class SharpEnds:
    """Detectors in front of detectors: speech ends when the voice does.

    Networks ring for 70 to 150 ms after the last word, and every one of them is waited for. A frame that is 28 dB below
    the loudest of this utterance is not voice any more. In noise as loud as that nothing changes, nor does the
    beginning of an utterance, which may be soft.
    """

    _ONSET_FRAMES = 10

    def __init__(self, detectors: SpeechDetectors, *, share: float = 0.04, memory_frames: int = 75) -> None:
        """`share` of the loudest RMS within the last `memory_frames`."""
        self._detectors = detectors
        self._share = share
        self._recent: NDArray[np.float32] = np.zeros((_FIRST_SLOTS, memory_frames), np.float32)
        self._at: NDArray[np.int64] = np.zeros(_FIRST_SLOTS, np.int64)
        self._frames: NDArray[np.int64] = np.zeros(_FIRST_SLOTS, np.int64)
        """Frames of speech in a row."""

    def add(self) -> int:
        """See `SpeechDetectors`."""
        slot = self._detectors.add()
        while slot >= len(self._at):
            self._recent, self._at = _doubled(self._recent), _doubled(self._at)
            self._frames = _doubled(self._frames)
        self._recent[slot] = self._at[slot] = self._frames[slot] = 0
        return slot

    def remove(self, slot: int) -> None:
        """See `SpeechDetectors`."""
        self._detectors.remove(slot)

    def receive(self, slots: Sequence[int], frames: NDArray[np.int16]) -> list[bool]:
        """See `SpeechDetectors`."""
        flags = self._detectors.receive(slots, frames)
        index = np.asarray(slots)
        wide = frames.astype(np.float32)
        loudness = np.sqrt(np.einsum("ij,ij->i", wide, wide) / max(1, frames.shape[1]))
        self._recent[index, self._at[index]] = loudness
        self._at[index] = (self._at[index] + 1) % self._recent.shape[1]
        speech = np.array(flags)
        row = np.where(speech, self._frames[index] + 1, 0)
        self._frames[index] = row
        loud = loudness >= self._share * self._recent[index].max(axis=1)
        result: list[bool] = (speech & (loud | (row <= self._ONSET_FRAMES))).tolist()
        return result


class SileroModel(Protocol):
    """Silero's network at 8 kHz, shared by all calls; the caller keeps the state."""

    def __call__(
        self, windows: NDArray[np.float32], states: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """`windows` (n, 288) in −1 … 1: 32 samples of context and 256 new ones; `states` (2, n, 128).
        Returns the probabilities of speech (n,) and the new states."""


class SileroDetectors:
    """Silero: no false alarm on ringback, DTMF or music. Decides every 32 ms with hysteresis; 65 µs a window alone, 18
    in company. A line on which nothing can be heard is not judged at all."""

    _HOP = 256
    _CONTEXT = 32
    _NOISE_WINDOWS = 62

    def __init__(
        self,
        model: SileroModel,
        *,
        start: float = 0.5,
        stop: float = 0.35,
        floor: float = 12.0,
        above_noise: float = 1.6,
    ) -> None:
        """Speech begins at a probability of `start` and ends below `stop`. Not judged, and no speech, is a window with
        an RMS below `floor` (of 32768; −69 dBFS), and outside of speech one that is not `above_noise` times as loud as
        the quietest of the last two seconds."""
        self._model = model
        self._start = start
        self._stop = stop
        self._least = self._HOP * (floor / 32768) ** 2
        self._above_noise = above_noise**2
        self._energies: NDArray[np.float32] = np.zeros((_FIRST_SLOTS, self._NOISE_WINDOWS), np.float32)
        self._windows: NDArray[np.int64] = np.zeros(_FIRST_SLOTS, np.int64)
        self._slots = _Slots()
        self._state: NDArray[np.float32] = np.zeros((_FIRST_SLOTS, 2, 128), np.float32)
        self._pending: NDArray[np.float32] = np.zeros(
            (_FIRST_SLOTS, self._CONTEXT + self._HOP + FRAME_SAMPLES), np.float32
        )
        self._count: NDArray[np.int64] = np.zeros(_FIRST_SLOTS, np.int64)
        self._speech: NDArray[np.bool_] = np.zeros(_FIRST_SLOTS, np.bool_)

    def add(self) -> int:
        """See `SpeechDetectors`."""
        slot = self._slots.take()
        while slot >= len(self._count):
            self._state, self._pending = _doubled(self._state), _doubled(self._pending)
            self._count, self._speech = _doubled(self._count), _doubled(self._speech)
            self._energies, self._windows = _doubled(self._energies), _doubled(self._windows)
        self._state[slot] = self._pending[slot] = self._energies[slot] = 0.0
        self._windows[slot] = 0
        self._count[slot] = self._CONTEXT
        self._speech[slot] = False
        return slot

    def remove(self, slot: int) -> None:
        """See `SpeechDetectors`."""
        self._slots.give_back(slot)

    def receive(self, slots: Sequence[int], frames: NDArray[np.int16]) -> list[bool]:
        """See `SpeechDetectors`."""
        index = np.asarray(slots)
        columns = self._count[index][:, None] + np.arange(FRAME_SAMPLES)
        self._pending[index[:, None], columns] = frames.astype(np.float32) / 32768
        self._count[index] += FRAME_SAMPLES
        full = index[self._count[index] >= self._CONTEXT + self._HOP]
        if full.size:
            self._judge(full)
        result: list[bool] = self._speech[index].tolist()
        return result

    def _judge(self, slots: NDArray[np.int64]) -> None:
        need = self._CONTEXT + self._HOP
        windows = self._pending[slots, :need]
        new = windows[:, self._CONTEXT :]
        energy = np.einsum("ij,ij->i", new, new)
        noise = self._energies[slots].min(axis=1)
        self._energies[slots, self._windows[slots] % self._NOISE_WINDOWS] = energy
        self._windows[slots] += 1
        audible = (energy >= self._least) & (self._speech[slots] | (energy >= self._above_noise * noise))
        self._speech[slots[~audible]] = False
        heard = slots[audible]
        if heard.size:
            states = np.ascontiguousarray(self._state[heard].transpose(1, 0, 2))
            probabilities, states = self._model(windows[audible], states)
            self._state[heard] = states.transpose(1, 0, 2)
            self._speech[heard] = probabilities >= np.where(self._speech[heard], self._stop, self._start)
        self._pending[slots, : -self._HOP] = self._pending[slots, self._HOP :]
        self._count[slots] -= self._HOP


def _doubled(array: NDArray[_Scalar]) -> NDArray[_Scalar]:
    """The same with as many empty rows again."""
    return np.concatenate([array, np.zeros_like(array)])

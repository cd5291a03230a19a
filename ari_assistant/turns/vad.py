"""Voice activity: is there speech in this frame? Two detectors behind one interface."""

from __future__ import annotations

from collections import deque
from typing import Protocol

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from ari_assistant.media.frame import SAMPLE_RATE, Pcm

__all__ = ["SharpEnd", "SileroDetector", "SileroModel", "SpeechDetector", "WebRtcDetector"]


class SpeechDetector(Protocol):
    """Fed with every frame of one call, in order."""

    def receive(self, frame: Pcm) -> bool:
        """Take 160 samples (int16, 8 kHz); True while the caller speaks."""


class WebRtcDetector:
    """webrtcvad, smoothed: speech when three of the last five frames are. 4 µs a frame, but it takes ringback,
    DTMF and loud noise for speech."""

    def __init__(self, mode: int = 3) -> None:
        """`mode` 0 (takes most for speech) … 3 (least)."""
        self._vad = webrtcvad.Vad(mode)
        self._recent: deque[bool] = deque(maxlen=5)

    def receive(self, frame: Pcm) -> bool:
        """See `SpeechDetector`."""
        self._recent.append(bool(self._vad.is_speech(frame.tobytes(), SAMPLE_RATE)))
        return sum(self._recent) >= 3


class SharpEnd:
    """A detector in front of a detector: speech ends when the voice does.

    Networks ring for 70 to 150 ms after the last word, and every one of them is waited for. A frame that is 28 dB below
    the loudest of this utterance is not voice any more. In noise as loud as that nothing changes, nor does the
    beginning of an utterance, which may be soft.
    """

    _ONSET_FRAMES = 10

    def __init__(self, detector: SpeechDetector, *, share: float = 0.04, memory_frames: int = 75) -> None:
        """`share` of the loudest RMS within the last `memory_frames`."""
        self._detector = detector
        self._share = share
        self._recent: deque[float] = deque(maxlen=memory_frames)
        self._frames = 0
        """Frames of speech in a row."""

    def receive(self, frame: Pcm) -> bool:
        """See `SpeechDetector`."""
        speech = self._detector.receive(frame)
        self._frames = self._frames + 1 if speech else 0
        wide = frame.astype(np.float32)
        loudness = float(np.sqrt(wide @ wide / max(1, wide.size)))
        self._recent.append(loudness)
        begins = 0 < self._frames <= self._ONSET_FRAMES
        return begins or (speech and loudness >= self._share * max(self._recent))


class SileroModel(Protocol):
    """Silero's network at 8 kHz, shared by all calls; the caller keeps the state."""

    def __call__(
        self, window: NDArray[np.float32], state: NDArray[np.float32]
    ) -> tuple[float, NDArray[np.float32]]:
        """`window` (1, 288) in −1 … 1: 32 samples of context and 256 new ones; `state` (2, 1, 128).
        Returns the probability of speech and the new state."""


class SileroDetector:
    """Silero: no false alarm on ringback, DTMF or music; 75 µs a frame. Decides every 32 ms with hysteresis."""

    _HOP = 256
    _CONTEXT = 32

    def __init__(self, model: SileroModel, *, start: float = 0.5, stop: float = 0.35) -> None:
        """Speech begins at a probability of `start` and ends below `stop`."""
        self._model = model
        self._start = start
        self._stop = stop
        self._state = np.zeros((2, 1, 128), np.float32)
        self._pending = np.zeros(self._CONTEXT, np.float32)
        self._speech = False

    def receive(self, frame: Pcm) -> bool:
        """See `SpeechDetector`."""
        self._pending = np.concatenate([self._pending, frame.astype(np.float32) / 32768])
        need = self._CONTEXT + self._HOP
        while len(self._pending) >= need:
            probability, self._state = self._model(self._pending[None, :need], self._state)
            self._pending = self._pending[self._HOP :]
            self._speech = probability >= (self._stop if self._speech else self._start)
        return self._speech

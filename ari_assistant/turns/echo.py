"""The assistant's own voice, come back from the caller's side: delayed and quieter, but not speech of the caller."""

from __future__ import annotations

from collections import deque

import numpy as np

from ari_assistant.audio.frame import FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Pcm

__all__ = ["EchoGuard"]

_WINDOW_FRAMES = 8
_WINDOW = _WINDOW_FRAMES * FRAME_SAMPLES
"""160 ms of the caller's audio are compared …"""
_REACH = SAMPLE_RATE * 3 // 4
"""… with the last 750 ms of ours."""
_REACH_FRAMES = -(-_REACH // FRAME_SAMPLES)
_QUIET = 30.0
"""An RMS below this is nobody: a detector still rings from the echo before it."""
_FFT = 1 << (_WINDOW + _REACH).bit_length()


class EchoGuard:
    """Compares what comes with what was sent. One a call; feed it every frame of both sides.

    The measure is the normalised cross-correlation at the best delay: 1 is a delayed copy at any volume, whatever the
    delay. Speech of somebody else is seldom above 0.7, even in the same voice; nor is echo that the caller talks
    over, which must count.

    Keeping frames costs nothing; they are looked at only when somebody asks, and when there was anything to echo.
    """

    def __init__(self, *, threshold: float = 0.8) -> None:
        self._threshold = threshold
        self._sent: deque[Pcm] = deque([SILENCE] * _REACH_FRAMES, maxlen=_REACH_FRAMES)
        self._heard: deque[Pcm] = deque([SILENCE] * _WINDOW_FRAMES, maxlen=_WINDOW_FRAMES)
        self._silent_frames = _REACH_FRAMES

    def sent(self, frame: Pcm | None) -> None:
        """A frame of ours went out (int16, 8 kHz, 160 samples), or None: silence."""
        self._sent.append(SILENCE if frame is None else frame)
        self._silent_frames = self._silent_frames + 1 if frame is None else 0

    def heard(self, frame: Pcm) -> None:
        """A frame of the caller's came."""
        self._heard.append(frame)

    def is_echo(self) -> bool:
        """Whether the last 160 ms of the caller are mostly ours. 100 µs after we have spoken: ask only when there is
        speech."""
        return self.likeness() >= self._threshold

    def likeness(self) -> float:
        """0 … 1."""
        if self._silent_frames >= _REACH_FRAMES:
            return 0.0
        sent = np.concatenate(self._sent)[-_REACH:].astype(np.float32)
        if not sent.any():
            return 0.0
        newest = self._heard[-1].astype(np.float32)
        if float(newest @ newest) < FRAME_SAMPLES * _QUIET**2:
            return 1.0
        heard = np.concatenate(self._heard).astype(np.float32)
        heard -= heard.mean()
        energy = float(heard @ heard)
        spectrum = np.conj(np.fft.rfft(heard, _FFT)) * np.fft.rfft(sent, _FFT)
        lags = np.fft.irfft(spectrum, _FFT)[: _REACH - _WINDOW + 1]
        squares = np.concatenate([[0.0], np.cumsum(sent.astype(np.float64) ** 2)])
        energies = squares[_WINDOW:] - squares[: _REACH - _WINDOW + 1]
        best = np.abs(lags) / np.sqrt(np.maximum(energies, 1.0) * energy)
        loud = energies > 0.02 * float(energies.max(initial=0.0)) + 1.0
        return float(best[loud].max(initial=0.0))

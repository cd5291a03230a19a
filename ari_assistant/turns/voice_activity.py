"""Who speaks: the voice activity of all calls, judged together, and handed to each call with its audio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ari_assistant.audio.frame import FRAME_SAMPLES, Pcm
from ari_assistant.audio.resample import Halver
from ari_assistant.media.handle import MediaStream
from ari_assistant.turns.vad import SpeechDetectors

__all__ = ["VoiceActivity", "VoiceListener"]


class VoiceListener(Protocol):
    """Hears one caller."""

    def heard(self, frame: Pcm, narrow: Pcm, speech: bool, now: float) -> None:
        """20 ms of the caller (int16, at the stream's rate, and at 8 kHz), with speech in it or not."""

    def failed(self, fault: Exception) -> None:
        """`heard` raised this; it is not called again."""


@dataclass(slots=True)
class _Slot:
    ear: VoiceListener
    slot: int


class VoiceActivity:
    """Takes what the media plane heard (`media.handle.FrameReceiver`)."""

    def __init__(self, detectors: SpeechDetectors) -> None:
        self._detectors = detectors
        self._halver = Halver()
        self._seats: dict[int, _Slot] = {}

    def add(self, stream: MediaStream, ear: VoiceListener) -> None:
        """`ear` hears the stream from now on."""
        self._seats[stream.number] = _Slot(ear, self._detectors.add())

    def remove(self, stream: MediaStream) -> None:
        """Nobody hears it any more. Harmless when repeated."""
        self._clear(stream.number)

    def _clear(self, number: int) -> None:
        seat = self._seats.pop(number, None)
        if seat is not None:
            self._detectors.remove(seat.slot)
            self._halver.remove(number)

    def __call__(self, streams: list[MediaStream], frames: NDArray[np.int16], now: float) -> None:
        """See `media.handle.FrameReceiver`."""
        numbers = [stream.number for stream in streams]
        rest = [row for row, number in enumerate(numbers) if number in self._seats]
        while rest:
            # A stream that comes several times is judged frame after frame.
            now_due: dict[int, int] = {}
            later: list[int] = []
            for row in rest:
                if numbers[row] in now_due:
                    later.append(row)
                else:
                    now_due[numbers[row]] = row
            self._judge(list(now_due), frames[list(now_due.values())], now)
            rest = [row for row in later if numbers[row] in self._seats]

    def _judge(self, numbers: list[int], frames: NDArray[np.int16], now: float) -> None:
        narrow = frames
        if frames.shape[1] != FRAME_SAMPLES:
            narrow = self._halver.halve(numbers, frames)
        seats = [self._seats[number] for number in numbers]
        flags = self._detectors.receive([seat.slot for seat in seats], narrow)
        for number, seat, row, speech in zip(numbers, seats, range(len(numbers)), flags, strict=True):
            if self._seats.get(number) is not seat:
                continue  # an earlier one has ended this call
            try:
                seat.ear.heard(frames[row], narrow[row], speech, now)
            except Exception as fault:
                self._clear(number)
                seat.ear.failed(fault)

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ari_assistant.audio.frame import Pcm
from ari_assistant.media.handle import MediaStream
from ari_assistant.turns.voice_activity import VoiceActivity


class Detectors:
    """Speech is whatever is loud; notes who was judged together."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.free: list[int] = []
        self._next = 0

    def add(self) -> int:
        self._next += 1
        return self._next

    def remove(self, slot: int) -> None:
        self.free.append(slot)

    def receive(self, slots: Sequence[int], frames: NDArray[np.int16]) -> list[bool]:
        assert frames.shape == (len(slots), 160)
        self.asked.append(list(slots))
        return [bool(np.abs(frame).max() > 100) for frame in frames]


class VoiceListener:
    def __init__(self, *, fails: bool = False) -> None:
        self.frames: list[tuple[Pcm, Pcm, bool]] = []
        self.faults: list[Exception] = []
        self._fails = fails

    def heard(self, frame: Pcm, narrow: Pcm, speech: bool, now: float) -> None:
        if self._fails:
            raise RuntimeError("boom")
        self.frames.append((frame, narrow, speech))

    def failed(self, fault: Exception) -> None:
        self.faults.append(fault)


class Stream:
    def __init__(self, number: int) -> None:
        self.number = number


def streams(*numbers: int) -> list[MediaStream]:
    return [cast(MediaStream, Stream(number)) for number in numbers]


def frames(*levels: int, width: int = 160) -> NDArray[np.int16]:
    return np.stack([np.full(width, level, np.int16) for level in levels])


def test_all_callers_are_judged_together_and_each_hears_of_itself() -> None:
    detectors = Detectors()
    hearing = VoiceActivity(detectors)
    one, two = streams(1, 2)
    ears = VoiceListener(), VoiceListener()
    hearing.add(one, ears[0])
    hearing.add(two, ears[1])
    hearing([one, two], frames(5, 5_000), 1.0)
    assert detectors.asked == [[1, 2]]
    assert [flag for _, _, flag in ears[0].frames] == [False]
    assert [flag for _, _, flag in ears[1].frames] == [True]


def test_several_frames_of_one_caller_are_judged_one_after_the_other() -> None:
    detectors = Detectors()
    hearing = VoiceActivity(detectors)
    one, two = streams(1, 2)
    ear = VoiceListener()
    hearing.add(one, ear)
    hearing.add(two, VoiceListener())
    hearing([one, two, one, one], frames(1, 2, 5_000, 3), 1.0)
    assert detectors.asked == [[1, 2], [1], [1]]
    assert [int(frame[0]) for frame, _, _ in ear.frames] == [1, 5_000, 3]


def test_wideband_is_judged_narrow_and_heard_wide() -> None:
    hearing = VoiceActivity(Detectors())
    one = streams(1)[0]
    ear = VoiceListener()
    hearing.add(one, ear)
    for _ in range(2):
        hearing([one], frames(5_000, width=320), 1.0)
    frame, narrow, speech = ear.frames[1]
    assert (frame.size, narrow.size, speech) == (320, 160, True)
    assert abs(int(narrow[80]) - 5_000) < 60


def test_one_that_fails_is_left_out_and_the_others_go_on() -> None:
    detectors = Detectors()
    hearing = VoiceActivity(detectors)
    one, two = streams(1, 2)
    broken, well = VoiceListener(fails=True), VoiceListener()
    hearing.add(one, broken)
    hearing.add(two, well)
    for _ in range(2):
        hearing([one, two], frames(1, 2), 1.0)
    assert len(broken.faults) == 1
    assert len(well.frames) == 2
    assert detectors.free == [1]
    hearing.remove(one)
    hearing.remove(two)
    hearing.remove(two)
    assert detectors.free == [1, 2]

from __future__ import annotations

import numpy as np

from ari_assistant.audio.stereo import ASSISTANT, CALLER, StereoTimeline


def test_each_side_stands_where_it_was_put_caller_left() -> None:
    line = StereoTimeline()
    line.put(CALLER, 2, np.array([1, 2], np.int16))
    line.put(ASSISTANT, 0, np.array([7, 8, 9], np.int16))
    assert line.take(5).tolist() == [[0, 7], [0, 8], [1, 9], [2, 0], [0, 0]]


def test_what_comes_after_its_time_was_taken_is_dropped_and_counted() -> None:
    line = StereoTimeline()
    line.take(10)
    line.put(CALLER, 8, np.array([1, 2, 3, 4], np.int16))
    assert line.dropped == 2
    assert line.take(12)[:, CALLER].tolist() == [3, 4]


def test_memory_is_bounded_by_the_horizon() -> None:
    line = StereoTimeline(horizon_samples=8_000)
    line.put(CALLER, 7_990, np.ones(20, np.int16))
    line.put(CALLER, 1_000_000, np.ones(20, np.int16))
    assert line.dropped == 30
    assert len(line._buffer) <= 16_000
    assert line.take(8_000)[-10:, CALLER].tolist() == [1] * 10

from __future__ import annotations

import numpy as np

from ari_assistant.audio.stereo import ASSISTANT, CALLER
from ari_assistant.media.rtp.recording_queue import RecordingMemory, RecordingQueue

PART = 320
"""What 160 bytes take with what lies around them."""


def test_what_was_said_waits_in_order_with_its_place() -> None:
    queue = RecordingQueue(RecordingMemory())
    samples = np.ones(160, np.int16)
    queue.put(CALLER, 0, bytes(160))
    queue.put(ASSISTANT, 160, samples)
    assert [(side, position) for side, position, _ in queue.parts] == [(CALLER, 0), (ASSISTANT, 160)]
    assert queue.parts[1][2] is samples, "nothing is copied or decoded in the media loop"


def test_a_part_is_measured_in_ticks_whatever_its_form() -> None:
    wide = RecordingQueue(RecordingMemory(), scale=2)
    assert wide.ticks(bytes(160)) == 160
    assert wide.ticks(np.zeros(320, np.int16)) == 160


def test_memory_is_one_bound_for_all_recordings_and_what_exceeds_it_is_dropped_and_counted() -> None:
    memory = RecordingMemory(limit=3 * PART)
    first, second = RecordingQueue(memory), RecordingQueue(memory)
    for queue in (first, second, first, second):
        queue.put(CALLER, 0, bytes(160))
    assert (len(first.parts), len(second.parts)) == (2, 1)
    assert (first.dropped_ticks, second.dropped_ticks) == (0, 160)
    assert memory.used == 3 * PART


def test_what_has_been_written_makes_room() -> None:
    memory = RecordingMemory(limit=PART)
    queue = RecordingQueue(memory)
    queue.put(CALLER, 0, bytes(160))
    queue.release(queue.parts.popleft()[2])
    queue.put(CALLER, 160, bytes(160))
    assert queue.dropped_ticks == 0
    assert memory.used == PART


def test_clearing_gives_all_of_it_back_and_says_how_much_it_was() -> None:
    memory = RecordingMemory()
    queue = RecordingQueue(memory)
    for position in (0, 160, 320):
        queue.put(CALLER, position, bytes(160))
    assert queue.clear() == 480
    assert memory.used == 0
    assert not queue.parts

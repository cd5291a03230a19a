from __future__ import annotations

import io
import threading
import time
import wave
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from ari_assistant.audio.codec import CODECS, Codec
from ari_assistant.audio.g711 import ULAW
from ari_assistant.audio.stereo import ASSISTANT, CALLER
from ari_assistant.media.process.recorder import Recorder, Recording
from ari_assistant.media.rtp.recording_queue import RecordingMemory
from tests.support.tones import loudest, tone


class Clock:
    """Implements `recorder.Clock`."""

    def __init__(self) -> None:
        self.ticks = 0


def at_position(ticks: int, path: Path, codec: Codec = ULAW) -> Recording:
    """A recording whose call has come so far."""
    clock = Clock()
    recording = Recording(path, codec, clock)
    clock.ticks = ticks
    return recording


def stored(path: Path) -> NDArray[np.int16]:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)


def write_all(recording: Recording) -> None:
    """The call is over."""
    recording.end()
    while recording.write():
        pass


def put_tone(recording: Recording, side: int, hertz: float, at: int, seconds: float) -> None:
    payload = ULAW.encode(tone(hertz, seconds))
    for start in range(0, len(payload), 160):
        recording.queue.put(side, at + start, payload[start : start + 160])


def test_both_sides_lie_where_they_were_said_and_the_file_can_be_opened_after_every_write(tmp_path: Path) -> None:
    clock = Clock()
    recording = Recording(tmp_path / "calls" / "one.wav", ULAW, clock)
    put_tone(recording, ASSISTANT, 500, 0, 0.2)
    put_tone(recording, CALLER, 1500, 3_200, 0.2)
    clock.ticks = 8_000
    recording.write()
    assert len(stored(recording.path)) == 4_000, "half a second behind"
    put_tone(recording, CALLER, 900, 4_800, 0.1)  # late, and still in time
    write_all(recording)
    stereo = stored(recording.path)
    assert len(stereo) == 8_000
    assert abs(loudest(stereo[:1_600, 1]) - 500) < 20
    assert abs(loudest(stereo[3_200:4_800, 0]) - 1500) < 20
    assert abs(loudest(stereo[4_800:5_600, 0]) - 900) < 20
    assert not stereo[:3_200, 0].any()
    assert not stereo[1_600:, 1].any()


def test_wideband_calls_are_recorded_wide(tmp_path: Path) -> None:
    recording = at_position(8_000, tmp_path / "wide.wav", CODECS["g722"])
    recording.queue.put(CALLER, 160, np.full(320, 7, np.int16))
    write_all(recording)
    with wave.open(str(recording.path)) as file:
        assert (file.getframerate(), file.getnframes()) == (16_000, 16_000)
    stereo = stored(recording.path)
    assert np.flatnonzero(stereo[:, 0]).tolist() == list(range(320, 640))


def test_a_disk_that_stood_still_for_a_minute_loses_nothing(tmp_path: Path) -> None:
    recording = at_position(60 * 8_000, tmp_path / "slow.wav")
    for at in range(0, 60 * 8_000, 160):
        recording.queue.put(CALLER, at, bytes([at // 8_000]) * 160)
    write_all(recording)
    stereo = stored(recording.path)
    assert len(stereo) == 60 * 8_000
    assert stereo[::8_000, 0].tolist() == ULAW.decode(bytes(range(60))).tolist()


def test_a_disk_that_cannot_be_written_is_remembered_and_disturbs_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    recording = at_position(16_000, tmp_path / "file" / "one.wav")
    recording.queue.put(CALLER, 0, bytes(160))
    recording.write()
    assert recording.fault is not None
    recording.queue.put(CALLER, 160, bytes(160))
    write_all(recording)
    assert not recording.queue.parts, "nothing piles up"
    assert recording.dropped_seconds == 0.04


def test_a_call_without_audio_leaves_an_empty_file(tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.start()
    recording = at_position(0, tmp_path / "empty.wav")
    done = threading.Event()
    recorder.begin(recording)
    recorder.finish(recording, lambda _: done.set())
    assert done.wait(5)
    recorder.stop()
    assert len(stored(recording.path)) == 0


def test_the_recorder_closes_what_is_open_when_it_stops(tmp_path: Path) -> None:
    recorder = Recorder()
    recording = at_position(1_600, tmp_path / "open.wav")
    put_tone(recording, CALLER, 700, 0, 0.2)
    recorder.begin(recording)
    recorder.start()
    recorder.stop()
    assert len(stored(recording.path)) == 1_600


class SlowDisk(Recording):
    """A file whose first write of audio returns when `free` is set."""

    def __init__(self, path: Path, clock: Clock, *, memory: RecordingMemory) -> None:
        super().__init__(path, ULAW, clock, memory=memory)
        self.free = threading.Event()
        self.stuck = threading.Event()

    def _open_file(self) -> BinaryIO:
        file, stuck, free = super()._open_file(), self.stuck, self.free

        class Slow(io.BufferedIOBase):
            def write(self, data: Any) -> int:
                stuck.set()
                assert free.wait(10)
                return file.write(data)

            def tell(self) -> int:
                return file.tell()

            def seek(self, *where: int) -> int:
                return file.seek(*where)

            def flush(self) -> None:
                file.flush()

            def close(self) -> None:
                file.close()

        return cast("BinaryIO", Slow())


def test_a_recording_is_written_while_other_calls_end_one_after_the_other(tmp_path: Path) -> None:
    recorder = Recorder()
    goes_on = at_position(16_000, tmp_path / "goes-on.wav")
    put_tone(goes_on, CALLER, 700, 0, 2.0)
    recorder.begin(goes_on)
    recorder.start()
    ended, give_up = 0, time.monotonic() + 10
    while goes_on.queue.parts and time.monotonic() < give_up:
        other = at_position(160, tmp_path / "other.wav")
        done = threading.Event()
        recorder.begin(other)
        recorder.finish(other, lambda _, done=done: done.set())  # type: ignore[misc]
        assert done.wait(5)
        ended += 1
    waiting = len(goes_on.queue.parts)
    recorder.stop()
    assert not waiting, f"nothing was written while {ended} calls ended"


def test_what_waits_for_a_disk_that_is_stuck_is_bounded_and_what_is_dropped_is_told(tmp_path: Path) -> None:
    clock = Clock()
    recorder = Recorder()
    memory = RecordingMemory(limit=200 * 320)  # two hundred parts of 20 ms
    stuck = SlowDisk(tmp_path / "stuck.wav", clock, memory=memory)
    clock.ticks = 16_000
    put_tone(stuck, CALLER, 700, 0, 2.0)
    recorder.begin(stuck)
    recorder.start()
    assert stuck.stuck.wait(5)
    waiting = len(stuck.queue.parts)
    put_tone(stuck, CALLER, 700, 16_000, 8.0)
    assert memory.used <= 200 * 320
    assert len(stuck.queue.parts) == 200
    clock.ticks = 80_000
    lost = 400 - (200 - waiting)
    assert stuck.queue.dropped_ticks == lost * 160
    stuck.free.set()
    done = threading.Event()
    recorder.finish(stuck, lambda _: done.set())
    assert done.wait(10)
    recorder.stop()
    assert stuck.dropped_seconds == lost * 0.02
    assert "did not keep up" in str(stuck.fault)
    assert memory.used == 0, "all is given back"
    stereo = stored(stuck.path)
    assert len(stereo) == 80_000, "what is missing is silence: the rest stays where it was"
    assert stereo[:16_000, 0].any()
    assert not stereo[-16_000:, 0].any()


def test_after_a_long_stall_a_recording_is_caught_up_in_parts_so_that_others_have_their_turn(
    tmp_path: Path,
) -> None:
    recording = at_position(100 * 8_000, tmp_path / "behind.wav")
    put_tone(recording, CALLER, 700, 0, 100.0)
    recording.end()
    assert [recording.write() for _ in range(5)] == [True, True, True, False, False]
    assert recording.closed
    assert len(stored(recording.path)) == 100 * 8_000
    assert stored(recording.path)[::4_001, 0].any()
    assert recording.fault is None
    assert recording.dropped_seconds == 0


def test_a_recording_ends_where_its_call_ended_however_late_it_is_written(tmp_path: Path) -> None:
    clock = Clock()
    recording = Recording(tmp_path / "late.wav", ULAW, clock)
    clock.ticks = 8_000
    put_tone(recording, CALLER, 700, 0, 1.0)
    recording.end()
    clock.ticks = 80_000
    write_all(recording)
    assert len(stored(recording.path)) == 8_000


def test_audio_that_comes_too_late_for_its_place_is_counted(tmp_path: Path) -> None:
    recording = at_position(16_000, tmp_path / "late.wav")
    recording.write()
    put_tone(recording, CALLER, 700, 0, 0.1)
    write_all(recording)
    assert recording.dropped_seconds == 0.1
    assert recording.fault is None, "the network's doing, not the disk's"

from __future__ import annotations

import threading
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ari_assistant.media.codec import CODECS
from ari_assistant.media.g711 import ULAW
from ari_assistant.media.recording import Recorder, Recording
from ari_assistant.media.stereo import ASSISTANT, CALLER
from tests.support.tones import loudest, tone


def stored(path: Path) -> NDArray[np.int16]:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)


def put_tone(recording: Recording, side: int, hertz: float, at: int, seconds: float) -> None:
    payload = ULAW.encode(tone(hertz, seconds))
    for start in range(0, len(payload), 160):
        recording.queue.put(side, at + start, payload[start : start + 160])


def test_both_sides_lie_where_they_were_said_and_the_file_can_be_opened_after_every_write(tmp_path: Path) -> None:
    now = [0]
    recording = Recording(tmp_path / "calls" / "one.wav", ULAW, position=lambda: now[0])
    put_tone(recording, ASSISTANT, 500, 0, 0.2)
    put_tone(recording, CALLER, 1500, 3_200, 0.2)
    now[0] = 8_000
    recording.write()
    assert len(stored(recording.path)) == 4_000, "half a second behind"
    put_tone(recording, CALLER, 900, 4_800, 0.1)  # late, and still in time
    recording.write(whole=True)
    stereo = stored(recording.path)
    assert len(stereo) == 8_000
    assert abs(loudest(stereo[:1_600, 1]) - 500) < 20
    assert abs(loudest(stereo[3_200:4_800, 0]) - 1500) < 20
    assert abs(loudest(stereo[4_800:5_600, 0]) - 900) < 20
    assert not stereo[:3_200, 0].any()
    assert not stereo[1_600:, 1].any()


def test_wideband_calls_are_recorded_wide(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "wide.wav", CODECS["g722"], position=lambda: 8_000)
    recording.queue.put(CALLER, 160, np.full(320, 7, np.int16))
    recording.write(whole=True)
    with wave.open(str(recording.path)) as file:
        assert (file.getframerate(), file.getnframes()) == (16_000, 16_000)
    stereo = stored(recording.path)
    assert np.flatnonzero(stereo[:, 0]).tolist() == list(range(320, 640))


def test_a_disk_that_stood_still_for_a_minute_loses_nothing(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "slow.wav", ULAW, position=lambda: 60 * 8_000)
    for at in range(0, 60 * 8_000, 160):
        recording.queue.put(CALLER, at, bytes([at // 8_000]) * 160)
    recording.write(whole=True)
    stereo = stored(recording.path)
    assert len(stereo) == 60 * 8_000
    assert stereo[::8_000, 0].tolist() == ULAW.decode(bytes(range(60))).tolist()


def test_a_disk_that_cannot_be_written_is_remembered_and_disturbs_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    recording = Recording(tmp_path / "file" / "one.wav", ULAW, position=lambda: 16_000)
    recording.queue.put(CALLER, 0, bytes(160))
    recording.write()
    assert recording.fault is not None
    recording.queue.put(CALLER, 160, bytes(160))
    recording.write(whole=True)
    assert not recording.queue.parts, "nothing piles up"


def test_a_call_without_audio_leaves_an_empty_file(tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.start()
    recording = Recording(tmp_path / "empty.wav", ULAW, position=lambda: 0)
    done = threading.Event()
    recorder.begin(recording)
    recorder.finish(recording, lambda _: done.set())
    assert done.wait(5)
    recorder.stop()
    assert len(stored(recording.path)) == 0


def test_the_recorder_closes_what_is_open_when_it_stops(tmp_path: Path) -> None:
    recorder = Recorder()
    recording = Recording(tmp_path / "open.wav", ULAW, position=lambda: 1_600)
    put_tone(recording, CALLER, 700, 0, 0.2)
    recorder.begin(recording)
    recorder.start()
    recorder.stop()
    assert len(stored(recording.path)) == 1_600

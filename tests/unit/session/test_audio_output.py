"""What the session knows of its line: what was sent, and when a reply began."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from ari_assistant.audio.frame import FRAME_SAMPLES, Pcm
from ari_assistant.media.handle import MediaStream
from ari_assistant.session.audio_output import AudioOutput
from tests.support.tones import tone


class Stream:
    """Stands where the media stream does, and keeps what it is told."""

    def __init__(self) -> None:
        self.queued: list[Pcm] = []
        self.background: Pcm | None = None
        self.interjected: list[Pcm] = []
        self.statistics: dict[str, float] = {"packetsSent": 50, "recordingDroppedSeconds": 0.0}
        self.recording_fault: str | None = None

    def play(self, pcm: Pcm) -> None:
        self.queued.append(pcm)

    def flush(self) -> None:
        self.queued.clear()

    def set_background(self, pcm: Pcm) -> None:
        self.background = pcm

    def fill_silence(self, pcm: Pcm) -> None:
        self.interjected.append(pcm)


def line(rate: int = 8_000) -> tuple[AudioOutput, Stream]:
    made = AudioOutput(rate=rate)
    stream = Stream()
    made.attach(cast(MediaStream, stream))
    return made, stream


def say(made: AudioOutput, turn: int, pcm: Pcm) -> None:
    made.playout.open(turn)
    made.playout.clause(turn, "beep")
    made.playout.push(turn, pcm)


def test_a_replys_beginning_is_told_once_with_its_first_frame() -> None:
    made, stream = line()
    say(made, 3, tone(1000, 0.1))
    assert [made.played(samples) for samples in (0, 160, 320, 800)] == [None, 3, None, None]
    assert np.concatenate(stream.queued).tolist() == tone(1000, 0.1).tolist()


def test_what_was_sent_is_known_frame_by_frame() -> None:
    made, _ = line()
    sound = tone(1000, 0.05)
    say(made, 1, sound)
    assert made.last_sent() is None
    made.played(160)
    frame = made.last_sent()
    assert frame is not None
    assert frame.tolist() == sound[:160].tolist()
    made.played(400)
    rest = [made.last_sent() for _ in range(3)]
    assert rest[0] is not None
    assert rest[1] is not None
    assert np.concatenate([rest[0], rest[1]]).tolist() == [*sound[160:400], *[0] * 80]
    assert rest[2] is None


def test_of_a_wideband_reply_the_lower_half_is_kept_for_the_echo_guard() -> None:
    made, _ = line(16_000)
    say(made, 1, np.arange(640, dtype=np.int16))
    made.played(640)
    frames = [made.last_sent(), made.last_sent()]
    assert [f.size for f in frames if f is not None] == [FRAME_SAMPLES, FRAME_SAMPLES]


def test_a_held_reply_is_taken_back_and_given_again() -> None:
    made, stream = line()
    say(made, 1, tone(1000, 0.2))
    made.played(160)
    made.playout.hold()
    assert not stream.queued
    made.interject(tone(440, 0.02))
    assert not stream.interjected, "a held reply is silent"
    made.playout.resume()
    assert sum(pcm.size for pcm in stream.queued) == 1600


def test_the_background_is_there_when_the_stream_comes() -> None:
    made = AudioOutput(rate=8_000)
    made.set_background(tone(300, 0.5))
    stream = Stream()
    made.attach(cast(MediaStream, stream))
    assert stream.background is not None
    made.interject(tone(440, 0.02))
    assert len(stream.interjected) == 1


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_comfort_noise_is_a_frame_that_is_barely_there(rate: int) -> None:
    made, stream = line(rate)
    for _ in range(3):
        made.comfort()
    first, second, _ = stream.interjected
    assert first.size == rate // 50
    assert not np.array_equal(first, second), "a tone, not a noise"
    assert -66 < 20 * np.log10(np.sqrt((first.astype(float) ** 2).mean()) / 32768) < -62


def test_the_record_says_what_is_missing_in_the_recording_and_why() -> None:
    made, stream = line()
    assert made.statistics() == {"packetsSent": 50, "recordingDroppedSeconds": 0.0}
    stream.statistics["recordingDroppedSeconds"] = 3.5
    stream.recording_fault = "the disk did not keep up: 3.5 s of audio were dropped"
    assert made.statistics() == {
        "packetsSent": 50,
        "recordingDroppedSeconds": 3.5,
        "recordingFault": "the disk did not keep up: 3.5 s of audio were dropped",
    }

from __future__ import annotations

import numpy as np
import pytest

from ari_assistant.audio.codec import CODECS
from ari_assistant.audio.frame import Pcm
from ari_assistant.audio.g711 import ULAW
from ari_assistant.audio.stereo import ASSISTANT, CALLER
from ari_assistant.media.rtp.packet import RtpPacket
from ari_assistant.media.rtp.recording_queue import RecordingMemory, RecordingQueue
from ari_assistant.media.rtp.stream import COMFORT_NOISE, Stream
from tests.support.tones import tone

SSRC = 7


class Line:
    """A stream, what it emits and what it records."""

    def __init__(self, codec: str = "ulaw") -> None:
        self.queue = RecordingQueue(RecordingMemory(), scale=CODECS[codec].rate // 8_000)
        self.stream = Stream(1, CODECS[codec], recording=self.queue)
        self.frames: list[Pcm] = []

    def emit(self, stream: Stream, frame: Pcm) -> None:
        assert stream is self.stream
        self.frames.append(frame)

    def push(self, number: int, payload: bytes = b"\x80" * 160, *, at: int | None = None, clock: int = 0) -> None:
        timestamp = number * 160 if at is None else at
        data = RtpPacket(0, number, timestamp, SSRC, payload).serialize()
        self.stream.push(data, clock / 8_000, clock, self.emit)

    def takes(self, number: int, payload: bytes = b"\x80" * 160, *, clock: int = 0) -> bool:
        return self.stream.takes(payload, number, number * 160, SSRC, clock / 8_000, clock)

    def recorded(self, side: int) -> list[int]:
        """Where the parts of one side lie."""
        return [position for of, position, _ in self.queue.parts if of == side]


def test_a_packet_in_order_is_taken_undecoded_once_the_first_has_been_pushed() -> None:
    line = Line()
    assert not line.takes(0), "who sends is not known yet"
    line.push(0)
    assert line.takes(1, b"\x01" * 160)
    assert line.takes(2, b"\x02" * 160)
    assert len(line.frames) == 1, "the plane decodes what was taken, with that of other streams"
    assert [part for _, _, part in list(line.queue.parts)[1:]] == [b"\x01" * 160, b"\x02" * 160]


def test_what_is_out_of_order_is_not_taken_and_may_be_pushed_then() -> None:
    line = Line()
    line.push(0)
    assert not line.takes(2)
    line.push(2, b"\x02" * 160)
    assert not line.takes(1), "two waits for it"
    line.push(1, b"\x01" * 160)
    assert [int(frame[0]) for frame in line.frames] == ULAW.decode(b"\x80\x01\x02").tolist()
    assert line.takes(3)


def test_what_follows_a_gap_is_not_taken_undecoded_because_it_must_be_joined() -> None:
    line = Line()
    sound = ULAW.encode(tone(300, 0.2))
    for number in range(4):
        line.push(number, sound[number * 160 : (number + 1) * 160])
    line.push(5, sound[800:960])
    line.stream.handle_deadline(1.0, 0, line.emit)
    assert len(line.frames) == 6, "the missing one has been made up"
    assert line.stream.statistics(0)["concealedSeconds"] == 0.02
    assert line.takes(6)


def test_a_gap_of_more_than_two_tenths_of_a_second_is_filled_with_nothing() -> None:
    line = Line()
    line.push(0)
    line.push(1, at=160 + 11 * 160)
    assert len(line.frames) == 2
    assert line.stream.statistics(0)["concealedSeconds"] == 0


def test_audio_is_recorded_by_its_own_clock_while_that_keeps_step_and_by_ours_else() -> None:
    line = Line()
    line.push(0, clock=1_000)
    line.push(1, clock=3_000)
    assert line.recorded(CALLER) == [1_000, 1_160], "late, not later said"
    line.push(2, clock=30_000)
    assert line.recorded(CALLER)[-1] == 30_000


def test_a_reply_is_recorded_where_it_is_heard_also_when_its_first_packet_was_early() -> None:
    line = Line()
    line.stream.opened = 800
    line.stream.send_queue.push(tone(500, 0.04))
    assert line.stream.next_payload(1_600) is not None
    line.stream.leads = True
    assert line.stream.next_payload(1_600) is not None
    assert line.recorded(ASSISTANT) == [800, 960]


def test_silence_is_not_recorded() -> None:
    line = Line()
    assert line.stream.next_payload(0) is None
    assert line.recorded(ASSISTANT) == []


def test_comfort_noise_stands_for_the_pause_that_it_announces_and_is_no_audio_itself() -> None:
    line = Line()
    line.push(0)
    announced = RtpPacket(COMFORT_NOISE, 1, 160, SSRC, bytes([40])).serialize()
    line.stream.push(announced, 0.0, 0, line.emit)
    assert len(line.frames) == 1
    line.push(2, at=480)
    assert len(line.frames) == 4
    assert np.abs(line.frames[1]).max() > 0
    assert line.stream.statistics(0)["concealedSeconds"] == 0


@pytest.mark.parametrize("junk", [b"", b"hello", bytes(12)])
def test_what_is_no_rtp_is_counted_and_disturbs_nothing(junk: bytes) -> None:
    line = Line()
    line.push(0)
    line.stream.push(junk, 0.0, 0, line.emit)
    line.push(1)
    assert len(line.frames) == 2
    assert line.stream.statistics(0)["packetsMalformed"] == 1


def test_the_packets_that_were_sent_are_the_clocks_and_those_beside_it() -> None:
    line = Line()
    line.stream.opened = 1_600
    line.stream.extra = 1
    assert line.stream.statistics(1_600 + 5 * 160)["packetsSent"] == 6

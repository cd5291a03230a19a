"""All calls' audio with a simulated clock and wire: what comes in odd order, and what goes out."""

from __future__ import annotations

import numpy as np
import pytest

from ari_assistant.audio.codec import CODECS
from ari_assistant.audio.frame import Pcm
from ari_assistant.audio.g711 import ALAW, ULAW
from ari_assistant.audio.stereo import ASSISTANT, CALLER
from ari_assistant.media.process.protocol import ReportMessage, pack_report, unpack
from ari_assistant.media.rtp.packet import RtpPacket
from ari_assistant.media.rtp.packet_rows import PacketRows
from ari_assistant.media.rtp.plane import Datagrams, Plane
from ari_assistant.media.rtp.recording_queue import RecordingMemory, RecordingQueue
from tests.support.tones import loudest, tone


def address(number: int) -> bytes:
    return bytes([2, 0, 0, number]).ljust(28, b"\0")


class Wire:
    """Keeps what is sent, by destination."""

    def __init__(self, rows: PacketRows) -> None:
        self._rows = rows
        self._aims: dict[int, bytes] = {}
        self.sent: dict[bytes, list[RtpPacket]] = {}
        self.calls = 0

    def aim(self, row: int, address: bytes) -> None:
        self._aims[row] = address

    def send(self, first: int, count: int) -> int:
        self.calls += 1
        for row in range(first, first + count):
            self.sent.setdefault(self._aims[row], []).append(RtpPacket.parse(self._rows.packet(row)))
        return count


class PlaneScene:
    """A plane, its wire and a clock."""

    def __init__(self) -> None:
        rows = PacketRows(capacity=16)
        self.wire = Wire(rows)
        self.plane = Plane(self.wire, rows)
        self.now = 0.0
        self.heard: dict[int, list[Pcm]] = {}
        self.played: list[tuple[int, int, int]] = []

    def open(self, number: int, codec: str = "ulaw", recording: RecordingQueue | None = None) -> None:
        self.plane.open(number, CODECS[codec], address(number), recording)

    def tick(self, times: int = 1, skipped: int = 0) -> None:
        for _ in range(times):
            self.now += 0.02
            self.plane.tick(self.now, skipped)
            self.collect()

    def receive(self, *packets: tuple[int, bytes]) -> None:
        """(stream, datagram) each, in one wake-up."""
        data = np.full((len(packets), 2048), 0xAA, np.uint8)  # what was there before
        for row, (_, datagram) in enumerate(packets):
            data[row, : len(datagram)] = np.frombuffer(datagram, np.uint8)
        sources = [address(number) for number, _ in packets]
        lengths = [len(datagram) for _, datagram in packets]
        self.plane.push_datagrams(Datagrams(data, lengths, sources, [self.now] * len(packets)))
        self.collect()

    def collect(self) -> None:
        """The report, through the messages that carry it."""
        for message in pack_report(self.plane.take_report(), now=self.now, tick=True):
            report = unpack(message)
            assert isinstance(report, ReportMessage)
            for numbers, frames in ((report.narrow, report.narrow_frames), (report.wide, report.wide_frames)):
                for number, frame in zip(numbers, frames, strict=True):
                    self.heard.setdefault(number, []).append(frame.copy())
            told = iter(report.played)
            self.played += zip(told, told, told, strict=True)

    def sent(self, number: int) -> list[RtpPacket]:
        return self.wire.sent.get(address(number), [])

    def statistics(self, number: int) -> dict[str, int | float]:
        stream = self.plane.get(number)
        assert stream is not None
        return stream.statistics(self.plane.ticks)


def packet(
    number: int, payload: bytes = b"\x80" * 160, *, at: int | None = None, kind: int = 0, marker: bool = False
) -> bytes:
    timestamp = number * 160 if at is None else at
    return RtpPacket(kind, number & 0xFFFF, timestamp & 0xFFFFFFFF, 7, payload, marker).serialize()


@pytest.fixture
def scene() -> PlaneScene:
    return PlaneScene()


# -- what goes ------------------------------------------------------------------------------------------------


def test_silence_is_sent_in_one_call_and_the_clock_goes_on_through_skipped_frames(scene: PlaneScene) -> None:
    scene.open(1)
    scene.open(2, "alaw")
    for skipped in (0, 0, 5, 0):
        scene.tick(skipped=skipped)
    assert scene.wire.calls == 4, "one system call a tick, whatever the number of calls"
    for number, law in ((1, ULAW), (2, ALAW)):
        sent = scene.sent(number)
        times = [p.timestamp - sent[0].timestamp & 0xFFFFFFFF for p in sent]
        assert times == [0, 160, 320 + 800, 480 + 800]
        assert [p.marker for p in sent] == [True, False, True, False]
        assert [p.sequence_number - sent[0].sequence_number & 0xFFFF for p in sent] == [0, 1, 2, 3]
        assert all(set(p.payload) == {law.silence} and p.payload_type == law.payload_type for p in sent)
    assert scene.statistics(1)["packetsSent"] == 4


def test_a_replys_first_packet_does_not_wait_for_the_tick_and_the_clock_is_caught_up_with_afterwards(
    scene: PlaneScene,
) -> None:
    scene.open(1)
    scene.tick(2)
    scene.plane.play(1, 0, tone(1000, 0.06))
    assert len(scene.sent(1)) == 3, "between two ticks"
    scene.tick(4)
    sent = scene.sent(1)
    assert len(sent) == 6, "one packet of silence was left out: six ticks, six packets"
    assert [p.timestamp - sent[0].timestamp & 0xFFFFFFFF for p in sent] == [n * 160 for n in range(6)]
    heard = np.concatenate([ULAW.decode(p.payload) for p in sent])
    assert abs(loudest(heard[320:800]) - 1000) < 20
    assert np.abs(heard[840:]).max() < 10, "5 ms of fading, then silence"
    assert scene.statistics(1)["packetsSent"] == 6
    assert scene.played == [(1, 0, 160), (1, 0, 320), (1, 0, 480)]


def test_nothing_is_sent_twice_ahead(scene: PlaneScene) -> None:
    scene.open(1)
    scene.tick()
    for _ in range(3):
        scene.plane.play(1, 0, tone(1000, 0.02))
    assert len(scene.sent(1)) == 2, "what is sent cannot be taken back: one packet ahead, no more"


def test_a_flush_takes_effect_with_the_next_packet_and_what_was_ordered_before_it_is_not_heard(
    scene: PlaneScene,
) -> None:
    scene.open(1)
    scene.tick()
    scene.plane.play(1, 0, tone(1000, 1.0))
    scene.tick(2)
    scene.plane.flush(1, 1)
    scene.plane.play(1, 0, tone(500, 1.0))  # late, of the reply that was cut
    before = len(scene.sent(1))
    scene.tick(3)
    after = b"".join(p.payload for p in scene.sent(1)[before:])
    assert set(after[40:]) == {ULAW.silence}, "5 ms of fading, then silence"
    scene.plane.play(1, 1, tone(700, 0.02))
    assert scene.sent(1)[-1].payload == ULAW.encode(tone(700, 0.02))


def test_the_last_frame_is_filled_up_with_silence_and_only_audio_counts_as_played(scene: PlaneScene) -> None:
    scene.open(1)
    scene.plane.play(1, 0, np.full(200, 5_000, np.int16))
    scene.tick(2)
    assert scene.sent(1)[1].payload[80:] == ULAW.silent_payload[:80], "5 ms of fading, then silence"
    assert scene.played[-1] == (1, 0, 200)


def test_chunks_of_any_size_are_joined(scene: PlaneScene) -> None:
    scene.open(1)
    whole = tone(600, 0.2)
    for start in range(0, whole.size, 70):
        scene.plane.play(1, 0, whole[start : start + 70])
    scene.tick(11)
    # The first packet left with the 70 samples that were there.
    heard = b"".join(p.payload for p in scene.sent(1))
    assert heard[:70] == ULAW.encode(whole[:70])
    # The rest comes up within 5 ms, for there was silence before it.
    assert heard[200 : 160 + whole.size - 70] == ULAW.encode(whole[110:])


def test_a_stream_that_ends_makes_room_and_the_others_go_on(scene: PlaneScene) -> None:
    for number in (1, 2, 3):
        scene.open(number)
    scene.plane.play(3, 0, tone(900, 0.2))
    scene.tick(2)
    assert scene.plane.close(1) is not None
    assert scene.plane.close(1) is None
    scene.tick(2)
    assert [len(scene.sent(n)) for n in (1, 2, 3)] == [2, 4, 5]
    numbers = [p.sequence_number for p in scene.sent(3)]
    assert [n - numbers[0] & 0xFFFF for n in numbers] == [0, 1, 2, 3, 4]
    assert scene.sent(3)[-1].payload == ULAW.encode(tone(900, 0.2))[640:800]
    assert {p.ssrc for p in scene.sent(2)} != {p.ssrc for p in scene.sent(3)}


def test_a_full_plane_says_so(scene: PlaneScene) -> None:
    for number in range(16):
        scene.open(number)
    with pytest.raises(OverflowError):
        scene.open(99)


def test_an_interjection_is_heard_where_nothing_else_is_and_not_counted(scene: PlaneScene) -> None:
    scene.open(1)
    scene.tick()
    scene.plane.fill_silence(1, tone(440, 0.03))
    scene.tick()
    assert abs(loudest(ULAW.decode(scene.sent(1)[1].payload)) - 440) < 60
    scene.plane.play(1, 0, tone(1000, 0.02))
    scene.tick()
    assert abs(loudest(ULAW.decode(scene.sent(1)[2].payload)) - 1000) < 60, "a reply comes first"
    scene.tick(3)
    assert scene.played == [(1, 0, 160)]
    assert set(scene.sent(1)[-1].payload) == {ULAW.silence}


def test_a_background_goes_on_also_while_nobody_speaks(scene: PlaneScene) -> None:
    scene.open(1)
    scene.plane.set_background(1, tone(300, 1.0))
    scene.tick(3)
    assert all(abs(loudest(ULAW.decode(p.payload)) - 300) < 60 for p in scene.sent(1))
    assert scene.played == []


def test_wideband_is_encoded_frame_by_frame_and_what_was_cut_leaves_no_trace(scene: PlaneScene) -> None:
    scene.open(1, "g722")
    at = np.arange(16_000) / 16_000
    high = (np.sin(2 * np.pi * 5_000 * at) * 9_000).astype(np.int16)
    scene.tick(5)
    scene.plane.play(1, 0, high)
    scene.tick(10)
    scene.plane.flush(1, 1)
    scene.tick(5)
    decoder = CODECS["g722"].decoder()
    heard = np.concatenate([decoder.decode(p.payload) for p in scene.sent(1)])
    speech = heard[5 * 320 + 320 : 15 * 320]
    spectrum = np.abs(np.fft.rfft(speech.astype(float)))
    assert np.argmax(spectrum) * 16_000 / speech.size == pytest.approx(5_000, abs=30)
    assert np.abs(heard[-3 * 320 :]).max() < 100
    assert scene.played[0] == (1, 0, 320)


# -- what comes -----------------------------------------------------------------------------------------------


def test_frames_of_many_streams_are_decoded_together_and_kept_apart(scene: PlaneScene) -> None:
    scene.open(1)
    scene.open(2, "alaw")
    for n in range(3):
        scene.receive((1, packet(n, bytes([n]) * 160)), (2, packet(n, bytes([n]) * 160, kind=8)))
    assert [int(f[0]) for f in scene.heard[1]] == ULAW.decode(bytes(range(3))).tolist()
    assert [int(f[0]) for f in scene.heard[2]] == ALAW.decode(bytes(range(3))).tolist()


def test_packets_of_an_unknown_source_are_counted_and_reach_nobody(scene: PlaneScene) -> None:
    scene.open(1)
    scene.receive((9, packet(0)))
    assert scene.heard == {}
    assert scene.plane.counters.unknown_source == 1


def test_duplicated_and_reordered_packets_are_heard_once_and_in_order(scene: PlaneScene) -> None:
    scene.open(1)
    for n in (0, 2, 1, 1, 3, 0):
        scene.receive((1, packet(n, bytes([n]) * 160)))
    assert [int(f[0]) for f in scene.heard[1]] == ULAW.decode(bytes(range(4))).tolist()


def test_a_lost_packet_is_made_up_and_counted(scene: PlaneScene) -> None:
    scene.open(1)
    sound = ULAW.encode(tone(400, 1.0))
    for n in (0, 1, 2, 3, 4, 6, 7):
        scene.receive((1, packet(n, sound[n * 160 : n * 160 + 160])))
    scene.tick(3)
    assert len(scene.heard[1]) == 8
    true = tone(400, 1.0)[800:960].astype(float)
    made = scene.heard[1][5].astype(float)
    assert ((made - true) ** 2).sum() < 0.2 * (true**2).sum(), "better than silence"
    statistics = scene.statistics(1)
    assert statistics["packetsLost"] == 1
    assert statistics["concealedSeconds"] == 0.02


@pytest.mark.parametrize("ptime", [10, 20, 30, 40, 60])
def test_packets_of_10_to_60_milliseconds_become_frames_of_20(scene: PlaneScene, ptime: int) -> None:
    scene.open(1)
    sound = ULAW.encode(tone(500, 0.6))
    size = ptime * 8
    for n in range(len(sound) // size):
        scene.receive((1, packet(n, sound[n * size : (n + 1) * size], at=n * size)))
    heard = np.concatenate(scene.heard[1])
    assert heard.size == len(sound)
    assert heard.tolist() == ULAW.decode(sound).tolist()
    assert scene.statistics(1)["concealedSeconds"] == 0


def test_comfort_noise_fills_a_short_pause_and_a_long_one_is_left_to_the_clock(scene: PlaneScene) -> None:
    scene.open(1)
    scene.receive((1, packet(0)), (1, packet(1, bytes([50]), at=160, kind=13)))
    scene.receive((1, packet(2, at=160 + 5 * 160)))
    assert len(scene.heard[1]) == 7
    rms = np.sqrt((np.concatenate(scene.heard[1][1:6]).astype(float) ** 2).mean())
    assert rms == pytest.approx(32768 * 10 ** (-50 / 20), rel=0.1)
    scene.receive((1, packet(3, bytes([50]), at=0, kind=13)), (1, packet(4, at=160 * 500, marker=True)))
    assert len(scene.heard[1]) == 8
    assert scene.statistics(1)["concealedSeconds"] == 0, "nothing was lost"


def test_a_new_ssrc_and_a_jump_of_the_timestamp_are_heard_on(scene: PlaneScene) -> None:
    scene.open(1)
    scene.receive((1, packet(0)))
    other = RtpPacket(0, 40_000, 0xFFFFFF00, 99, b"\x01" * 160).serialize()
    after = RtpPacket(0, 40_001, (0xFFFFFF00 + 160) & 0xFFFFFFFF, 99, b"\x02" * 160).serialize()
    scene.receive((1, other), (1, after))
    assert [int(f[0]) for f in scene.heard[1]] == ULAW.decode(b"\x80\x01\x02").tolist()
    assert scene.statistics(1)["streamRestarts"] == 1


def test_what_is_no_rtp_or_of_another_type_is_counted(scene: PlaneScene) -> None:
    scene.open(1)
    scene.receive((1, b"hello"), (1, packet(0, kind=101)), (1, b""), (1, packet(0)))
    assert len(scene.heard[1]) == 1
    statistics = scene.statistics(1)
    assert (statistics["packetsMalformed"], statistics["packetsOfWrongType"]) == (2, 1)


def test_wideband_is_heard_at_16_kilohertz(scene: PlaneScene) -> None:
    scene.open(1, "g722")
    coder = CODECS["g722"].encoder()
    at = np.arange(6_400) / 16_000
    sound = (np.sin(2 * np.pi * 6_000 * at) * 9_000).astype(np.int16)
    for n, frame in enumerate(sound.reshape(-1, 320)):
        scene.receive((1, packet(n, coder.encode(frame), kind=9)))
    heard = np.concatenate(scene.heard[1])[1_600:]
    assert heard.size == 4_800
    assert np.argmax(np.abs(np.fft.rfft(heard.astype(float)))) * 16_000 / heard.size == pytest.approx(
        6_000, abs=10
    )


def test_both_sides_are_recorded_on_one_time_line(scene: PlaneScene) -> None:
    queue = RecordingQueue(RecordingMemory())
    scene.tick(3)
    scene.open(1, recording=queue)
    scene.plane.play(1, 0, tone(500, 0.04))
    caller = ULAW.encode(tone(1500, 0.04))
    for n in range(6):
        if n in {3, 4}:
            scene.receive((1, packet(n, caller[(n - 3) * 160 : (n - 2) * 160])))
        scene.tick()
    reply = ULAW.encode(tone(500, 0.04))
    sides: dict[int, list[tuple[int, bytes | Pcm]]] = {CALLER: [], ASSISTANT: []}
    for side, position, part in queue.parts:
        sides[side].append((position, part))
    whole = [(position, part) for position, part in sides[CALLER] if isinstance(part, bytes)]
    assert [position for position, _ in sides[CALLER]] == [3 * 160, 4 * 160]
    assert whole[-1][1] == caller[160:], "a stateless codec's payload is decoded by who writes it"
    assert [position for position, _ in sides[ASSISTANT]] == [0, 160, 320], "since the stream was opened"
    assert sides[ASSISTANT][1][1] == reply[160:]

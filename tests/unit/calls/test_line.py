"""The audio of one call with a simulated clock: what comes in odd order, and what goes out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ari_assistant.calls.line import Line
from ari_assistant.media.background import Background
from ari_assistant.media.frame import FRAME_SAMPLES, Pcm
from ari_assistant.media.g711 import ULAW
from ari_assistant.media.port import PortCounters
from ari_assistant.media.recording import Recording
from ari_assistant.media.rtp import RtpPacket
from tests.support.studio import read_wav
from tests.support.tones import loudest, tone


class Wire:
    """Stands where the media port does, and keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[RtpPacket] = []
        self.counters = PortCounters()

    def send(self, packet: bytes) -> None:
        self.sent.append(RtpPacket.parse(packet))


def line(recording: Recording | None = None) -> tuple[Line, Wire, list[Pcm], list[int]]:
    heard: list[Pcm] = []
    began: list[int] = []
    made = Line(
        ULAW,
        recording=recording,
        heard=lambda frame, _: heard.append(frame),
        reply_began=lambda turn, _: began.append(turn),
    )
    wire = Wire()
    made._port = wire  # type: ignore[assignment]
    return made, wire, heard, began


def packet(number: int, payload: bytes = b"\xff" * 160, *, at: int | None = None) -> RtpPacket:
    return RtpPacket(0, number, number * 160 if at is None else at, 7, payload)


def test_silence_is_sent_and_the_clock_goes_on_through_skipped_frames() -> None:
    made, wire, _, _ = line()
    for n, skipped in enumerate([0, 0, 5, 0]):
        made.tick(n * 0.02, skipped)
    times = [p.timestamp - wire.sent[0].timestamp for p in wire.sent]
    assert [t & 0xFFFFFFFF for t in times] == [0, 160, 320 + 800, 480 + 800]
    assert [p.marker for p in wire.sent] == [True, False, True, False]
    assert all(set(p.payload) == {ULAW.silence} for p in wire.sent)


def test_a_reply_is_sent_frame_by_frame_and_its_beginning_told_once() -> None:
    made, wire, _, began = line()
    made.playout.open(3)
    made.playout.clause(3, "beep")
    made.playout.push(3, tone(1000, 0.1))
    made.playout.finish(3)
    for n in range(8):
        made.tick(n * 0.02, 0)
    pcm = np.concatenate([ULAW.decode(p.payload) for p in wire.sent])
    assert abs(loudest(pcm[:800]) - 1000) < 20
    assert np.abs(pcm[800:]).max() < 10
    assert began == [3]


def test_lost_packets_become_silence_and_odd_packet_sizes_become_frames() -> None:
    made, _, heard, _ = line()
    made.receive(packet(0, b"\x80" * 240, at=0), 0.0)
    made.receive(packet(1, b"\x80" * 80, at=240), 0.03)
    assert [frame.size for frame in heard] == [160, 160]
    made.receive(packet(3, b"\x80" * 160, at=480), 0.05)
    made.tick(0.2, 0)
    assert len(heard) == 4
    assert not heard[2].any()
    assert heard[3].any()
    assert made.statistics()["packetsLost"] == 1
    assert made.statistics()["concealedSeconds"] == 0.02


def test_duplicated_and_reordered_packets_are_heard_once_and_in_order() -> None:
    made, _, heard, _ = line()
    payloads = {n: bytes([n]) * 160 for n in range(4)}
    for n in (0, 2, 1, 1, 3, 0):
        made.receive(packet(n, payloads[n]), n * 0.02)
    expected = [int(ULAW.decode(payloads[n])[0]) for n in range(4)]
    assert [int(frame[0]) for frame in heard] == expected


async def test_both_sides_are_recorded_on_one_time_line(tmp_path: Path) -> None:
    made, _, _, _ = line(Recording(tmp_path / "call.wav"))
    made.playout.open(0)
    made.playout.clause(0, "beep")
    made.playout.push(0, tone(500, 0.2))
    made.playout.finish(0)
    caller = ULAW.encode(tone(1500, 0.2))
    for n in range(60):
        if 20 <= n < 30:
            at = (n - 20) * FRAME_SAMPLES
            made.receive(packet(n, caller[at : at + 160]), n * 0.02)
        made.tick(n * 0.02, 0)
    await made.record()
    await made.aclose()
    stereo = read_wav(tmp_path / "call.wav")
    assert len(stereo) == 60 * 160
    assert abs(loudest(stereo[:1600, 1]) - 500) < 20
    assert abs(loudest(stereo[20 * 160 : 30 * 160, 0]) - 1500) < 20
    assert not stereo[: 20 * 160, 0].any()
    assert not stereo[1600:, 1].any()


def test_an_interjection_is_heard_beside_the_replies_and_begins_none() -> None:
    made, wire, _, began = line()
    made.interject(tone(440, 0.05))
    made.tick(0.0, 0)
    assert abs(loudest(ULAW.decode(wire.sent[0].payload)) - 440) < 60
    made.playout.open(1)
    made.playout.clause(1, "x")
    made.playout.push(1, tone(1000, 0.02))
    made.tick(0.02, 0)
    assert abs(loudest(ULAW.decode(wire.sent[1].payload)) - 1000) < 60, "a reply comes first"
    assert began == [1]
    for n in range(2, 6):
        made.tick(n * 0.02, 0)
    assert set(wire.sent[5].payload) == {ULAW.silence}


def test_a_background_goes_on_also_while_nobody_speaks() -> None:
    made, wire, _, began = line()
    made.background = Background(tone(300, 1.0))
    made.tick(0.0, 0)
    assert abs(loudest(ULAW.decode(wire.sent[0].payload)) - 300) < 60
    assert began == []


def test_a_held_reply_is_silent_on_the_wire_at_once() -> None:
    made, wire, _, _ = line()
    made.playout.open(1)
    made.playout.clause(1, "x")
    made.playout.push(1, tone(1000, 0.2))
    made.tick(0.0, 0)
    made.playout.hold()
    made.tick(0.02, 0)
    assert set(wire.sent[1].payload) == {ULAW.silence}

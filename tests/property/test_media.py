"""Any bytes, any order, any clock: no exception, no unbounded memory, playout in order."""

from __future__ import annotations

import itertools
from collections import deque
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ari_assistant.audio.codec import CODECS
from ari_assistant.audio.frame import FRAME_SAMPLES
from ari_assistant.audio.g711 import ALAW, ULAW
from ari_assistant.audio.stereo import StereoTimeline
from ari_assistant.media.process.protocol import (
    MAX_MESSAGE_BYTES,
    Kind,
    MediaOrder,
    join_orders,
    pack_order,
    unpack_orders,
)
from ari_assistant.media.rtp.jitter_buffer import JitterBuffer
from ari_assistant.media.rtp.pacer import Pacer
from ari_assistant.media.rtp.packet import MalformedPacket, RtpPacket, sequence_delta
from ari_assistant.media.rtp.packet_rows import PacketRows
from ari_assistant.media.rtp.plane import Datagrams, Plane
from tests.support.sink import local_playout

uint16 = st.integers(0, 0xFFFF)
uint32 = st.integers(0, 0xFFFFFFFF)
packets = st.builds(RtpPacket, st.integers(0, 127), uint16, uint32, uint32, st.binary(max_size=200), st.booleans())


@given(packets)
def test_what_was_serialized_parses_to_the_same_packet(packet: RtpPacket) -> None:
    assert RtpPacket.parse(packet.serialize()) == packet


@given(st.binary(max_size=400))
def test_any_bytes_parse_or_are_malformed(data: bytes) -> None:
    try:
        packet = RtpPacket.parse(data)
    except MalformedPacket:
        return
    assert len(packet.payload) <= len(data) - 12


@given(
    start=uint16,
    order=st.lists(st.tuples(st.integers(0, 60), st.floats(0, 0.1), st.sampled_from([1, 1, 1, 2])), max_size=80),
)
def test_the_jitter_buffer_releases_rising_numbers_and_keeps_little(
    start: int, order: list[tuple[int, float, int]]
) -> None:
    buffer = JitterBuffer(depth=4)
    now = 0.0
    released: list[RtpPacket] = []
    for offset, pause, ssrc in order:
        now += pause
        released += buffer.push(RtpPacket(0, (start + offset) & 0xFFFF, 0, ssrc, b""), now=now)
        released += buffer.handle_deadline(now)
        assert len(buffer._waiting) < 4
        assert 0.02 <= buffer.wait_seconds(now) <= 0.2
    for before, after in itertools.pairwise(released):
        if before.ssrc == after.ssrc and buffer.counters.restarts == 0:
            assert sequence_delta(after.sequence_number, before.sequence_number) > 0
    counters = buffer.counters
    assert len(released) + counters.late + counters.duplicated + len(buffer._waiting) == counters.received


@given(st.lists(st.floats(-0.5, 0.5, allow_nan=False), max_size=100))
def test_the_pacer_sends_no_bursts_whatever_the_clock_does(steps: list[float]) -> None:
    pacer = Pacer(start=0.0, interval=0.02, catch_up=3)
    now, deadline = 0.0, pacer.deadline
    for step in steps:
        now += step
        due = pacer.due(now)
        assert 0 <= due.frames <= 3
        assert pacer.deadline >= deadline
        if due.frames:
            assert now - 1e-9 <= pacer.deadline <= now + 0.02 + 1e-9
        deadline = pacer.deadline


chunks = st.lists(
    st.lists(st.integers(0, 700), min_size=1, max_size=4), min_size=1, max_size=4
)  # clauses of chunks of samples


@given(chunks)
def test_playout_plays_every_sample_once_and_in_order(clauses: list[list[int]]) -> None:
    playout, line = local_playout()
    playout.open(1)
    expected: list[int] = []
    number = 0
    for clause in clauses:
        playout.clause(1, "words of a clause")
        for size in clause:
            pcm = (np.arange(number, number + size) % 30_000 + 1).astype(np.int16)
            number += size
            expected += pcm.tolist()
            playout.push(1, pcm)
    playout.finish(1)
    played: list[int] = []
    while (frame := line.pop()) is not None:
        assert frame.size == FRAME_SAMPLES
        played += frame.tolist()
    assert playout.drained
    assert played[: len(expected)] == expected
    assert not any(played[len(expected) :])


@given(chunks, st.integers(0, 12))
def test_words_are_spoken_from_the_front(clauses: list[list[int]], frames: int) -> None:
    playout, line = local_playout()
    playout.open(1)
    for clause in clauses:
        playout.clause(1, "one two three")
        for size in clause:
            playout.push(1, np.ones(size, np.int16))
    for _ in range(frames):
        line.pop()
    spoken = playout.close()
    assert spoken is not None
    whole = " ".join(["one two three"] * len(clauses)).split()
    said = spoken.text.split()
    assert said == whole[: len(said)] or 0 in [sum(c) for c in clauses]


@given(st.binary(max_size=500))
def test_g711_codes_survive_a_round_trip_through_samples(payload: bytes) -> None:
    for law in (ULAW, ALAW):
        pcm = law.decode(payload)
        assert law.decode(law.encode(pcm)).tolist() == pcm.tolist()


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(-2_000, 6_000), st.integers(0, 400), st.integers(0, 800)),
        max_size=30,
    )
)
def test_the_time_line_is_taken_once_without_gap_or_overlap(steps: list[tuple[int, int, int, int]]) -> None:
    line = StereoTimeline(horizon_samples=4_000)
    reference: dict[tuple[int, int], int] = {}
    taken: list[NDArray[np.int16]] = []
    until = 0
    for value, (side, position, size, advance) in enumerate(steps, 1):
        line.put(side, position, np.full(size, value, np.int16))
        for at in range(position, position + size):
            if until <= at < until + 4_000:
                reference[(at, side)] = value
        until += advance
        taken.append(line.take(until))
        assert len(line._buffer) <= 16_000
    whole = np.concatenate(taken) if taken else np.zeros((0, 2), np.int16)
    assert len(whole) == until
    for (at, side), expected in reference.items():
        if at < until:
            assert whole[at, side] == expected


class _Nowhere:
    """A wire whose packets are only counted."""

    def __init__(self) -> None:
        self.sent = 0

    def aim(self, row: int, address: bytes) -> None:
        pass

    def send(self, first: int, count: int) -> int:
        self.sent += count
        return count


actions = st.lists(
    st.one_of(
        st.tuples(st.just("tick"), st.integers(0, 4)),
        st.tuples(st.just("play"), st.integers(0, 3), st.integers(0, 500)),
        st.tuples(st.just("flush"), st.integers(0, 3)),
        st.tuples(st.just("close"), st.integers(0, 3)),
        st.tuples(st.just("open"), st.integers(0, 3), st.sampled_from(["ulaw", "alaw", "g722"])),
        st.tuples(
            st.just("receive"),
            st.integers(0, 3),
            st.integers(0, 40),
            st.integers(0, 400),
            st.sampled_from([0, 9, 13]),
        ),
        st.tuples(st.just("junk"), st.integers(0, 3), st.binary(max_size=60)),
    ),
    max_size=60,
)


@given(actions)
def test_whatever_happens_every_stream_keeps_its_clock_and_memory_is_bounded(steps: list[tuple[Any, ...]]) -> None:
    wire = _Nowhere()
    plane = Plane(wire, PacketRows(capacity=8))
    epochs = dict.fromkeys(range(4), 0)
    opened: dict[int, int] = {}
    ticks = 0
    now = 0.0
    for step in steps:
        match step:
            case ("tick", skipped):
                now += 0.02
                ticks += 1
                plane.tick(now, skipped)
            case ("open", number, codec) if plane.get(number) is None:
                plane.open(number, CODECS[codec], bytes([number]).ljust(28, b"\0"))
                opened[number], epochs[number] = ticks, 0
            case ("close", number):
                plane.close(number)
                opened.pop(number, None)
            case ("play", number, size):
                plane.play(number, epochs[number], np.full(size, 1_000, np.int16))
            case ("flush", number):
                epochs[number] += 1
                plane.flush(number, epochs[number])
            case ("receive", number, offset, size, kind):
                data = RtpPacket(kind, offset, offset * 160, 1, bytes(size)).serialize()
                _receive(plane, number, data, now)
            case ("junk", number, data):
                _receive(plane, number, data, now)
        for number, since in opened.items():
            stream = plane.get(number)
            assert stream is not None
            ahead = stream.statistics(plane.ticks)["packetsSent"] - (ticks - since)
            assert ahead == (1 if stream.leads else 0), "a packet a tick, and at most one ahead"
            assert len(stream.jitter._waiting) < 25
            assert stream.send_queue.played >= 0
        report = plane.take_report()
        assert all(frame.shape[-1] == 160 for frame in report.narrow_frames)
        assert all(frame.shape[-1] == 320 for frame in report.wide_frames)
    assert plane.rows.count == len(opened) == len(plane)


def _receive(plane: Plane, number: int, data: bytes, now: float) -> None:
    row = np.zeros((1, 2048), np.uint8)
    row[0, : len(data)] = np.frombuffer(data, np.uint8)
    plane.push_datagrams(Datagrams(row, [len(data)], [bytes([number]).ljust(28, b"\0")], [now]))


@given(
    st.lists(
        st.tuples(st.sampled_from(list(Kind)[:6]), uint32, uint32, st.integers(0, 70_000)), min_size=1, max_size=6
    )
)
def test_orders_arrive_as_they_were_given(orders: list[tuple[Kind, int, int, int]]) -> None:
    waiting: deque[bytes] = deque()
    expected: dict[tuple[int, int, int], int] = {}
    for kind, number, epoch, size in orders:
        waiting.extend(
            pack_order(
                MediaOrder(kind, number, epoch, np.full(size, 7, np.int16), {"a": 1} if kind == 1 else None)
            )
        )
        expected[kind, number, epoch] = expected.get((kind, number, epoch), 0) + (size if kind != Kind.OPEN else 0)
    found: dict[tuple[int, int, int], int] = {}
    while waiting:
        datagram = join_orders(waiting)
        assert len(datagram) <= MAX_MESSAGE_BYTES
        for order in unpack_orders(datagram):
            key = (order.kind, order.number, order.epoch)
            found[key] = found.get(key, 0) + (order.pcm.size if order.pcm is not None else 0)
    assert found == expected

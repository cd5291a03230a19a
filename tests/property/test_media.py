"""Any bytes, any order, any clock: no exception, no unbounded memory, playout in order."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ari_assistant.media.frame import FRAME_SAMPLES
from ari_assistant.media.g711 import ALAW, ULAW
from ari_assistant.media.pacer import Pacer
from ari_assistant.media.playout import Playout
from ari_assistant.media.reorder import Reorder
from ari_assistant.media.rtp import MalformedPacket, RtpPacket, sequence_delta
from ari_assistant.media.stereo import StereoTimeline

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
def test_reordering_releases_rising_numbers_and_keeps_little(
    start: int, order: list[tuple[int, float, int]]
) -> None:
    reorder = Reorder(depth=4)
    now = 0.0
    released: list[RtpPacket] = []
    for offset, pause, ssrc in order:
        now += pause
        released += reorder.push(RtpPacket(0, (start + offset) & 0xFFFF, 0, ssrc, b""), now=now)
        released += reorder.handle_deadline(now)
        assert len(reorder._waiting) < 4
    for before, after in itertools.pairwise(released):
        if before.ssrc == after.ssrc and reorder.counters.restarts == 0:
            assert sequence_delta(after.sequence_number, before.sequence_number) > 0
    counters = reorder.counters
    assert len(released) + counters.late + counters.duplicated <= counters.received


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
    playout = Playout()
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
    while (frame := playout.pop()) is not None:
        assert frame.size == FRAME_SAMPLES
        played += frame.tolist()
    assert playout.drained
    assert played[: len(expected)] == expected
    assert not any(played[len(expected) :])


@given(chunks, st.integers(0, 12))
def test_words_are_spoken_from_the_front(clauses: list[list[int]], frames: int) -> None:
    playout = Playout()
    playout.open(1)
    for clause in clauses:
        playout.clause(1, "one two three")
        for size in clause:
            playout.push(1, np.ones(size, np.int16))
    for _ in range(frames):
        playout.pop()
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
    line = StereoTimeline(horizon_seconds=0.5)
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

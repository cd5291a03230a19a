from __future__ import annotations

import pytest

from ari_assistant.media.rtp.jitter_buffer import JitterBuffer
from ari_assistant.media.rtp.packet import RtpPacket


def packet(number: int, *, ssrc: int = 1) -> RtpPacket:
    return RtpPacket(0, number & 0xFFFF, (number * 160) & 0xFFFFFFFF, ssrc, b"")


def numbers(packets: list[RtpPacket]) -> list[int]:
    return [p.sequence_number for p in packets]


def test_packets_in_order_pass_at_once() -> None:
    buffer = JitterBuffer()
    assert numbers(buffer.push(packet(65535), now=0.0)) == [65535]
    assert numbers(buffer.push(packet(65536), now=0.02)) == [0]
    assert buffer.passes(1, 160, 1, 0.04)
    assert not buffer.passes(3, 480, 1, 0.06), "one that is not expected has to be pushed"
    assert buffer.counters.received == 3
    assert buffer.counters.held == 0


def test_a_packet_that_is_ahead_waits_for_the_missing_one() -> None:
    buffer = JitterBuffer()
    buffer.push(packet(1), now=0.0)
    assert buffer.push(packet(3), now=0.02) == []
    assert numbers(buffer.push(packet(2), now=0.03)) == [2, 3]
    assert buffer.counters.lost == 0
    assert buffer.counters.reordered == 1
    assert buffer.counters.held_seconds == pytest.approx(0.01)


def test_a_missing_packet_is_given_up_after_the_wait() -> None:
    buffer = JitterBuffer(least_seconds=0.06)
    buffer.push(packet(1), now=0.0)
    buffer.push(packet(3), now=0.02)
    assert buffer.handle_deadline(0.07) == []
    assert numbers(buffer.handle_deadline(0.08)) == [3]
    assert buffer.counters.lost == 1
    assert buffer.push(packet(2), now=0.09) == []
    assert buffer.counters.late == 1


def test_the_wait_grows_with_packets_that_came_too_late_and_is_forgotten_again() -> None:
    buffer = JitterBuffer()
    assert buffer.wait_seconds(0.0) == 0.02
    buffer.push(packet(1), now=0.0)
    buffer.push(packet(3), now=0.02)
    buffer.handle_deadline(0.04)
    buffer.push(packet(2), now=0.10)  # 80 ms after the one behind it
    assert buffer.wait_seconds(0.10) == pytest.approx(0.096)
    assert buffer.wait_seconds(300.0) == 0.02


def test_the_wait_grows_with_the_jitter() -> None:
    buffer = JitterBuffer()
    for n in range(200):
        late = 0.012 if n % 2 else 0.0
        buffer.push(packet(n), now=n * 0.02 + late)
    assert buffer.jitter_ticks / 8 == pytest.approx(12, abs=0.5), "RFC 3550: the mean difference, in milliseconds"
    assert buffer.wait_seconds(4.0) == pytest.approx(0.048, abs=0.002)


def test_waiting_packets_are_bounded() -> None:
    buffer = JitterBuffer(depth=3, least_seconds=0.2)
    buffer.push(packet(1), now=0.0)
    released = [n for k in range(3, 9) for n in numbers(buffer.push(packet(k), now=0.0))]
    assert released == [3, 4, 5, 6, 7, 8]


def test_duplicates_are_dropped_and_counted() -> None:
    buffer = JitterBuffer()
    buffer.push(packet(1), now=0.0)
    buffer.push(packet(3), now=0.0)
    assert buffer.push(packet(3), now=0.0) == []
    assert buffer.push(packet(1), now=0.0) == []
    assert (buffer.counters.duplicated, buffer.counters.late) == (2, 0)


def test_a_new_ssrc_begins_anew_and_loses_nothing_that_waited() -> None:
    buffer = JitterBuffer()
    buffer.push(packet(1), now=0.0)
    buffer.push(packet(3), now=0.0)
    assert numbers(buffer.push(packet(500, ssrc=2), now=0.01)) == [3, 500]
    assert buffer.counters.restarts == 1

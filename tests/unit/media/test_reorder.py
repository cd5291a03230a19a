from __future__ import annotations

from ari_assistant.media.reorder import Reorder
from ari_assistant.media.rtp import RtpPacket


def packet(number: int, *, ssrc: int = 1) -> RtpPacket:
    return RtpPacket(0, number & 0xFFFF, (number * 160) & 0xFFFFFFFF, ssrc, b"")


def numbers(packets: list[RtpPacket]) -> list[int]:
    return [p.sequence_number for p in packets]


def test_packets_in_order_pass_at_once() -> None:
    reorder = Reorder()
    assert numbers(reorder.push(packet(65535), now=0.0)) == [65535]
    assert numbers(reorder.push(packet(65536), now=0.02)) == [0]


def test_a_packet_that_is_ahead_waits_for_the_missing_one() -> None:
    reorder = Reorder()
    reorder.push(packet(1), now=0.0)
    assert reorder.push(packet(3), now=0.02) == []
    assert numbers(reorder.push(packet(2), now=0.03)) == [2, 3]
    assert reorder.counters.lost == 0
    assert reorder.counters.reordered == 1


def test_a_missing_packet_is_given_up_after_the_wait() -> None:
    reorder = Reorder(wait_seconds=0.06)
    reorder.push(packet(1), now=0.0)
    reorder.push(packet(3), now=0.02)
    assert reorder.handle_deadline(0.07) == []
    assert numbers(reorder.handle_deadline(0.08)) == [3]
    assert reorder.counters.lost == 1
    assert reorder.push(packet(2), now=0.09) == []
    assert reorder.counters.late == 1


def test_waiting_packets_are_bounded() -> None:
    reorder = Reorder(depth=3, wait_seconds=10)
    reorder.push(packet(1), now=0.0)
    released = [n for k in range(3, 9) for n in numbers(reorder.push(packet(k), now=0.0))]
    assert released == [3, 4, 5, 6, 7, 8]


def test_duplicates_are_dropped_and_counted() -> None:
    reorder = Reorder()
    reorder.push(packet(1), now=0.0)
    reorder.push(packet(3), now=0.0)
    assert reorder.push(packet(3), now=0.0) == []
    assert reorder.push(packet(1), now=0.0) == []
    assert (reorder.counters.duplicated, reorder.counters.late) == (1, 1)


def test_a_new_ssrc_begins_anew_and_loses_nothing_that_waited() -> None:
    reorder = Reorder()
    reorder.push(packet(1), now=0.0)
    reorder.push(packet(3), now=0.0)
    assert numbers(reorder.push(packet(500, ssrc=2), now=0.01)) == [3, 500]
    assert reorder.counters.restarts == 1

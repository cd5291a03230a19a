from __future__ import annotations

import numpy as np
import pytest

from ari_assistant.media.rtp.packet import RtpPacket
from ari_assistant.media.rtp.packet_rows import PACKET_BYTES, PacketRows, read_headers


def rows_of(count: int, *, capacity: int = 4) -> PacketRows:
    """Streams whose SSRCs are 100, 101 …, and whose payloads are their row's number."""
    rows = PacketRows(capacity)
    for n in range(count):
        assert rows.add(payload_type=n, ssrc=100 + n, number=10 * n, timestamp=1_000 * n) == n
        rows.fill(n, bytes([n]) * 160)
    return rows


def parsed(rows: PacketRows, row: int) -> RtpPacket:
    return RtpPacket.parse(rows.packet(row))


def test_a_streams_first_packet_has_its_numbers_and_the_marker() -> None:
    rows = rows_of(2)
    rows.advance()
    assert parsed(rows, 1) == RtpPacket(1, 10, 1_000, 101, bytes([1]) * 160, marker=True)
    rows.sent()
    rows.advance()
    assert parsed(rows, 1) == RtpPacket(1, 11, 1_160, 101, bytes([1]) * 160, marker=False)


@pytest.mark.parametrize("alone", [False, True])
def test_numbers_and_timestamps_wrap_there_and_back(alone: bool) -> None:
    rows = PacketRows(1)
    rows.add(payload_type=0, ssrc=1, number=0xFFFF, timestamp=0xFFFFFFFF - 79)
    for number, timestamp in ((0xFFFF, 0xFFFFFFFF - 79), (0, 80)):
        if alone:
            rows.advance_one(0)
        else:
            rows.advance()
        assert (parsed(rows, 0).sequence_number, parsed(rows, 0).timestamp) == (number, timestamp)
    rows.take_back(0)
    assert (parsed(rows, 0).sequence_number, parsed(rows, 0).timestamp) == (0xFFFF, 0xFFFFFFFF - 79)


def test_the_last_row_takes_the_place_of_one_that_goes_and_keeps_its_marker() -> None:
    rows = rows_of(3)
    rows.sent()
    rows.mark(2)
    assert rows.remove(0) == 2
    rows.advance()
    assert parsed(rows, 0) == RtpPacket(2, 20, 2_000, 102, bytes([2]) * 160, marker=True)
    rows.sent()
    assert not parsed(rows, 0).marker
    assert rows.remove(1) is None, "it was the last"
    assert rows.count == 1


def test_a_marker_goes_with_its_stream() -> None:
    rows = rows_of(2)
    rows.remove(1)
    rows.add(payload_type=5, ssrc=200, number=1, timestamp=1)
    rows.sent()
    assert not parsed(rows, 1).marker
    assert parsed(rows, 1).payload_type == 5


def test_time_in_which_nothing_was_sent_moves_the_timestamps_alone() -> None:
    rows = rows_of(1)
    rows.advance()
    rows.sent()
    rows.skip(5)
    rows.advance()
    packet = parsed(rows, 0)
    assert (packet.sequence_number, packet.timestamp, packet.marker) == (1, 6 * 160, True)


def test_one_that_is_not_sent_after_all_gets_the_same_numbers_again() -> None:
    rows = rows_of(1)
    rows.advance()
    first = rows.packet(0)
    rows.take_back(0)
    rows.advance_one(0)
    assert rows.packet(0) == first


def test_it_is_full_when_every_row_is_taken() -> None:
    rows = rows_of(4)
    assert rows.full
    rows.remove(3)
    assert not rows.full


def test_rows_lie_in_memory_one_behind_the_other_where_the_kernel_reads_them() -> None:
    rows = rows_of(2)
    assert PACKET_BYTES == 172
    assert rows.packet(1)[12:] == bytes([1]) * 160


def test_the_headers_of_many_datagrams_are_read_as_columns() -> None:
    packets = [
        RtpPacket(0, 65_535, 0xFFFFFFFE, 1, b"x" * 160),
        RtpPacket(8, 1, 2, 3, b"x", marker=True),
        RtpPacket(101, 7, 8, 9, b""),
    ]
    data = np.full((4, 2_048), 0xAA, np.uint8)  # what was there before
    for row, packet in enumerate(packets):
        raw = packet.serialize()
        data[row, : len(raw)] = np.frombuffer(raw, np.uint8)
    headers = read_headers(data)
    assert headers.plain == [True, False, True, False], "a marker is not plain, and neither is junk"
    assert headers.payload_type[:3] == [0, 8, 101]
    assert headers.number[:3] == [65_535, 1, 7]
    assert headers.timestamp[:3] == [0xFFFFFFFE, 2, 8]
    assert headers.ssrc[:3] == [1, 3, 9]

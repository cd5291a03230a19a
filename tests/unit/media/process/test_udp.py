from __future__ import annotations

import select
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ari_assistant.media.process.udp import BatchSocket, packed_address
from ari_assistant.media.rtp.packet import RtpPacket
from ari_assistant.media.rtp.packet_rows import PacketRows
from ari_assistant.media.rtp.plane import Datagrams


@pytest.fixture(params=[True, False], ids=["batched", "plain"])
def batched(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def bound() -> Iterator[Callable[..., BatchSocket]]:
    """Makes sockets and closes them."""
    made: list[BatchSocket] = []

    def make(*arguments: Any, **options: Any) -> BatchSocket:
        made.append(BatchSocket(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


Bound = Callable[..., BatchSocket]


def hosts() -> list[str]:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return ["127.0.0.1"]
    return ["127.0.0.1", "::1"]


def received(made: BatchSocket) -> Datagrams:
    assert select.select([made], [], [], 5)[0]
    datagrams = made.receive_datagrams()
    assert datagrams is not None
    return datagrams


@pytest.mark.parametrize("host", hosts())
def test_rows_go_where_they_are_aimed_and_come_back_with_their_source(
    host: str, batched: bool, bound: Bound
) -> None:
    rows = PacketRows()
    made = bound(host, rows, batched=batched)
    far = [bound(host, PacketRows(), batched=batched) for _ in range(3)]
    for number, end in enumerate(far):
        row = rows.add(payload_type=0, ssrc=number, number=10, timestamp=160)
        rows.fill(row, bytes([number]) * 160)
        made.aim(row, packed_address(*end.address))
    rows.advance()
    assert made.send(0, 3) == 3
    for number, end in enumerate(far):
        datagrams = received(end)
        assert datagrams.lengths == [172]
        assert datagrams.sources == [packed_address(*made.address)]
        packet = RtpPacket.parse(datagrams.data[0, :172].tobytes())
        assert (packet.ssrc, packet.sequence_number, packet.timestamp) == (number, 10, 160)
        assert packet.marker
        assert set(packet.payload) == {number}
    assert made.batched is (batched and sys.platform == "linux")


def test_many_datagrams_are_read_at_once_in_order_with_their_times(batched: bool, bound: Bound) -> None:
    made = bound("127.0.0.1", PacketRows(), batched=batched)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        for number in range(50):
            sender.sendto(bytes([number]) * (number + 1), made.address)
        datagrams = received(made)
        assert datagrams.lengths == list(range(1, 51))
        assert datagrams.data[:, 0].tolist() == list(range(50))
        assert set(datagrams.sources) == {packed_address(*sender.getsockname())}
    assert datagrams.arrivals == sorted(datagrams.arrivals)
    assert made.receive_datagrams() is None


def test_a_row_that_cannot_be_sent_keeps_the_others_from_nothing(batched: bool, bound: Bound) -> None:
    rows = PacketRows()
    made, far = bound("127.0.0.1", rows, batched=batched), bound("127.0.0.1", PacketRows())
    for address in (packed_address("203.0.113.1", 0), packed_address(*far.address)):
        made.aim(rows.add(payload_type=0, ssrc=1, number=1, timestamp=0), address)
    assert made.send(0, 2) == 1
    assert received(far).lengths == [172]


def test_an_address_must_be_numeric() -> None:
    with pytest.raises(ValueError, match="localhost"):
        packed_address("localhost", 1)

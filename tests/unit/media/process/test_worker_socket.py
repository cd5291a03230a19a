"""The socket to the media process, with the other end in the test's hand."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Iterator

import numpy as np
import pytest

from ari_assistant.media.process.protocol import Kind, MediaOrder, pack_order, unpack_orders
from ari_assistant.media.process.worker_socket import WorkerSocket

Pair = tuple[socket.socket, socket.socket]
LONG = np.ones(20_000, np.int16)


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, other):
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 17)
    with ours, other:
        yield ours, other


@pytest.fixture
def theirs(pair: Pair) -> socket.socket:
    return pair[1]


@pytest.fixture
async def ours(pair: Pair) -> AsyncGenerator[WorkerSocket, None]:
    link = WorkerSocket(pair[0])
    yield link
    link.close()


def order(number: int) -> list[bytes]:
    return list(pack_order(MediaOrder(Kind.CLOSE, number)))


async def received(theirs: socket.socket) -> bytes:
    async with asyncio.timeout(5):
        return await asyncio.get_running_loop().sock_recv(theirs, 1 << 20)


async def test_an_order_goes_out_at_once(ours: WorkerSocket, theirs: socket.socket) -> None:
    ours.send(order(1))
    assert theirs.recv(1 << 20)


async def test_orders_of_one_block_go_out_together(ours: WorkerSocket, theirs: socket.socket) -> None:
    ours.send(order(1))
    alone = theirs.recv(1 << 20)
    with ours.together():
        ours.send(order(1))
        ours.send(order(2))
        with pytest.raises(BlockingIOError):
            theirs.recv(1 << 20)
    assert len(theirs.recv(1 << 20)) > len(alone)


async def test_what_there_is_no_room_for_waits_and_comes_in_order(
    ours: WorkerSocket, theirs: socket.socket
) -> None:
    for number in range(20):
        ours.send(pack_order(MediaOrder(Kind.PLAY, number, 0, LONG)))
    ours.send(order(20))
    numbers: list[int] = []
    while 20 not in numbers:
        numbers += [one.number for one in unpack_orders(await received(theirs))]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(21))


async def test_datagrams_are_given_whole_and_the_end_is_told(ours: WorkerSocket, theirs: socket.socket) -> None:
    for text in (b"one", b"two"):
        theirs.send(text)
    assert [bytes(datagram) for datagram in ours.received()] == [b"one", b"two"]
    assert not ours.over.is_set()
    theirs.close()
    assert list(ours.received()) == []
    assert ours.over.is_set()


async def test_orders_to_a_process_that_is_gone_are_lost_and_told(
    ours: WorkerSocket, theirs: socket.socket
) -> None:
    theirs.close()
    ours.send(order(1))
    assert ours.over.is_set()

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from ari_assistant.media.process.protocol import (
    MAX_MESSAGE_BYTES,
    Kind,
    MediaEvent,
    MediaOrder,
    ReportMessage,
    join_orders,
    pack_event,
    pack_order,
    pack_report,
    unpack,
    unpack_orders,
)
from ari_assistant.media.rtp.plane import PlaneReport


def through(*orders: MediaOrder) -> tuple[list[MediaOrder], int]:
    """The orders that arrive, and in how many datagrams."""
    waiting: deque[bytes] = deque()
    for order in orders:
        waiting.extend(pack_order(order))
    arrived: list[MediaOrder] = []
    datagrams = 0
    while waiting:
        datagram = join_orders(waiting)
        assert 0 < len(datagram) <= MAX_MESSAGE_BYTES
        arrived += unpack_orders(datagram)
        datagrams += 1
    return arrived, datagrams


def reported(report: PlaneReport, *, tick: bool = True) -> list[ReportMessage]:
    messages = []
    for message in pack_report(report, now=12.5, tick=tick):
        assert len(message) <= MAX_MESSAGE_BYTES
        read = unpack(message)
        assert isinstance(read, ReportMessage)
        messages.append(read)
    return messages


def test_orders_of_many_calls_go_in_one_datagram() -> None:
    details = {"codec": "ulaw", "host": "127.0.0.1", "port": 9, "recording": None}
    orders = [MediaOrder(Kind.OPEN, 1, details=details), MediaOrder(Kind.FLUSH, 2, 5), MediaOrder(Kind.CLOSE, 3)]
    assert through(*orders) == (orders, 1)


def test_long_audio_arrives_in_parts_that_are_the_whole_in_order() -> None:
    said = np.arange(100_000).astype(np.int16)
    arrived, datagrams = through(MediaOrder(Kind.PLAY, 7, 3, said))
    assert datagrams == len(arrived) > 1
    assert {(order.kind, order.number, order.epoch) for order in arrived} == {(Kind.PLAY, 7, 3)}
    parts = [order.pcm for order in arrived if order.pcm is not None]
    assert np.array_equal(np.concatenate(parts), said)


def test_an_event_keeps_its_fields() -> None:
    assert unpack(pack_event("closed", number=3, fault=None)) == MediaEvent("closed", {"number": 3, "fault": None})


def test_a_report_tells_who_was_heard_and_how_much_was_played() -> None:
    (read,) = reported(
        PlaneReport(
            narrow=[1, 2, 1], narrow_frames=[np.full((2, 160), 5, np.int16), np.full(160, 6, np.int16)],
            wide=[3], wide_frames=[np.full(320, 7, np.int16)], played=[1, 0, 160],
        )
    )  # fmt: skip
    assert (read.now, read.tick) == (12.5, True)
    assert (read.narrow, read.wide, read.played) == ([1, 2, 1], [3], [1, 0, 160])
    assert read.narrow_frames[:, 0].tolist() == [5, 5, 6]
    assert read.wide_frames.shape == (1, 320)


def test_a_report_of_more_than_a_message_holds_says_each_thing_once_and_the_tick_at_last() -> None:
    count = 700
    frames = np.arange(count, dtype=np.int16)[:, None].repeat(160, axis=1)
    messages = reported(PlaneReport(narrow=list(range(count)), narrow_frames=[frames], played=[1, 0, 160]))
    assert len(messages) == 3
    assert [message.tick for message in messages] == [False, False, True]
    assert [message.played for message in messages] == [[1, 0, 160], [], []]
    assert [number for message in messages for number in message.narrow] == list(range(count))
    assert np.concatenate([message.narrow_frames for message in messages])[:, 0].tolist() == list(range(count))


def test_a_tick_without_news_is_told_too() -> None:
    (read,) = reported(PlaneReport())
    assert read.tick
    assert not read.narrow


@pytest.mark.parametrize("message", [b"", bytes([Kind.REPORT]), bytes([Kind.REPORT]) + b"\0" * 7])
def test_what_is_no_message_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"an empty message|not a report"):
        unpack(message)


def test_what_is_no_order_is_refused() -> None:
    with pytest.raises(ValueError, match="not an order"):
        list(unpack_orders(b"\x03\0\0\0abc"))

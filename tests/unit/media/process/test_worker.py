"""The media process's loop, in a thread: spoken to through its socket, as by the server, and by RTP."""

from __future__ import annotations

import socket
import threading
import wave
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ari_assistant.audio.g711 import ULAW
from ari_assistant.media.process.protocol import (
    MAX_MESSAGE_BYTES,
    Kind,
    MediaEvent,
    MediaOrder,
    ReportMessage,
    join_orders,
    pack_order,
    pack_report,
    unpack,
)
from ari_assistant.media.process.worker import MediaProcess
from ari_assistant.media.rtp.packet import RtpPacket
from ari_assistant.media.rtp.plane import PlaneReport
from tests.support.rtp_sender import RtpSender
from tests.support.tones import tone


class ServerEnd:
    """The server's end of the socket pair."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self.address = ("", 0)

    def order(self, *orders: MediaOrder) -> None:
        waiting: deque[bytes] = deque()
        for order in orders:
            waiting.extend(pack_order(order))
        while waiting:
            self._control.send(join_orders(waiting))

    def open(self, number: int, far: FarEnd, *, codec: str = "ulaw", recording: Path | None = None) -> None:
        details = {"codec": codec, "host": far.host, "port": far.port, "recording": recording and str(recording)}
        self.order(MediaOrder(Kind.OPEN, number, details=details))

    def message(self) -> MediaEvent | ReportMessage:
        return unpack(self._control.recv(MAX_MESSAGE_BYTES))

    def event(self, name: str) -> dict[str, Any]:
        """The next event of this name."""
        while True:
            message = self.message()
            if isinstance(message, MediaEvent) and message.name == name:
                return message.fields

    def report(self, *, with_frames: bool) -> ReportMessage:
        while True:
            message = self.message()
            if isinstance(message, ReportMessage) and bool(message.narrow) is with_frames:
                return message


class FarEnd:
    """A telephone."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(10)
        self.host, self.port = self._socket.getsockname()
        self._sender = RtpSender(payload_type=0, ssrc=5, sequence_number=9, timestamp=7)

    def send(self, payload: bytes, address: tuple[str, int]) -> None:
        self._socket.sendto(self._sender.packet(payload), address)

    def packet(self) -> RtpPacket:
        return RtpPacket.parse(self._socket.recv(2_048))

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def far() -> Iterator[FarEnd]:
    end = FarEnd()
    yield end
    end.close()


@contextmanager
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(10)
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def server() -> Iterator[ServerEnd]:
    with ends() as (ours, theirs):
        process = MediaProcess(theirs, "127.0.0.1")
        thread = threading.Thread(target=process.run, name="media")
        thread.start()
        end = ServerEnd(ours)
        end.address = tuple(end.event("ready")["address"])
        yield end
        ours.close()  # the process ends with the server's end
        thread.join(10)
        assert not thread.is_alive()


def test_a_stream_is_heard_speaks_and_is_counted(server: ServerEnd, far: FarEnd) -> None:
    server.open(7, far)
    assert server.event("opened") == {"number": 7}
    assert set(far.packet().payload) == {ULAW.silence}
    said, heard = ULAW.encode(tone(700, 0.02)), tone(900, 0.02)
    far.send(said, server.address)
    report = server.report(with_frames=True)
    assert report.narrow == [7]
    assert report.narrow_frames[0].tolist() == ULAW.decode(said).tolist()
    server.order(MediaOrder(Kind.PLAY, 7, 0, heard))
    while (packet := far.packet()).payload == ULAW.silent_payload:
        pass
    assert packet.payload == ULAW.encode(heard)
    server.order(MediaOrder(Kind.CLOSE, 7))
    closed = server.event("closed")
    assert (closed["number"], closed["fault"]) == (7, None)
    assert closed["statistics"]["packetsReceived"] == 1
    assert closed["statistics"]["packetsSent"] >= 2


def test_orders_of_one_datagram_are_carried_out_in_order(server: ServerEnd, far: FarEnd) -> None:
    server.open(1, far)
    server.event("opened")
    silenced, heard = np.full(160, 9_000, np.int16), tone(900, 0.02)
    late = MediaOrder(Kind.PLAY, 1, 0, silenced)
    server.order(MediaOrder(Kind.FLUSH, 1, 1), late, MediaOrder(Kind.PLAY, 1, 1, heard))
    while (packet := far.packet()).payload == ULAW.silent_payload:
        pass
    assert packet.payload == ULAW.encode(heard), "what belongs before the flush is not heard after it"


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        ({"codec": "opus", "host": "127.0.0.1", "port": 9}, "opus"),
        ({"codec": "ulaw", "host": "localhost", "port": 9}, "localhost"),
        ({"codec": "ulaw", "port": 9}, "host"),
    ],
)
def test_what_cannot_be_opened_is_refused_with_the_reason(
    server: ServerEnd, details: dict[str, Any], reason: str
) -> None:
    server.order(MediaOrder(Kind.OPEN, 3, details=details))
    refused = server.event("refused")
    assert refused["number"] == 3
    assert reason in refused["reason"]


def test_what_is_not_open_is_reported_closed(server: ServerEnd) -> None:
    server.order(MediaOrder(Kind.CLOSE, 99))
    assert server.event("closed") == {"number": 99, "statistics": {}, "fault": None}


def test_a_recording_is_on_disk_when_its_stream_is_reported_closed(
    server: ServerEnd, far: FarEnd, tmp_path: Path
) -> None:
    path = tmp_path / "calls" / "one.wav"
    server.open(1, far, recording=path)
    server.event("opened")
    server.order(MediaOrder(Kind.PLAY, 1, 0, tone(900, 0.1)))
    while server.report(with_frames=False).played[2:] != [800]:
        pass
    server.order(MediaOrder(Kind.CLOSE, 1))
    closed = server.event("closed")
    assert closed["fault"] is None
    assert closed["statistics"]["recordingDroppedSeconds"] == 0
    with wave.open(str(path)) as file:
        stereo = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    assert np.abs(stereo[:, 1]).max() > 5_000


def test_a_recording_that_cannot_be_written_is_told_while_the_call_goes_on_and_at_its_end(
    server: ServerEnd, far: FarEnd, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    server.open(1, far, recording=tmp_path / "file" / "one.wav")
    assert server.event("recording-failed")["number"] == 1
    server.order(MediaOrder(Kind.CLOSE, 1))
    assert "File exists" in server.event("closed")["fault"]


def test_every_second_it_tells_how_it_is(server: ServerEnd, far: FarEnd) -> None:
    server.open(1, far)
    server.event("opened")
    far.send(bytes(160), server.address)
    server.report(with_frames=True)
    health = server.event("health")
    while not health["packetsReceived"]:
        health = server.event("health")
    assert health["streams"] == 1
    assert {"busy", "lateness", "gaps", "lateTicks", "packetsUnsent", "reportsDropped"} <= set(health)


def test_of_a_server_that_does_not_read_the_reports_are_dropped_and_the_events_kept() -> None:
    frames = np.zeros((200, 160), np.int16)
    with ends() as (ours, theirs):
        process = MediaProcess(theirs, "127.0.0.1")
        for n in range(1_000):
            if n == 100:  # by now reports wait
                process._tell("opened", number=1)
            for message in pack_report(PlaneReport([1] * 200, [frames]), now=0.0, tick=True):
                process._send(message, droppable=True)
        process._tell("closed", number=1)
        assert len(process._backlog) < 500, "memory is bounded"
        ours.setblocking(False)
        names = []
        while True:
            try:
                read = unpack(ours.recv(MAX_MESSAGE_BYTES))
            except BlockingIOError:
                if not process._backlog:
                    break
                process._send_backlog()
                continue
            if isinstance(read, MediaEvent):
                names.append(read.name)
        process.close()
    assert names == ["opened", "closed"]

"""The media process: one thread that reads, sends and keeps time for all calls, and one that writes recordings.

`python -m ari_assistant.media.process.worker FD HOST`, started by `client.MediaPlane` with one end of a socket pair as
FD. It has nothing else to do, so that no request, no model and no garbage collection of the server makes a packet late.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from ari_assistant.audio.codec import CODECS
from ari_assistant.audio.frame import PTIME_SECONDS
from ari_assistant.media.process.protocol import (
    MAX_MESSAGE_BYTES,
    Kind,
    MediaOrder,
    pack_event,
    pack_report,
    unpack_orders,
)
from ari_assistant.media.process.recorder import Recorder, Recording
from ari_assistant.media.process.udp import BATCH, BatchSocket, packed_address
from ari_assistant.media.rtp.latency_histogram import Gaps, LatencyHistogram
from ari_assistant.media.rtp.pacer import Pacer
from ari_assistant.media.rtp.packet_rows import PacketRows
from ari_assistant.media.rtp.plane import Plane

__all__ = ["MediaProcess", "main"]

_FEW_STREAMS = 8
"""Up to so many streams every packet wakes the process; with more they are read together …"""
_READ_INTERVAL_SECONDS = 0.01
"""… every 10 ms: 200 calls are 10,000 packets a second, and as many wake-ups cost more than the packets."""
_HEALTH_SECONDS = 1.0
_MAX_ROUNDS = 8
_MAX_BACKLOG = 400
"""Reports that wait for a server that does not read, about eight seconds; older ones are dropped."""
_PRIORITY = -10


class MediaProcess:
    """The loop, and what it owns."""

    def __init__(self, control: socket.socket, host: str) -> None:
        """`control`: SOCK_SEQPACKET; `host`: where RTP is bound. Raises OSError."""
        self._control = control
        control.setblocking(False)
        rows = PacketRows()
        self._socket = BatchSocket(host, rows)
        self._recorder = Recorder()
        self._plane = Plane(self._socket, rows)
        self._recordings: dict[int, Recording] = {}
        self._pacer: Pacer | None = None
        self._lateness = LatencyHistogram()
        self._gaps = Gaps()
        self._late = 0
        self._backlog: deque[bytes] = deque()
        self._dropped = 0
        self._finished: deque[tuple[int, dict[str, Any], str | None]] = deque()
        self._bell, self._ring = os.pipe()
        os.set_blocking(self._bell, False)
        self._running = True
        self._health_at = 0.0
        self._busy_seconds = 0.0
        self._received = 0
        self._faults_reported: set[int] = set()

    def run(self) -> None:
        """Serve until the server closes its end."""
        self._recorder.start()
        self._tell("ready", address=list(self._socket.address), batched=self._socket.batched)
        try:
            while self._running:
                self._once()
        finally:
            self._recorder.stop()
            self.close()

    def close(self) -> None:
        """Give back what was opened for it."""
        self._socket.close()
        os.close(self._bell)
        os.close(self._ring)

    # -- one turn of the loop -------------------------------------------------------------------------------

    def _once(self) -> None:
        streams = len(self._plane)
        now = time.monotonic()
        if not streams:
            self._pacer = None
            self._gaps.pause()
            timeout = _HEALTH_SECONDS
        elif self._pacer is None:
            self._pacer = Pacer(start=now, interval=PTIME_SECONDS)
            timeout = 0.0
        else:
            timeout = self._pacer.deadline - now
            if streams > _FEW_STREAMS and timeout > _READ_INTERVAL_SECONDS:
                # Every second reading shares the wake-up of the tick.
                timeout = timeout % _READ_INTERVAL_SECONDS or _READ_INTERVAL_SECONDS
        readers: list[Any] = [self._control, self._bell]
        if streams <= _FEW_STREAMS:
            readers.append(self._socket)
        writers = [self._control] if self._backlog else []
        ready, _, _ = select.select(readers, writers, [], max(0.0, timeout))
        began = time.monotonic()
        ticked = self._pacer is not None and self._tick(self._pacer, began)
        if self._control in ready:
            self._obey()
        if self._socket in ready or streams > _FEW_STREAMS:
            self._receive()
        if self._bell in ready:
            self._report_closed()
        report = self._plane.take_report()
        if report or ticked:
            for message in pack_report(report, now=began, tick=ticked):
                self._send(message, droppable=True)
        elif self._backlog:
            self._send_backlog()
        now = time.monotonic()
        self._busy_seconds += now - began
        if now >= self._health_at:
            self._tell_health(now)

    def _tick(self, pacer: Pacer, now: float) -> bool:
        behind = now - pacer.deadline
        due = pacer.due(now)
        if not due.frames:
            return False
        self._lateness.add(behind)
        for frame in range(due.frames):
            self._plane.tick(now, due.skipped if frame == 0 else 0)
        self._gaps.sent(time.monotonic(), packets=due.frames)
        if due.frames > 1:
            self._late += 1
        return True

    def _receive(self) -> None:
        for _ in range(_MAX_ROUNDS):
            datagrams = self._socket.receive_datagrams()
            if datagrams is None:
                return
            self._received += len(datagrams.lengths)
            self._plane.push_datagrams(datagrams)
            if len(datagrams.lengths) < BATCH:
                return

    # -- the server's orders --------------------------------------------------------------------------------

    def _obey(self) -> None:
        for _ in range(64):
            try:
                message = self._control.recv(MAX_MESSAGE_BYTES)
            except BlockingIOError:
                return
            except ConnectionError:
                message = b""
            if not message:
                self._running = False
                return
            for order in unpack_orders(message):
                self._do(order)

    def _do(self, order: MediaOrder) -> None:
        plane = self._plane
        match order.kind:
            case Kind.PLAY if order.pcm is not None:
                plane.play(order.number, order.epoch, order.pcm)
            case Kind.FLUSH:
                plane.flush(order.number, order.epoch)
            case Kind.OPEN if order.details is not None:
                self._open(order.number, order.details)
            case Kind.CLOSE:
                self._close(order.number)
            case Kind.FILL_SILENCE if order.pcm is not None:
                plane.fill_silence(order.number, order.pcm)
            case Kind.BACKGROUND if order.pcm is not None:
                plane.set_background(order.number, order.pcm)

    def _open(self, number: int, details: dict[str, Any]) -> None:
        try:
            address = packed_address(details["host"], details["port"])
            codec = CODECS[details["codec"]]
            recording = None
            if details.get("recording"):
                recording = Recording(Path(details["recording"]), codec, self._plane, memory=self._recorder.memory)
            self._plane.open(number, codec, address, recording.queue if recording is not None else None)
        except (KeyError, ValueError, OverflowError, ImportError) as fault:
            self._tell("refused", number=number, reason=f"{type(fault).__name__}: {fault}")
            return
        if recording is not None:
            self._recordings[number] = recording
            self._recorder.begin(recording)
        self._tell("opened", number=number)

    def _close(self, number: int) -> None:
        stream = self._plane.close(number)
        if stream is None:
            self._tell("closed", number=number, statistics={}, fault=None)
            return
        self._faults_reported.discard(number)
        statistics = stream.statistics(self._plane.ticks)
        recording = self._recordings.pop(number, None)
        if recording is None:
            self._tell("closed", number=number, statistics=statistics, fault=None)
            return

        def recorded(recording: Recording) -> None:
            """In the recorder's thread."""
            dropped = {"recordingDroppedSeconds": recording.dropped_seconds}
            self._finished.append((number, {**statistics, **dropped}, recording.fault))
            os.write(self._ring, b"!")

        self._recorder.finish(recording, recorded)

    def _report_closed(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._bell, 4096)
        while self._finished:
            number, statistics, fault = self._finished.popleft()
            self._tell("closed", number=number, statistics=statistics, fault=fault)

    # -- telling the server ---------------------------------------------------------------------------------

    def _tell_health(self, now: float) -> None:
        self._health_at = now + _HEALTH_SECONDS
        for number, recording in self._recordings.items():
            if recording.fault is not None and number not in self._faults_reported:
                self._faults_reported.add(number)
                self._tell("recording-failed", number=number, reason=recording.fault)
        counters = self._plane.counters
        self._tell(
            "health",
            streams=len(self._plane),
            busy=round(self._busy_seconds / _HEALTH_SECONDS, 3),
            lateness=self._lateness.take(),
            gaps=self._gaps.take(),
            lateTicks=self._late,
            packetsReceived=self._received,
            packetsFromUnknownSource=counters.unknown_source,
            packetsUnsent=counters.unsent,
            reportsDropped=self._dropped,
        )
        self._busy_seconds = 0.0

    def _tell(self, name: str, **fields: Any) -> None:
        self._send(pack_event(name, **fields), droppable=False)

    def _send(self, message: bytes, *, droppable: bool) -> None:
        self._backlog.append(message)
        self._send_backlog()
        if droppable and len(self._backlog) > _MAX_BACKLOG:
            # What nobody has read for seconds is of no use; events are kept.
            kept = [waiting for waiting in self._backlog if waiting[0] == Kind.EVENT]
            self._dropped += len(self._backlog) - len(kept)
            self._backlog = deque(kept)

    def _send_backlog(self) -> None:
        while self._backlog:
            try:
                self._control.send(self._backlog[0])
            except BlockingIOError:
                return
            except OSError:
                self._running = False
                return
            self._backlog.popleft()


def main(arguments: list[str]) -> None:
    """Entry point of the process."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the server ends its calls first; we end with its socket
        signal.signal(number, signal.SIG_IGN)
    descriptor, host = int(arguments[0]), arguments[1]
    with suppress(OSError):  # without the right to it we are as important as everybody
        os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)
    control = socket.socket(fileno=descriptor)
    try:
        process = MediaProcess(control, host)
    except (OSError, ValueError) as fault:
        with suppress(OSError):  # the server may have gone
            control.send(pack_event("failed", reason=f"RTP cannot be bound to {host}: {fault}"))
        return
    # Nothing here makes cycles; a collection would stop the clock.
    gc.collect()
    gc.freeze()
    gc.disable()
    process.run()


if __name__ == "__main__":
    main(sys.argv[1:])

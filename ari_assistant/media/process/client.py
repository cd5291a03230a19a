"""The server's side of the media plane: its process, and a handle on every stream."""

from __future__ import annotations

import asyncio
import itertools
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ari_assistant.audio.codec import CODECS, Codec
from ari_assistant.audio.frame import Pcm
from ari_assistant.media.handle import FrameReceiver, Listener, MediaStream, MediaUnavailable
from ari_assistant.media.process.protocol import (
    Kind,
    MediaEvent,
    MediaOrder,
    ReportMessage,
    pack_order,
    unpack,
)
from ari_assistant.media.process.udp import enlarge
from ari_assistant.media.process.worker_socket import WorkerSocket
from ari_assistant.media.rtp.latency_histogram import LatencyHistogram
from ari_assistant.supervision import Backoff, EventLog, Supervisor, child_environment, ended, unlogged

__all__ = ["MediaPlane", "PlaneStream"]

_SOCKET_BUFFER = 4 << 20
_OPEN_SECONDS = 3.0
_CLOSE_SECONDS = 10.0
_STOP_SECONDS = 3.0


class PlaneStream:
    """A stream that the media process carries. Implements `handle.MediaStream`."""

    def __init__(self, plane: MediaPlane, number: int, codec: Codec) -> None:
        self.number = number
        self.codec = codec
        self.listener: Listener | None = None
        self.statistics: dict[str, Any] = {}
        self.recording_fault: str | None = None
        self._plane = plane
        self._epoch = 0
        self._closed: asyncio.Future[None] | None = None
        self.gone = False

    @property
    def rate(self) -> int:
        """See `MediaStream`."""
        return self.codec.rate

    def play(self, pcm: Pcm) -> None:
        """See `MediaStream`."""
        self._plane.send(MediaOrder(Kind.PLAY, self.number, self._epoch, pcm))

    def flush(self) -> None:
        """See `MediaStream`."""
        self._epoch += 1
        self._plane.send(MediaOrder(Kind.FLUSH, self.number, self._epoch))

    def fill_silence(self, pcm: Pcm) -> None:
        """See `MediaStream`."""
        self._plane.send(MediaOrder(Kind.FILL_SILENCE, self.number, pcm=pcm))

    def set_background(self, pcm: Pcm) -> None:
        """See `MediaStream`."""
        self._plane.send(MediaOrder(Kind.BACKGROUND, self.number, pcm=pcm))

    async def aclose(self) -> None:
        """See `MediaStream`."""
        if self._closed is None:
            self.listener = None
            self._closed = asyncio.get_running_loop().create_future()
            if self.gone:
                self._closed.set_result(None)
            else:
                self._plane.send(MediaOrder(Kind.CLOSE, self.number))
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await asyncio.shield(self._closed)
        except TimeoutError:
            self.recording_fault = f"not written within {_CLOSE_SECONDS:g} seconds"
        self._plane.remove(self.number)

    # -- called by the plane --------------------------------------------------------------------------------

    def on_played(self, epoch: int, samples: int, now: float) -> None:
        """The media process has sent so much."""
        if epoch == self._epoch and self.listener is not None:
            self.listener.played(samples, now)

    def on_closed(self, statistics: dict[str, Any], fault: str | None) -> None:
        """The media process has closed it."""
        self.gone = True
        self.statistics = statistics
        self.recording_fault = fault or self.recording_fault
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)

    def on_lost(self, reason: str) -> None:
        """The media process is gone."""
        self.on_closed(self.statistics, reason)
        if self.listener is not None:
            self.listener.lost(reason)


class LoadObserver(Protocol):
    """Wants to know how the media process is doing."""

    def media_measured(self, health: Mapping[str, Any], lag: Mapping[str, float]) -> None:
        """A second is over: see `MediaPlane.health` and `MediaPlane.lag`."""


@dataclass(frozen=True, slots=True)
class _Running:
    """A process that lives."""

    pid: int
    socket: WorkerSocket


class MediaPlane:
    """Runs the media process, and starts it again when it dies: the calls that it carried are lost then, and told."""

    def __init__(
        self,
        *,
        host: str,
        heard: FrameReceiver,
        observer: LoadObserver | None = None,
        log: EventLog = unlogged,
    ) -> None:
        """`host`: the numeric address that RTP is bound to. `log` takes starts, ends and faults."""
        self._host = host
        self._heard = heard
        self._observer = observer
        self._log = log
        self._numbers = itertools.count(1)
        self._streams: dict[int, PlaneStream] = {}
        self._opening: dict[int, asyncio.Future[None]] = {}
        self._supervisor = Supervisor(Backoff())
        self._running: _Running | None = None
        self._failure = ""
        """What the last process said of its end."""
        self._address: tuple[str, int] = (host, 0)
        self.health: Mapping[str, Any] = {}
        """What the media process last told of itself."""
        self.lag: Mapping[str, float] = {}
        """How long after a tick the server looked at what had come until then, over the last second (ms)."""
        self._lag = LatencyHistogram()

    @property
    def address(self) -> str:
        """`host:port` for ExternalMedia's `external_host`. Raises MediaUnavailable while the process is not there."""
        if not self._supervisor.ready:
            raise MediaUnavailable("the media process is not running")
        host, port = self._address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def pid(self) -> int | None:
        """The process's id while it lives."""
        return self._running.pid if self._running is not None else None

    @property
    def restarts(self) -> int:
        """How often the process was started again."""
        return self._supervisor.restarts

    def wire(self) -> dict[str, Any]:
        """For `/health`: what the process last told, how late the server looks at what was heard, and restarts."""
        return {**self.health, "serverLag": dict(self.lag), "restarts": self.restarts}

    def __len__(self) -> int:
        return len(self._streams)

    async def wait_ready(self) -> None:
        """Return when streams can be opened. Raises MediaUnavailable when the first start failed."""
        if not await self._supervisor.wait_ready():
            raise MediaUnavailable(self._failure or "the media process ended at once")

    async def run(self) -> None:
        """Keep the process alive until cancelled."""
        await self._supervisor.run(self)

    async def open(self, codec: str, host: str, port: int, *, recording: Path | None = None) -> PlaneStream:
        """A stream to and from the far end at `host`:`port` (numeric); only its packets are taken. Both sides are
        recorded where a path is given. Raises MediaUnavailable."""
        if not self._supervisor.ready:
            raise MediaUnavailable("the media process is not running")
        number = next(self._numbers)
        stream = PlaneStream(self, number, CODECS[codec])
        self._streams[number] = stream
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._opening[number] = opened
        details = {"codec": codec, "host": host, "port": port, "recording": str(recording) if recording else None}
        self.send(MediaOrder(Kind.OPEN, number, details=details))
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                await opened
        except BaseException as fault:
            self.send(MediaOrder(Kind.CLOSE, number))
            self.remove(number)
            if isinstance(fault, TimeoutError):
                raise MediaUnavailable("the media process does not answer") from None
            raise
        finally:
            self._opening.pop(number, None)
        return stream

    def remove(self, number: int) -> None:
        """A stream is closed."""
        self._streams.pop(number, None)

    def send(self, order: MediaOrder) -> None:
        """Give an order; while the process is not there it is lost, like the streams that it is about."""
        if self._running is not None:
            self._running.socket.send(pack_order(order))

    # -- the process ----------------------------------------------------------------------------------------

    async def live(self) -> int | None:
        """See `supervision.Child`; returns the exit status."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            enlarge(end, socket.SO_SNDBUF, _SOCKET_BUFFER)
        ours.setblocking(False)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "ari_assistant.media.process.worker", str(theirs.fileno()), self._host,
                pass_fds=[theirs.fileno()],
                env=child_environment(OPENBLAS_NUM_THREADS="1"),
                start_new_session=True,
            )  # fmt: skip
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        link = WorkerSocket(ours)
        self._running = _Running(process.pid, link)
        self._failure = ""
        loop.add_reader(ours, self._read, link)
        try:
            await link.over.wait()
            await process.wait()
        finally:
            self._supervisor.down()
            self._running = None
            link.close()
            self._lose("the media process ended")
            await ended(process, within_seconds=_STOP_SECONDS)
        return process.returncode

    def restarting(self, end: int | None, pause: float) -> None:
        """See `supervision.Child`."""
        reason = self._failure or None
        self._log.error("media_process_died", status=end, reason=reason, restart_in_seconds=pause)

    def _lose(self, reason: str) -> None:
        for opened in self._opening.values():
            if not opened.done():
                opened.set_exception(MediaUnavailable(reason))
        for stream in list(self._streams.values()):
            stream.on_lost(reason)
        self._streams.clear()

    # -- its messages ---------------------------------------------------------------------------------------

    def _read(self, link: WorkerSocket) -> None:
        """Everything that is there; what is ordered because of it goes out together."""
        with link.together():
            for datagram in link.received():
                match unpack(datagram):
                    case ReportMessage() as report:
                        self._reported(report)
                    case MediaEvent() as event:
                        self._on_event(event)

    def _reported(self, report: ReportMessage) -> None:
        streams = self._streams
        told = iter(report.played)
        for number, epoch, samples in zip(told, told, told, strict=True):
            if (stream := streams.get(number)) is not None:
                stream.on_played(epoch, samples, report.now)
        for numbers, frames in ((report.narrow, report.narrow_frames), (report.wide, report.wide_frames)):
            if numbers:
                self._hand_on(numbers, frames, report.now)
        if report.tick:
            self._lag.add(max(0.0, time.monotonic() - report.now))
            for stream in list(streams.values()):
                if stream.listener is not None:
                    stream.listener.tick(report.now)

    def _hand_on(self, numbers: list[int], frames: NDArray[np.int16], now: float) -> None:
        found = [self._streams.get(number) for number in numbers]
        listening = [stream is not None and stream.listener is not None for stream in found]
        # A copy in any case: the buffer is read into again.
        frames = frames.copy() if all(listening) else frames[np.array(listening)]
        streams: list[MediaStream] = [s for s in found if s is not None and s.listener is not None]
        if streams:
            self._heard(streams, frames, now)

    def _on_event(self, event: MediaEvent) -> None:
        fields = event.fields
        number = int(fields.get("number", 0))
        match event.name:
            case "ready":
                host, port = fields["address"]
                self._address = (host, port)
                self._supervisor.up()
                self._log.info("media_process_ready", pid=self.pid, port=port, batched=fields["batched"])
            case "opened" if (opened := self._opening.get(number)) is not None and not opened.done():
                opened.set_result(None)
            case "refused" if (opened := self._opening.get(number)) is not None and not opened.done():
                opened.set_exception(MediaUnavailable(fields["reason"]))
            case "closed" if (stream := self._streams.get(number)) is not None:
                stream.on_closed(fields["statistics"], fields["fault"])
            case "failed":
                self._failure = fields["reason"]
            case "recording-failed":
                self._log.error(
                    "recording_failed",
                    stream=number,
                    reason=fields["reason"],
                    hint="is the disk full, or too slow?",
                )
            case "health":
                self.health = fields
                self.lag = self._lag.take()
                if self._observer is not None:
                    self._observer.media_measured(self.health, self.lag)

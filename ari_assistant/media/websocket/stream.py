"""A call's audio by Asterisk's websocket channel (chan_websocket) in the place of RTP: one TCP connection a call, no
UDP port, Asterisk keeps the time. `ARI_ASSISTANT_MEDIA_TRANSPORT=websocket`.

It costs more than RTP: 13 to 15 ms of round trip (Asterisk's own timer), what was heard is known to a tenth of a
second, and a background sound has nobody to mix it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from ari_assistant.audio.codec import Codec
from ari_assistant.audio.frame import FRAME_SAMPLES, PTIME_SECONDS, SAMPLE_RATE, WIDE_RATE, Pcm
from ari_assistant.audio.stereo import ASSISTANT, CALLER
from ari_assistant.media.handle import FrameReceiver, Listener, MediaUnavailable
from ari_assistant.media.process.recorder import Recorder, Recording
from ari_assistant.media.websocket.marks import Marks, Piece
from ari_assistant.telemetry import get_logger

__all__ = ["MediaSockets", "WebSocketStream", "websocket_format"]

log = get_logger("media.websocket")

_CONNECT_SECONDS = 3.0
_CLOSE_SECONDS = 10.0
_numbers = itertools.count(-1, -1)
"""Below zero: the media process counts from one."""


def websocket_format(codec: Codec) -> str:
    """What Asterisk is asked for: linear audio at the rate of the caller's codec, both ways."""
    return "slin16" if codec.rate == WIDE_RATE else "slin"


class MediaSockets:
    """Opens streams to Asterisk's media sockets; owns the thread that writes their recordings."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], heard: FrameReceiver
    ) -> None:
        """The sockets lie below `url` (`ws://…/media`); `headers` say who we are."""
        self._session = session
        self._url = url
        self._headers = headers
        self._heard = heard
        self._recorder = Recorder()
        self._recorder.start()

    async def open(self, connection_id: str, codec: Codec, *, recording: Path | None) -> WebSocketStream:
        """Connect to the socket of an ExternalMedia channel. Raises MediaUnavailable."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                socket = await self._session.ws_connect(
                    f"{self._url}/{connection_id}",
                    protocols=("media",),
                    headers=self._headers,
                    max_msg_size=1 << 20,
                )
        except (OSError, TimeoutError, aiohttp.ClientError) as fault:
            raise MediaUnavailable(f"{type(fault).__name__}: {fault}") from fault
        return WebSocketStream(socket, codec, heard=self._heard, recording=recording, recorder=self._recorder)

    async def aclose(self) -> None:
        """End the thread."""
        await asyncio.to_thread(self._recorder.stop)


class WebSocketStream:
    """Implements `media.handle.MediaStream`. Its tasks end with `aclose`."""

    def __init__(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        codec: Codec,
        *,
        heard: FrameReceiver,
        recording: Path | None,
        recorder: Recorder,
    ) -> None:
        self.number = next(_numbers)
        self.listener: Listener | None = None
        self.statistics: dict[str, Any] = {}
        self.recording_fault: str | None = None
        self.gone = False
        self._socket = socket
        self._codec = codec
        self._heard = heard
        self._recorder = recorder
        self._loop = asyncio.get_running_loop()
        self._clock = _LoopClock(self._loop)
        self._marks = Marks(codec.rate)
        self._frame = codec.rate // 50
        self._outgoing: asyncio.Queue[str | bytes] = asyncio.Queue()
        self._paused: deque[Piece] | None = None
        """Pieces that wait because Asterisk's queue is full."""
        self._pending = b""
        self._received = 0
        self._recording: Recording | None = None
        if recording is not None:
            self._recording = Recording(recording, codec, self._clock, memory=recorder.memory)
            recorder.begin(self._recording)
        self._tasks = [
            asyncio.create_task(work, name=f"media-{name}{self.number}")
            for name, work in (("receive", self._receive()), ("send", self._send()), ("tick", self._tick()))
        ]

    @property
    def rate(self) -> int:
        """See `MediaStream`."""
        return self._codec.rate

    # -- MediaStream ----------------------------------------------------------------------------------------

    def play(self, pcm: Pcm) -> None:
        """See `MediaStream`."""
        self._put(self._marks.push(pcm))

    def flush(self) -> None:
        """See `MediaStream`."""
        self._marks.flush()
        if self._paused is not None:
            self._paused.clear()
        self._outgoing.put_nowait("FLUSH_MEDIA")

    def fill_silence(self, pcm: Pcm) -> None:
        """See `MediaStream`."""
        if self._marks.idle:
            whole = pcm[: pcm.size - pcm.size % self._frame]
            self._outgoing.put_nowait(whole.astype("<i2", copy=False).tobytes())

    def set_background(self, pcm: Pcm) -> None:
        """See `MediaStream`: not with this transport."""
        log.warning("background_not_played", hint="ARI_ASSISTANT_MEDIA_TRANSPORT=rtp can")

    async def aclose(self) -> None:
        """See `MediaStream`."""
        self.listener = None
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(aiohttp.ClientError, OSError):
            await self._socket.close()
        self.gone = True
        self.statistics = {"packetsReceived": self._received, "transport": "websocket"}
        recording, self._recording = self._recording, None
        if recording is None:
            return
        written: asyncio.Future[None] = self._loop.create_future()

        def done(_: Recording) -> None:
            """In the recorder's thread."""
            self._loop.call_soon_threadsafe(_settle, written)

        self._recorder.finish(recording, done)
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await written
            self.recording_fault = recording.fault
            self.statistics["recordingDroppedSeconds"] = recording.dropped_seconds
        except TimeoutError:
            self.recording_fault = f"not written within {_CLOSE_SECONDS:g} seconds"

    # -- the connection -------------------------------------------------------------------------------------

    def _put(self, pieces: list[Piece]) -> None:
        for piece in pieces:
            if self._paused is not None:
                self._paused.append(piece)
                continue
            self._outgoing.put_nowait(piece.pcm.astype("<i2", copy=False).tobytes())
            self._outgoing.put_nowait(f"MARK_MEDIA {piece.mark}")

    async def _send(self) -> None:
        with suppress(ConnectionError, aiohttp.ClientError):
            while True:
                message = await self._outgoing.get()
                if isinstance(message, str):
                    await self._socket.send_str(message)
                else:
                    await self._socket.send_bytes(message)

    async def _receive(self) -> None:
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                self._hear(message.data)
            elif message.type is aiohttp.WSMsgType.TEXT:
                self._on_command(message.data)
        self.gone = True
        if self.listener is not None:
            self.listener.lost("Asterisk closed the media connection")

    def _hear(self, data: bytes) -> None:
        self._received += 1
        data = self._pending + data
        size = 2 * self._frame
        whole = len(data) - len(data) % size
        self._pending = data[whole:]
        if not whole:
            return
        frames = np.frombuffer(data[:whole], "<i2").astype(np.int16).reshape(-1, self._frame)
        if self._recording is not None:
            start = self._clock.ticks - len(frames) * FRAME_SAMPLES
            for index, frame in enumerate(frames):
                self._recording.queue.put(CALLER, max(0, start + index * FRAME_SAMPLES), frame)
        self._heard([self] * len(frames), frames, self._loop.time())

    def _on_command(self, text: str) -> None:
        kind, _, rest = text.partition(" ")
        if kind == "MEDIA_MARK_PROCESSED":
            name = rest.rpartition(":")[2].strip()
            if (found := self._marks.processed(name)) is not None:
                self._played(*found)
        elif kind == "MEDIA_XOFF" and self._paused is None:
            self._paused = deque()
        elif kind == "MEDIA_XON" and self._paused is not None:
            waiting, self._paused = self._paused, None
            self._put(list(waiting))

    def _played(self, samples: int, pcm: Pcm) -> None:
        if self._recording is not None:
            length = pcm.size * SAMPLE_RATE // self.rate
            self._recording.queue.put(ASSISTANT, max(0, self._clock.ticks - length), pcm)
        if self.listener is not None:
            self.listener.played(samples, self._loop.time())

    async def _tick(self) -> None:
        deadline = self._loop.time()
        while True:
            deadline = max(deadline + PTIME_SECONDS, self._loop.time() - PTIME_SECONDS)
            await asyncio.sleep(max(0.0, deadline - self._loop.time()))
            if self._marks.rest_is_due:
                self._put(self._marks.rest())
            if self.listener is not None:
                self.listener.tick(self._loop.time())


class _LoopClock:
    """Implements `recorder.Clock` by the event loop's time: there is no RTP clock here, Asterisk keeps this audio's."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._began = loop.time()

    @property
    def ticks(self) -> int:
        """Ticks of 1/8000 s since the stream was opened."""
        return round((self._loop.time() - self._began) * SAMPLE_RATE)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

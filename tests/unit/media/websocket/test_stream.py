"""A media socket of Asterisk's, played by a real websocket server."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from aiohttp import WSMsgType, web
from numpy.typing import NDArray

from ari_assistant.audio.codec import CODECS
from ari_assistant.audio.frame import Pcm
from ari_assistant.media.handle import MediaStream, MediaUnavailable
from ari_assistant.media.websocket.stream import MediaSockets, WebSocketStream, websocket_format
from tests.support.serving import served
from tests.support.tones import tone

KEY = {"Authorization": "Basic secret"}


class FarEnd:
    """Asterisk's side of one socket."""

    def __init__(self) -> None:
        self.socket: asyncio.Future[web.WebSocketResponse] = asyncio.get_running_loop().create_future()
        self.path = ""
        self._messages: asyncio.Queue[str | bytes] = asyncio.Queue()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != KEY["Authorization"]:
            return web.Response(status=401)
        self.path = request.path
        socket = web.WebSocketResponse(protocols=("media",))
        await socket.prepare(request)
        self.socket.set_result(socket)
        async for message in socket:
            assert message.type in (WSMsgType.TEXT, WSMsgType.BINARY)
            self._messages.put_nowait(message.data)
        return socket

    async def message(self) -> str | bytes:
        """What was sent next."""
        async with asyncio.timeout(10):
            return await self._messages.get()

    async def audio(self) -> tuple[Pcm, str]:
        """A piece, and the mark behind it."""
        data, mark = await self.message(), await self.message()
        assert isinstance(data, bytes)
        assert isinstance(mark, str)
        return np.frombuffer(data, "<i2").astype(np.int16), mark.removeprefix("MARK_MEDIA ")

    async def say(self, message: str | bytes) -> None:
        socket = await self.socket
        await (socket.send_str(message) if isinstance(message, str) else socket.send_bytes(message))


class Call:
    """Implements `handle.Listener`, and takes the frames."""

    def __init__(self) -> None:
        self.frames: list[Pcm] = []
        self.played_samples: list[int] = []
        self.reason: str | None = None
        self._news = asyncio.Event()

    def take_frames(self, streams: list[MediaStream], frames: NDArray[np.int16], _: float) -> None:
        assert len(streams) == len(frames)
        self.frames += list(frames)
        self._news.set()

    def played(self, samples: int, now: float) -> None:
        self.played_samples.append(samples)
        self._news.set()

    def tick(self, now: float) -> None:
        self._news.set()

    def lost(self, reason: str) -> None:
        self.reason = reason
        self._news.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def connected(
    codec: str = "ulaw", recording: Path | None = None
) -> AsyncGenerator[tuple[WebSocketStream, FarEnd, Call]]:
    far, call = FarEnd(), Call()
    app = web.Application()
    app.router.add_get("/media/{connection}", far.handle)
    async with served(app) as url, aiohttp.ClientSession() as session:
        sockets = MediaSockets(session, url.replace("http", "ws") + "/media", KEY, call.take_frames)
        try:
            stream = await sockets.open("conn-1", CODECS[codec], recording=recording)
            stream.listener = call
            try:
                yield stream, far, call
            finally:
                await stream.aclose()
        finally:
            await sockets.aclose()


async def paused(far: FarEnd, call: Call) -> None:
    """Asterisk's queue is full, and the stream knows it: what follows the word has arrived."""
    await far.say("MEDIA_XOFF")
    before = len(call.frames)
    await far.say(bytes(320))
    await call.until(lambda: len(call.frames) > before)


def test_asterisk_is_asked_for_linear_audio_at_the_rate_of_the_callers_codec() -> None:
    assert [websocket_format(CODECS[name]) for name in ("ulaw", "alaw", "g722")] == ["slin", "slin", "slin16"]


async def test_the_socket_of_the_channel_is_opened_with_our_credentials() -> None:
    async with connected() as (_, far, _):
        await far.socket
        assert far.path == "/media/conn-1"


async def test_who_is_refused_or_finds_nobody_has_no_media() -> None:
    far, call = FarEnd(), Call()
    app = web.Application()
    app.router.add_get("/media/{connection}", far.handle)
    async with served(app) as url, aiohttp.ClientSession() as session:
        refused, nobody = url.replace("http", "ws") + "/media", "ws://127.0.0.1:9/media"
        for there, headers, reason in ((refused, {}, "401"), (nobody, KEY, "127.0.0.1:9")):
            sockets = MediaSockets(session, there, headers, call.take_frames)
            with pytest.raises(MediaUnavailable, match=reason):
                await sockets.open("conn-1", CODECS["ulaw"], recording=None)
            await sockets.aclose()


async def test_the_caller_is_heard_in_whole_frames_however_the_bytes_are_cut() -> None:
    said = tone(700, 0.1)
    data = said.astype("<i2").tobytes()
    async with connected() as (_, far, call):
        for start in range(0, len(data), 500):
            await far.say(data[start : start + 500])
        await call.until(lambda: len(call.frames) == 5)
        assert np.concatenate(call.frames).tolist() == said.tolist()


async def test_wideband_frames_have_twice_the_samples() -> None:
    async with connected("g722") as (stream, far, call):
        await far.say(bytes(1_280))
        await call.until(lambda: call.frames)
        assert stream.rate == 16_000
        assert [frame.size for frame in call.frames] == [320, 320]


async def test_what_is_played_goes_in_pieces_and_counts_when_asterisk_has_passed_their_marks() -> None:
    said = tone(500, 0.22)
    async with connected() as (stream, far, call):
        stream.play(said)
        pieces = [await far.audio() for _ in range(3)]
        assert np.concatenate([pcm for pcm, _ in pieces]).tolist() == said.tolist()
        for _, mark in pieces[:2]:
            await far.say(f"MEDIA_MARK_PROCESSED correlation_id:{mark}")
        await call.until(lambda: len(call.played_samples) == 2)
        assert call.played_samples == [800, 1_600]


async def test_the_rest_of_a_reply_does_not_wait_for_more_than_a_tick() -> None:
    async with connected() as (stream, far, call):
        stream.play(np.full(100, 5_000, np.int16))
        pcm, mark = await far.audio()
        assert pcm.tolist() == [5_000] * 100 + [0] * 60
        await far.say(f"MEDIA_MARK_PROCESSED correlation_id:{mark}")
        await call.until(lambda: call.played_samples)
        assert call.played_samples == [100], "the silence that fills it up is not counted"


async def test_nothing_is_sent_while_asterisks_queue_is_full_and_all_of_it_afterwards() -> None:
    async with connected() as (stream, far, call):
        await paused(far, call)
        stream.play(np.full(160, 1, np.int16))
        stream.play(np.full(160, 2, np.int16))
        await far.say("MEDIA_XON")
        first, second = (await far.audio())[0], (await far.audio())[0]
        assert (set(first.tolist()), set(second.tolist())) == ({1}, {2})


async def test_a_flush_drops_what_waits_here_and_in_asterisk() -> None:
    async with connected() as (stream, far, call):
        await paused(far, call)
        stream.play(np.full(160, 1, np.int16))
        stream.flush()
        assert await far.message() == "FLUSH_MEDIA", "and nothing before it"
        await far.say("MEDIA_XON")
        await far.say(bytes(320))
        await call.until(lambda: len(call.frames) == 2)
        stream.play(np.full(160, 3, np.int16))
        assert set((await far.audio())[0].tolist()) == {3}


async def test_a_backchannel_is_sent_where_nothing_else_is() -> None:
    async with connected() as (stream, far, _):
        stream.fill_silence(np.full(200, 7, np.int16))
        assert await far.message() == np.full(160, 7, "<i2").tobytes(), "whole frames, without a mark"
        stream.play(np.full(160, 1, np.int16))
        stream.fill_silence(np.full(160, 7, np.int16))
        stream.play(np.full(160, 2, np.int16))
        first, second = (await far.audio())[0], (await far.audio())[0]
        assert (set(first.tolist()), set(second.tolist())) == ({1}, {2}), "a reply comes first"


async def test_a_connection_that_asterisk_closes_is_lost() -> None:
    async with connected() as (stream, far, call):
        await (await far.socket).close()
        await call.until(lambda: call.reason)
        assert stream.gone


async def test_both_sides_are_on_disk_when_the_stream_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "calls" / "one.wav"
    async with connected(recording=path) as (stream, far, call):
        stream.play(np.full(160, 4_000, np.int16))
        _, mark = await far.audio()
        await far.say(np.full(160, 2_000, "<i2").tobytes())
        await far.say(f"MEDIA_MARK_PROCESSED correlation_id:{mark}")
        await call.until(lambda: call.played_samples and call.frames)
        await stream.aclose()
        assert stream.recording_fault is None
        assert stream.statistics["packetsReceived"] == 1
    with wave.open(str(path)) as file:
        stereo = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    assert (stereo[:, 0].max(), stereo[:, 1].max()) == (2_000, 4_000)

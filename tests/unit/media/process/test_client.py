"""The media process itself: started, spoken to by RTP, stopped, killed."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import wave
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from ari_assistant.audio.g711 import ULAW
from ari_assistant.media.handle import MediaStream, MediaUnavailable
from ari_assistant.media.process.client import MediaPlane
from ari_assistant.media.rtp.packet import RtpPacket
from ari_assistant.telemetry import get_logger
from tests.support.rtp_sender import RtpSender
from tests.support.tones import loudest, tone


class Ear:
    def __init__(self) -> None:
        self.frames: list[NDArray[np.int16]] = []
        self.played_samples: list[int] = []
        self.ticks = 0
        self.reason: str | None = None
        self.news = asyncio.Event()

    def played(self, samples: int, now: float) -> None:
        self.played_samples.append(samples)
        self.news.set()

    def tick(self, now: float) -> None:
        self.ticks += 1
        self.news.set()

    def lost(self, reason: str) -> None:
        self.reason = reason
        self.news.set()


_phones: list[Phone] = []


class Phone:
    """One far end."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        _phones.append(self)
        self.sender = RtpSender(payload_type=0, ssrc=5, sequence_number=9, timestamp=7)

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def send(self, plane: MediaPlane, payload: bytes) -> None:
        host, _, port = plane.address.rpartition(":")
        self.socket.sendto(self.sender.packet(payload), (host, int(port)))

    async def packets(self, count: int) -> list[RtpPacket]:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            return [RtpPacket.parse(await loop.sock_recv(self.socket, 2048)) for _ in range(count)]


@asynccontextmanager
async def running(**options: Any) -> AsyncGenerator[tuple[MediaPlane, Ear], None]:
    ear = Ear()

    def heard(streams: list[MediaStream], frames: NDArray[np.int16], now: float) -> None:
        ear.frames += list(frames)
        ear.news.set()

    plane = MediaPlane(
        host="127.0.0.1",
        heard=heard,
        log=get_logger("media"),
        **options,
    )
    task = asyncio.create_task(plane.run())
    await plane.wait_ready()
    pid = plane.pid
    try:
        yield plane, ear
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        while _phones:
            _phones.pop().socket.close()
        assert pid is not None
        assert not psutil.pid_exists(pid), "no process is left behind"


async def until(ear: Ear, condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            ear.news.clear()
            await ear.news.wait()


async def test_a_call_is_heard_and_speaks_and_is_recorded(tmp_path: Path) -> None:
    async with running() as (plane, ear):
        phone = Phone()
        stream = await plane.open("ulaw", "127.0.0.1", phone.port, recording=tmp_path / "a" / "call.wav")
        stream.listener = ear
        stream.play(tone(700, 0.4))
        for n in range(10):
            phone.send(plane, ULAW.encode(tone(1500, 0.2))[n * 160 : (n + 1) * 160])
            await phone.packets(2)
        await until(ear, lambda: len(ear.frames) >= 10 and ear.played_samples[-1:] == [3_200])
        assert abs(loudest(np.concatenate(ear.frames)) - 1500) < 20
        assert ear.ticks > 10
        await stream.aclose()
        await stream.aclose()
        assert stream.statistics["packetsReceived"] == 10
        assert stream.statistics["packetsSent"] >= 20
        assert len(plane) == 0
        with wave.open(str(tmp_path / "a" / "call.wav")) as file:
            stereo = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
        assert abs(loudest(stereo[:3_200, 1]) - 700) < 20
        assert np.abs(stereo[:, 0]).max() > 5_000


async def test_a_recording_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with running() as (plane, ear):
        stream = await plane.open("ulaw", "127.0.0.1", Phone().port, recording=tmp_path / "file" / "x.wav")
        stream.listener = ear
        await until(ear, lambda: ear.ticks > 2)
        await stream.aclose()
        assert stream.recording_fault is not None


async def test_a_process_that_is_killed_loses_its_calls_and_comes_back(log_lines: list[Any]) -> None:
    async with running() as (plane, ear):
        stream = await plane.open("ulaw", "127.0.0.1", Phone().port)
        stream.listener = ear
        assert plane.pid is not None
        os.kill(plane.pid, signal.SIGKILL)
        await until(ear, lambda: ear.reason is not None)
        with pytest.raises(MediaUnavailable):
            _ = plane.address
        await stream.aclose()
        async with asyncio.timeout(10):
            while [line["event"] for line in log_lines].count("media_process_ready") < 2:
                await asyncio.sleep(0.05)
        again = await plane.open("alaw", "127.0.0.1", Phone().port)
        await again.aclose()
        assert plane.restarts == 1


async def test_a_process_that_does_not_answer_refuses_the_call() -> None:
    async with running() as (plane, _):
        assert plane.pid is not None
        os.kill(plane.pid, signal.SIGSTOP)
        with pytest.raises(MediaUnavailable, match="does not answer"):
            await plane.open("ulaw", "127.0.0.1", 9)
        os.kill(plane.pid, signal.SIGCONT)
        assert len(plane) == 0
        stream = await plane.open("ulaw", "127.0.0.1", Phone().port)
        await stream.aclose()


async def test_what_cannot_be_opened_is_refused_with_the_reason() -> None:
    async with running() as (plane, _):
        with pytest.raises(MediaUnavailable, match="localhost"):
            await plane.open("ulaw", "localhost", 9)


async def test_an_address_that_is_not_ours_fails_the_start() -> None:
    plane = MediaPlane(host="192.0.2.99", heard=lambda *_: None)
    task = asyncio.create_task(plane.run())
    with pytest.raises(MediaUnavailable, match="cannot be bound"):
        await plane.wait_ready()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_start_that_is_given_up_leaves_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    async def given_up(*_: Any, **__: Any) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "create_subprocess_exec", given_up)
    with pytest.raises(asyncio.CancelledError):
        await MediaPlane(host="127.0.0.1", heard=lambda *_: None).run()


async def test_a_long_reply_is_ordered_in_parts_and_sent_whole() -> None:
    async with running() as (plane, ear):
        phone = Phone()
        stream = await plane.open("ulaw", "127.0.0.1", phone.port)
        stream.listener = ear
        sound = np.arange(80_000).astype(np.int16)  # ten seconds
        stream.play(sound)
        packets = await phone.packets(20)
        heard = b"".join(packet.payload for packet in packets if set(packet.payload) != {ULAW.silence})
        assert ULAW.encode(sound).startswith(heard)
        stream.flush()
        stream.play(tone(900, 0.1))
        await until(ear, lambda: ear.played_samples[-1:] == [800])
        await stream.aclose()

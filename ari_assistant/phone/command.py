"""`ari-assistant call`: places a call, speaks, prints both sides, keeps the recording."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import wave
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm
from ari_assistant.phone.line import CallFailed, DialledCall, place_call
from ari_assistant.phone.transcript import follow
from ari_assistant.providers.errors import ProviderError, ProviderUnavailable
from ari_assistant.providers.moonshine import MoonshineTranscriber
from ari_assistant.providers.piper import PiperVoice
from ari_assistant.providers.process import EngineProcess
from ari_assistant.providers.silero import SileroNetwork
from ari_assistant.turns.vad import OneDetector, SileroDetectors, SpeechDetector, WebRtcDetectors

__all__ = ["CallPlan", "call", "synthesize_to"]

Print = Callable[[str, str], None]
"""`show(who, text)`."""


@dataclass(frozen=True, slots=True)
class CallPlan:
    """What to do in the call."""

    uri: str
    headers: Sequence[str] = ()
    play: Sequence[Path] = ()
    say: Sequence[str] = ()
    seconds: float = 60.0
    """The call is hung up after so long."""
    linger: float = 6.0
    """… or this long after the last words were said, when there were any."""
    record: Path = Path("call.wav")
    caller: str | None = None
    codec: str | None = None
    tcp: bool = False
    auth: str | None = None
    interactive: bool = False
    """Read further words from standard input, a line each."""


async def synthesize_to(voice: PiperVoice, text: str, path: Path) -> None:
    """Write `text` as a WAV file (8 kHz, 16 bit, mono). Raises ProviderError."""
    parts = [part async for part in voice.synthesize(text)]
    pcm = np.concatenate(parts) if parts else np.zeros(0, np.int16)
    await asyncio.to_thread(_write_wav, path, pcm.tobytes())


def _write_wav(path: Path, data: bytes) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(data)


async def call(plan: CallPlan, show: Print) -> int:
    """Hold the call; returns 0 when it was answered. Raises CallFailed, ProviderError."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ari-assistant-call-")))
        group = await stack.enter_async_context(_engines())
        transcriber, voice = MoonshineTranscriber(group["moonshine"]), PiperVoice(group["piper"])
        lines = [(path, await transcriber.transcribe(await asyncio.to_thread(_pcm, path))) for path in plan.play]
        for number, text in enumerate(plan.say):
            path = folder / f"say-{number}.wav"
            await synthesize_to(voice, text, path)
            lines.append((path, text))
        heard, said = folder / "heard.wav", folder / "said.wav"
        over = asyncio.Event()

        def report(event: dict[str, Any]) -> None:
            if event["event"] in ("calling", "ringing", "answered", "redirected", "failed"):
                detail = event.get("reason") or event.get("contact") or event.get("uri") or ""
                show("", f"{event['event']} {detail}".strip())
            elif event["event"] == "ended":
                show("", f"ended {event.get('code')} {event.get('reason')}")

        async with place_call(
            plan.uri,
            headers=plan.headers,
            record=heard,
            record_said=said,
            codec=plan.codec,
            caller=plan.caller,
            tcp=plan.tcp,
            auth=plan.auth,
            seconds=plan.seconds,
            on_event=report,
        ) as phone:
            follower = asyncio.create_task(
                follow(heard, transcriber, _detector(), lambda text: show("assistant", text), over)
            )
            try:
                answered = await _talk(phone, plan, lines, voice, folder, show)
            finally:
                over.set()
                phone.hang_up()
                with suppress(CallFailed, TimeoutError):
                    await phone.wait_over(timeout=8)
                await follower
        if answered:
            await asyncio.to_thread(_join, said, heard, plan.record)
            show("", f"recording: {plan.record} (you left, assistant right)")
        return 0 if answered else 1


async def _talk(
    phone: DialledCall,
    plan: CallPlan,
    lines: list[tuple[Path, str]],
    voice: PiperVoice,
    folder: Path,
    show: Print,
) -> bool:
    try:
        await phone.wait_for("media", timeout=40)
    except (CallFailed, TimeoutError):
        return False
    reader = asyncio.create_task(_read_words(phone, voice, folder)) if plan.interactive else None
    try:
        for number, (path, text) in enumerate(lines, 1):
            await _quiet(folder / "heard.wav")
            phone.play_file(path)
            show("you", text)
            await phone.wait_for("played", count=number, timeout=plan.seconds)
        wait = plan.linger if lines and not plan.interactive else plan.seconds
        await phone.wait_over(timeout=wait)
    except (CallFailed, TimeoutError):
        pass
    finally:
        if reader is not None:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
    return True


async def _quiet(heard: Path, *, seconds: float = 1.2, patience: float = 15.0) -> None:
    """Wait until the far end has spoken and been silent for a while, as a polite caller does."""
    deadline = asyncio.get_running_loop().time() + patience
    spoken = False
    while asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.1)
        pcm = (await asyncio.to_thread(_samples, heard)).astype(np.float64)
        spoken |= bool(pcm.size and np.abs(pcm).max() > 1000)
        tail = pcm[-int(seconds * SAMPLE_RATE) :]
        if spoken and tail.size >= seconds * SAMPLE_RATE and np.abs(tail).max() < 300:
            return


def _pcm(path: Path) -> Pcm:
    """A WAV file (16 bit) as mono int16 at 8 kHz."""
    with wave.open(str(path), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
        narrow = soxr.resample(samples[:, 0].astype(np.float32), file.getframerate(), SAMPLE_RATE)
    pcm: Pcm = narrow.astype(np.int16)
    return pcm


def _samples(path: Path) -> NDArray[np.int16]:
    """What a WAV file that is being written holds so far."""
    try:
        data = path.read_bytes()[44:]
    except OSError:
        data = b""
    return np.frombuffer(data[: len(data) - len(data) % 2], "<i2")


async def _read_words(phone: DialledCall, voice: PiperVoice, folder: Path) -> None:
    """Say every line of standard input."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        number = 0
        while line := await reader.readline():
            text = line.decode(errors="replace").strip()
            if not text:
                continue
            number += 1
            path = folder / f"typed-{number}.wav"
            await synthesize_to(voice, text, path)
            phone.play_file(path)
    finally:
        transport.close()


def _detector() -> SpeechDetector:
    try:
        return OneDetector(SileroDetectors(SileroNetwork()))
    except ProviderUnavailable:
        return OneDetector(WebRtcDetectors())


class _engines:
    """Both engines, ready, for the length of a block."""

    async def __aenter__(self) -> dict[str, EngineProcess]:
        self._engines = {name: EngineProcess(name) for name in ("moonshine", "piper")}
        self._tasks = [asyncio.create_task(engine.run()) for engine in self._engines.values()]
        try:
            for engine in self._engines.values():
                await engine.wait_ready()
        except ProviderError:
            await self.__aexit__()
            raise
        return self._engines

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _join(left: Path, right: Path, target: Path) -> None:
    """Two mono WAV files → one stereo WAV file."""
    sides = []
    for path in (left, right):
        try:
            with wave.open(str(path), "rb") as file:
                sides.append(np.frombuffer(file.readframes(file.getnframes()), "<i2"))
        except (OSError, EOFError, wave.Error):
            sides.append(np.zeros(0, "<i2"))
    length = max(side.size for side in sides)
    stereo = np.zeros((length, 2), "<i2")
    for index, side in enumerate(sides):
        stereo[: side.size, index] = side
    with wave.open(str(target), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(stereo.tobytes())

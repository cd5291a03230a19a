"""Prints what is heard while it is heard: follows a growing WAV file and recognises utterance by utterance."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ari_assistant.audio.frame import FRAME_SAMPLES, PTIME_SECONDS, Pcm
from ari_assistant.providers.errors import ProviderError
from ari_assistant.providers.transcriber import Transcriber
from ari_assistant.turns.vad import SpeechDetector

__all__ = ["follow"]

_WAV_HEADER_BYTES = 44
_END_SECONDS = 0.5
_PRE_ROLL_FRAMES = 12


async def follow(
    path: Path, transcriber: Transcriber, detector: SpeechDetector, say: Callable[[str], None], over: asyncio.Event
) -> None:
    """Follow a WAV file (8 kHz, 16 bit, mono) that another process writes, until `over` is set and all is read.

    `say(text)` is called for each utterance.
    """
    position = _WAV_HEADER_BYTES
    frames: list[Pcm] = []
    silent = 0
    speaking = False
    while True:
        last = over.is_set()
        data = await asyncio.to_thread(_read, path, position)
        position += len(data)
        pcm = np.frombuffer(data, "<i2").astype(np.int16)
        for start in range(0, len(pcm) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
            frame = pcm[start : start + FRAME_SAMPLES]
            speech = detector.receive(frame)
            frames.append(frame)
            silent = 0 if speech else silent + 1
            speaking |= speech
            if speaking and silent * PTIME_SECONDS >= _END_SECONDS:
                await _recognise(frames, transcriber, say)
                frames, speaking = [], False
            elif not speaking:
                frames = frames[-_PRE_ROLL_FRAMES:]
        if last:
            if speaking:
                await _recognise(frames, transcriber, say)
            return
        await asyncio.sleep(0.2)


def _read(path: Path, position: int) -> bytes:
    """Whole frames from `position` on; nothing while the file is not there."""
    try:
        with path.open("rb") as file:
            file.seek(position)
            data = file.read()
    except OSError:
        return b""
    return data[: len(data) - len(data) % (2 * FRAME_SAMPLES)]


async def _recognise(frames: list[Pcm], transcriber: Transcriber, say: Callable[[str], None]) -> None:
    try:
        text = await transcriber.transcribe(np.concatenate(frames))
    except ProviderError as fault:
        text = f"[{fault}]"
    if text:
        say(text)

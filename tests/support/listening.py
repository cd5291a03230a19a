"""Waiting for what the far end says, in a recording that grows."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from ari_assistant.phone.line import DialledCall
from tests.support.caller_voice import read_wav


async def heard_something(path: Path, *, quiet: float = 1.0, timeout: float = 20) -> None:
    """Wait until the far end has said something new and been quiet for `quiet` seconds."""
    start = len(read_wav(path))
    async with asyncio.timeout(timeout):
        while True:
            await asyncio.sleep(0.05)
            pcm = read_wav(path)[start:]
            tail = pcm[-round(quiet * 8000) :]
            spoke = np.abs(pcm).max(initial=0) > 1500
            if spoke and tail.size >= quiet * 8000 and np.abs(tail).max() < 400:
                return


async def speaking(path: Path, *, timeout: float = 20) -> None:
    """Wait until the far end is speaking."""
    async with asyncio.timeout(timeout):
        while np.abs(read_wav(path)[-1600:]).max(initial=0) < 1500:
            await asyncio.sleep(0.02)


async def ask(call: DialledCall, question: Path) -> None:
    """Say a question to its end."""
    before = sum(event["event"] == "played" for event in call.events)
    call.play_file(question)
    await call.wait_for("played", count=before + 1)

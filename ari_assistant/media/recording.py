"""Stereo WAV recording, written off the event loop."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ari_assistant.media.frame import SAMPLE_RATE

__all__ = ["Recording"]


class Recording:
    """One WAV file: 8 kHz, 16 bit, caller left and assistant right.

    `append` only queues; `flush` and `aclose` write in a thread. The header is true after every flush, so that
    a recording can be opened after a crash. A full or broken disk raises OSError from `flush`, never from
    `append`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._queue: list[NDArray[np.int16]] = []
        self._file: BinaryIO | None = None
        self._wave: wave.Wave_write | None = None
        self.samples = 0
        """Samples a channel that were appended."""

    def append(self, stereo: NDArray[np.int16]) -> None:
        """Queue samples of both sides: int16, shape (n, 2)."""
        if len(stereo):
            self._queue.append(stereo)
            self.samples += len(stereo)

    async def flush(self) -> None:
        """Write what is queued. Raises OSError."""
        queue, self._queue = self._queue, []
        await asyncio.to_thread(self._write, queue)

    async def aclose(self) -> None:
        """Write what is queued and close the file. Raises OSError. A call without audio leaves an empty WAV."""
        try:
            await self.flush()
        finally:
            await asyncio.to_thread(self._close)

    def _close(self) -> None:
        writer, self._wave = self._wave, None
        file, self._file = self._file, None
        try:
            if writer is not None:
                writer.close()
        finally:
            if file is not None:
                file.close()

    def _write(self, queue: list[NDArray[np.int16]]) -> None:
        if self._file is None or self._wave is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("wb")
            self._wave = wave.open(self._file, "wb")  # noqa: SIM115 - closed by aclose
            self._wave.setnchannels(2)
            self._wave.setsampwidth(2)
            self._wave.setframerate(SAMPLE_RATE)
        self._wave.writeframes(b"".join(part.astype("<i2").tobytes() for part in queue))
        self._file.flush()

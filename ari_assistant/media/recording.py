"""Stereo WAV recordings, written by one thread off the hot path: the media loop only appends to queues."""

from __future__ import annotations

import threading
import wave
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ari_assistant.media.codec import Codec
from ari_assistant.media.frame import SAMPLE_RATE, Pcm
from ari_assistant.media.stereo import ASSISTANT, CALLER, StereoTimeline
from ari_assistant.private_files import create_private

__all__ = ["Recorder", "Recording", "RecordingQueue"]

_LAG_TICKS = 4_000
"""A recording is written half a second behind, so that late packets still find their place."""
_INTERVAL_SECONDS = 1.0
_MAX_WAITING_PARTS = 100_000
"""Parts of one call (20 ms of one side each) that may wait for a slow disk: about a quarter of an hour, 20 MB."""


class RecordingQueue:
    """One call's audio on its way to disk. `put` is all that the media loop does; appending is safe between threads."""

    __slots__ = ("dropped", "parts")

    def __init__(self) -> None:
        self.parts: deque[tuple[int, int, bytes | Pcm]] = deque()
        self.dropped = 0
        """Parts that were thrown away because the disk has been stuck for a quarter of an hour."""

    def put(self, side: int, position: int, part: bytes | Pcm) -> None:
        """`part` of `side` at `position`, in ticks of 1/8000 s: a stateless codec's payload, or samples."""
        if len(self.parts) >= _MAX_WAITING_PARTS:
            self.dropped += 1
            return
        self.parts.append((side, position, part))


class Recording:
    """One WAV file: 16 bit, caller left and assistant right, at the codec's rate. Everything but `queue` runs in the
    recorder's thread.

    The header is true after every write, so that a recording can be opened after a crash.
    """

    def __init__(self, path: Path, codec: Codec, *, position: Callable[[], int]) -> None:
        """`position()` is where the call is now, in ticks."""
        self.path = path
        self.queue = RecordingQueue()
        self.fault: str | None = None
        """Why nothing is written any more."""
        self._codec = codec
        self._scale = codec.rate // SAMPLE_RATE
        self._position = position
        self._decoder = codec.decoder()
        self._timeline = StereoTimeline(horizon_samples=10 * codec.rate)
        self._file: BinaryIO | None = None
        self._wave: wave.Wave_write | None = None

    def write(self, *, whole: bool = False) -> None:
        """Write up to half a second ago; `whole`: up to now, and close the file. A full or broken disk is remembered
        in `fault`; nothing is raised."""
        if self.fault is not None:
            self.queue.parts.clear()
            return
        try:
            self._open()
            until = self._position() - (0 if whole else _LAG_TICKS)
            # After a stall there may be more than the time line holds: a few seconds at a time.
            step = 5 * SAMPLE_RATE
            for limit in range(min(until, self._written() + step), until + step, step):
                self._place(limit + _LAG_TICKS)
                self._append(min(limit, until))
                if limit >= until:
                    break
            if whole:
                self._close()
        except OSError as fault:
            self.fault = str(fault)
            self.queue.parts.clear()

    def _written(self) -> int:
        return self._timeline.base // self._scale

    def _place(self, limit: int) -> None:
        """Put what has come on the time line, as long as it begins before `limit`; neighbours in one piece."""
        parts = self.queue.parts
        later: list[tuple[int, int, bytes | Pcm]] = []
        runs: list[tuple[int, int, list[bytes | Pcm]]] = []
        ends = {CALLER: -1, ASSISTANT: -1}
        latest: dict[int, list[bytes | Pcm]] = {}
        for _ in range(len(parts)):
            side, position, part = entry = parts.popleft()
            if position >= limit:
                later.append(entry)
                continue
            length = len(part) if isinstance(part, bytes) else part.size // self._scale
            if position == ends[side] and isinstance(part, bytes) is isinstance(latest[side][0], bytes):
                latest[side].append(part)
            else:
                latest[side] = [part]
                runs.append((side, position, latest[side]))
            ends[side] = position + length
        parts.extendleft(reversed(later))
        for side, position, run in runs:
            if isinstance(run[0], bytes):
                pcm = self._decoder.decode(b"".join(part for part in run if isinstance(part, bytes)))
            else:
                pcm = np.concatenate([part for part in run if not isinstance(part, bytes)])
            self._timeline.put(side, position * self._scale, pcm)

    def _append(self, until: int) -> None:
        stereo = self._timeline.take(until * self._scale)
        if len(stereo) and self._wave is not None and self._file is not None:
            self._wave.writeframes(stereo.astype("<i2", copy=False).tobytes())
            self._file.flush()

    def _open(self) -> None:
        if self._file is not None:
            return
        self._file = create_private(self.path)
        self._wave = wave.open(self._file, "wb")  # noqa: SIM115 - closed by _close
        self._wave.setnchannels(2)
        self._wave.setsampwidth(2)
        self._wave.setframerate(self._codec.rate)

    def _close(self) -> None:
        """Close the file; a call without audio leaves an empty WAV."""
        writer, self._wave = self._wave, None
        file, self._file = self._file, None
        try:
            if writer is not None:
                writer.close()
        finally:
            if file is not None:
                file.close()


class Recorder(threading.Thread):
    """Writes all recordings, once a second each. A slow disk makes queues longer, and nothing else."""

    def __init__(self) -> None:
        super().__init__(daemon=True, name="recorder")
        self._running: set[Recording] = set()
        self._orders: deque[tuple[Recording, Callable[[Recording], None] | None]] = deque()
        self._wake = threading.Event()
        self._stopping = False

    def begin(self, recording: Recording) -> None:
        """Write this one too."""
        self._orders.append((recording, None))

    def finish(self, recording: Recording, done: Callable[[Recording], None]) -> None:
        """Write the rest of it and close it; `done(recording)` is called in the recorder's thread."""
        self._orders.append((recording, done))
        self._wake.set()

    def stop(self) -> None:
        """Close all files and end the thread. Returns when that is done."""
        self._stopping = True
        self._wake.set()
        self.join()

    def run(self) -> None:
        """See `threading.Thread`."""
        while not self._stopping:
            hurried = self._wake.wait(_INTERVAL_SECONDS)
            self._wake.clear()
            self._obey()
            if not hurried:
                for recording in list(self._running):
                    recording.write()
        self._obey()
        for recording in self._running:
            recording.write(whole=True)

    def _obey(self) -> None:
        while self._orders:
            recording, done = self._orders.popleft()
            if done is None:
                self._running.add(recording)
                continue
            self._running.discard(recording)
            recording.write(whole=True)
            done(recording)

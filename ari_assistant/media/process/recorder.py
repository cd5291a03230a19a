"""Stereo WAV recordings, written by one thread off the hot path: the media loop only appends to queues."""

from __future__ import annotations

import math
import threading
import time
import wave
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from ari_assistant.audio.codec import Codec
from ari_assistant.audio.frame import SAMPLE_RATE, Pcm
from ari_assistant.audio.stereo import ASSISTANT, CALLER, StereoTimeline
from ari_assistant.media.process.deadlines import Deadlines
from ari_assistant.media.rtp.recording_queue import RecordingMemory, RecordingQueue
from ari_assistant.private_files import create_private

__all__ = ["Clock", "Recorder", "Recording"]

_LAG_TICKS = 4_000
"""A recording is written half a second behind, so that late packets still find their place."""
_INTERVAL_SECONDS = 1.0
_STEP_TICKS = 5 * SAMPLE_RATE
_MAX_WRITE_TICKS = 30 * SAMPLE_RATE
"""After a stall a recording is caught up so much at a time, in turn with the others."""
_REACH_TICKS = 16_000
"""Parts come in disorder within a second (late packets, both sides): what lies so far ahead of one that is wanted
comes after it."""


class Clock(Protocol):
    """What a recording's time line is measured by. Read in the recorder's thread."""

    @property
    def ticks(self) -> int:
        """Ticks of 1/8000 s since some moment."""


class Recording:
    """One WAV file: 16 bit, caller left and assistant right, at the codec's rate. Everything but `queue` and `end` runs
    in the recorder's thread.

    The header is true after every write, so that a recording can be opened after a crash.
    """

    def __init__(self, path: Path, codec: Codec, clock: Clock, *, memory: RecordingMemory | None = None) -> None:
        """It begins where `clock` is now; `memory` is that of all recordings."""
        self.path = path
        self._codec = codec
        self._scale = codec.rate // SAMPLE_RATE
        self.queue = RecordingQueue(memory or RecordingMemory(), scale=self._scale)
        self.closed = False
        """Nothing more will be written."""
        self._broken: str | None = None
        self._lost_ticks = 0
        self._clock = clock
        self._began = clock.ticks
        self._end: int | None = None
        self._decoder = codec.decoder()
        self._timeline = StereoTimeline(horizon_samples=10 * codec.rate)
        self._file: BinaryIO | None = None
        self._wave: wave.Wave_write | None = None

    @property
    def dropped_seconds(self) -> float:
        """Audio of either side that is not in the file: the disk failed, memory was full, or it came more than half a
        second late."""
        late = self._timeline.dropped // self._scale
        return round((self.queue.dropped_ticks + self._lost_ticks + late) / SAMPLE_RATE, 2)

    @property
    def fault(self) -> str | None:
        """Why the recording is not whole."""
        if self._broken is None and self.queue.dropped_ticks:
            seconds = self.queue.dropped_ticks / SAMPLE_RATE
            return f"the disk did not keep up: {seconds:.1f} s of audio were dropped"
        return self._broken

    def _position(self) -> int:
        return self._clock.ticks - self._began

    def end(self) -> None:
        """The call is over: the file ends here, whenever it is written."""
        if self._end is None:
            self._end = self._position()

    def write(self) -> bool:
        """Write up to half a second ago or, after the call's end, all of it, and close the file: half a minute of audio
        at most. True: there is more, call it again. A full or broken disk is remembered in `fault`; nothing is
        raised."""
        if self.closed:
            return False
        end = self._end
        if self._broken is not None:
            self._lost_ticks += self.queue.clear()
            self.closed = end is not None
            return False
        try:
            self._open()
            until = end if end is not None else self._position() - _LAG_TICKS
            more = self._advance(until)
            if end is not None and not more:
                self.closed = True
                self._lost_ticks += self.queue.clear()
                self._close()
            return more
        except OSError as fault:
            self._broken = str(fault)
            self._lost_ticks += self.queue.clear()
            return False

    def _advance(self, until: int) -> bool:
        """Write up to `until`, or as much as is written at a time; True: there is more."""
        at = self._written()
        target = min(until, at + _MAX_WRITE_TICKS)
        pieces: list[NDArray[np.int16]] = []
        while at < target:
            at = min(at + _STEP_TICKS, target)  # more than the time line holds may wait
            self._place(at + _LAG_TICKS)
            pieces.append(self._timeline.take(at * self._scale))
        if pieces:
            self._append(np.concatenate(pieces))
        return target < until

    def _written(self) -> int:
        return self._timeline.base // self._scale

    def _place(self, limit: int) -> None:
        """Put what has come on the time line, as long as it begins before `limit`; neighbours in one piece."""
        queue = self.queue
        parts = queue.parts
        later: list[tuple[int, int, bytes | Pcm]] = []
        runs: list[tuple[int, int, list[bytes | Pcm]]] = []
        ends = {CALLER: -1, ASSISTANT: -1}
        latest: dict[int, list[bytes | Pcm]] = {}
        while parts and parts[0][1] < limit + _REACH_TICKS:
            side, position, part = entry = parts.popleft()
            if position >= limit:
                later.append(entry)
                continue
            queue.release(part)
            if position == ends[side] and isinstance(part, bytes) is isinstance(latest[side][0], bytes):
                latest[side].append(part)
            else:
                latest[side] = [part]
                runs.append((side, position, latest[side]))
            ends[side] = position + queue.ticks(part)
        parts.extendleft(reversed(later))
        for side, position, run in runs:
            if isinstance(run[0], bytes):
                pcm = self._decoder.decode(b"".join(part for part in run if isinstance(part, bytes)))
            else:
                pcm = np.concatenate([part for part in run if not isinstance(part, bytes)])
            self._timeline.put(side, position * self._scale, pcm)

    def _append(self, stereo: NDArray[np.int16]) -> None:
        if self._wave is not None and self._file is not None:
            self._wave.writeframes(stereo.astype("<i2", copy=False).tobytes())
            self._file.flush()

    def _open(self) -> None:
        if self._file is not None:
            return
        self._file = self._open_file()
        self._wave = wave.open(self._file, "wb")  # noqa: SIM115 - closed by _close
        self._wave.setnchannels(2)
        self._wave.setsampwidth(2)
        self._wave.setframerate(self._codec.rate)

    def _open_file(self) -> BinaryIO:
        return create_private(self.path)

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
    """Writes all recordings: what has come is written within a second and a half, also while other calls end one after
    the other. A slow disk makes queues longer, and the recording that has waited longest is written next.

    The running ones are due together, so that the thread wakes once a second; one that is over is due at once.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True, name="recorder")
        self.memory = RecordingMemory()
        """Of all its recordings."""
        self._deadlines = Deadlines[Recording]()
        self._finishing: dict[Recording, Callable[[Recording], None]] = {}
        self._orders: deque[tuple[Recording, Callable[[Recording], None] | None, float]] = deque()
        self._wake = threading.Event()
        self._stopping = threading.Event()

    def begin(self, recording: Recording) -> None:
        """Write this one too."""
        self._orders.append((recording, None, time.monotonic()))

    def finish(self, recording: Recording, done: Callable[[Recording], None]) -> None:
        """The call is over: write the rest and close the file; `done(recording)` is called in the recorder's thread."""
        recording.end()
        self._orders.append((recording, done, time.monotonic()))
        self._wake.set()

    def stop(self) -> None:
        """Close all files and end the thread. Returns when that is done."""
        self._stopping.set()
        self._wake.set()
        self.join()

    def run(self) -> None:
        """Write until `stop` is called, then close what is open."""
        while not self._stopping.is_set():
            due = self._deadlines.earliest
            wait = _INTERVAL_SECONDS if due is None else min(_INTERVAL_SECONDS, due - time.monotonic())
            self._wake.wait(max(0.0, wait))
            self._wake.clear()
            self._obey()
            while not self._stopping.is_set() and (recording := self._deadlines.pop(time.monotonic())) is not None:
                self._write(recording)
                self._obey()
        self._obey()
        while (recording := self._deadlines.pop(math.inf)) is not None:
            recording.end()
            self._write(recording)

    def _obey(self) -> None:
        while self._orders:
            recording, done, at = self._orders.popleft()
            if done is None:
                self._deadlines.put(recording, _next_round(at))
            else:
                self._finishing[recording] = done
                self._deadlines.put(recording, at)

    def _write(self, recording: Recording) -> None:
        if recording.write():
            self._deadlines.put(recording, time.monotonic())  # behind those that have waited longer
        elif (done := self._finishing.pop(recording, None)) is not None:
            done(recording)
        elif not recording.closed:
            self._deadlines.put(recording, _next_round(time.monotonic()))


def _next_round(now: float) -> float:
    return (now // _INTERVAL_SECONDS + 1) * _INTERVAL_SECONDS

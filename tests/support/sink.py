"""A line with a clock that the test turns: takes what a playout plays, 20 ms at a time."""

from __future__ import annotations

from collections import deque

import numpy as np

from ari_assistant.audio.frame import FRAME_SAMPLES, Pcm
from ari_assistant.audio.playout import Playout

__all__ = ["LocalSink", "local_playout"]


class LocalSink:
    """Implements `playout.Sink`."""

    def __init__(self) -> None:
        self.playout: Playout | None = None
        self._queue: deque[Pcm] = deque()
        self._played = 0

    def play(self, pcm: Pcm) -> None:
        """See `playout.Sink`."""
        self._queue.append(pcm)

    def flush(self) -> None:
        """See `playout.Sink`."""
        self._queue.clear()
        self._played = 0

    def pop(self) -> Pcm | None:
        """20 ms pass: the frame that is sent (padded with silence), None for silence."""
        parts: list[Pcm] = []
        missing = FRAME_SAMPLES
        while missing and self._queue:
            chunk = self._queue.popleft()
            parts.append(chunk[:missing])
            if chunk.size > missing:
                self._queue.appendleft(chunk[missing:])
            missing -= parts[-1].size
        if not parts:
            return None
        frame = np.concatenate(parts)
        self._played += frame.size
        assert self.playout is not None
        told = self.playout.played(self._played)
        assert told.tolist() == frame.tolist(), "what the playout says was sent is what was sent"
        return np.pad(frame, (0, missing))


def local_playout() -> tuple[Playout, LocalSink]:
    """Both, joined."""
    sink = LocalSink()
    sink.playout = playout = Playout(sink)
    return playout, sink

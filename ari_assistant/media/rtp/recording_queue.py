"""What both sides said, on its way to disk: the media loop puts it here, the recorder's thread takes it away."""

from __future__ import annotations

from collections import deque

from ari_assistant.audio.frame import Pcm

__all__ = ["RecordingMemory", "RecordingQueue"]

_MEMORY_BYTES = 256 << 20
_PART_BYTES = 160
"""What a part takes beside its audio, about: the tuple, its numbers and the head of its bytes."""


class RecordingMemory:
    """What all recordings of a process may hold while the disk is slow. The media loop takes, the recorder's thread
    gives back: a counter each, so neither waits for the other."""

    def __init__(self, limit: int = _MEMORY_BYTES) -> None:
        """`limit` in bytes: 256 MB are over a minute of a hundred calls."""
        self._limit = limit
        self._taken = 0
        self._given_back = 0

    @property
    def used(self) -> int:
        """Bytes."""
        return self._taken - self._given_back

    def take(self, size: int) -> bool:
        """False: there is no room."""
        if self.used + size > self._limit:
            return False
        self._taken += size
        return True

    def give_back(self, size: int) -> None:
        """So much has been written."""
        self._given_back += size


class RecordingQueue:
    """One call's audio on its way to disk. `put` is all that the media loop does; appending is safe between threads."""

    __slots__ = ("_memory", "_scale", "dropped_ticks", "parts")

    def __init__(self, memory: RecordingMemory, *, scale: int = 1) -> None:
        """`scale`: samples in a tick of 1/8000 s."""
        self.parts: deque[tuple[int, int, bytes | Pcm]] = deque()
        self.dropped_ticks = 0
        """Audio of either side that was thrown away: the disk has been stuck until the memory was full."""
        self._memory = memory
        self._scale = scale

    def put(self, side: int, position: int, part: bytes | Pcm) -> None:
        """`part` of `side` at `position`, in ticks of 1/8000 s: a stateless codec's payload, or samples."""
        if self._memory.take(_size(part)):
            self.parts.append((side, position, part))
        else:
            self.dropped_ticks += self.ticks(part)

    def ticks(self, part: bytes | Pcm) -> int:
        """How long a part is."""
        return len(part) if isinstance(part, bytes) else part.size // self._scale

    def release(self, part: bytes | Pcm) -> None:
        """It is not held any more."""
        self._memory.give_back(_size(part))

    def clear(self) -> int:
        """Drop what waits; returns how much that was, in ticks."""
        ticks = 0
        while self.parts:
            part = self.parts.popleft()[2]
            self.release(part)
            ticks += self.ticks(part)
        return ticks


def _size(part: bytes | Pcm) -> int:
    return _PART_BYTES + (len(part) if isinstance(part, bytes) else part.nbytes)

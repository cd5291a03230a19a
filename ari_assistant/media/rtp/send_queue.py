"""What waits to be sent to one caller, cut into payloads of 20 ms.

Wherever sound would begin or end with a step, which is heard as a click, it takes 5 ms.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from ari_assistant.audio.background import Background
from ari_assistant.audio.codec import Codec
from ari_assistant.audio.frame import PTIME_SECONDS, Pcm

__all__ = ["SendQueue"]


_FADE_SECONDS = 0.005
_STEP = 100
"""A smaller step (−50 dB) is not heard as one."""


class _Source(Enum):
    NOBODY = auto()
    REPLY = auto()
    FILLER = auto()


class SendQueue:
    """One caller's queue. It is emptied within one frame: an interruption costs no more.

    A stateless codec's audio is encoded once, when it comes; 20 ms of it are a slice of bytes then. Another codec's is
    encoded when it is sent, so that what is flushed has left no trace in its state.
    """

    __slots__ = (
        "_at",
        "_chunks",
        "_codec",
        "_decoder",
        "_encoder",
        "_fade_in",
        "_filler",
        "_frame",
        "_sent",
        "_source",
        "_tail",
        "background",
        "epoch",
        "last",
        "played",
    )  # fmt: skip

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._encoder = codec.encoder()
        self._decoder = codec.decoder()
        self._frame = round(codec.rate * PTIME_SECONDS)
        fade = round(codec.rate * _FADE_SECONDS)
        self._fade_in = 0.5 - 0.5 * np.cos(np.pi * np.arange(1, fade + 1) / (fade + 1))
        self._chunks: deque[bytes | Pcm] = deque()
        self._at = 0
        self._filler: deque[Pcm] = deque()
        self._source = _Source.NOBODY
        """Whose audio the last frame ended with."""
        self._sent: bytes | Pcm | None = None
        """That audio."""
        self._tail: NDArray[np.float64] | None = None
        """What is still to be heard, fading, of something that has ended."""
        self.background: Background | None = None
        """A sound behind the voice, also while it is silent."""
        self.epoch = 0
        """Counts the flushes: what is told of the time before one is of no interest after it."""
        self.played = 0
        """Samples (at the codec's rate) that went out since the last flush."""
        self.last: bytes | Pcm | None = None
        """What the last `pop` gave, as it is recorded: a stateless codec's payload, or samples; None for silence."""

    @property
    def idle(self) -> bool:
        """There is nothing but silence to send."""
        return not self._chunks and not self._filler and self.background is None and self._tail is None

    @property
    def speaking(self) -> bool:
        """Audio waits that somebody wants to be heard."""
        return bool(self._chunks or self._filler)

    def push(self, pcm: Pcm) -> None:
        """Queue audio: int16 at the codec's rate, any length."""
        if pcm.size:
            self._chunks.append(self._encoder.encode(pcm) if self._codec.stateless else pcm)

    def flush(self, epoch: int) -> None:
        """Drop what waits; of what is being heard the next 5 ms go out, fading."""
        cut: bytes | Pcm | None = None
        if self._source is _Source.REPLY:
            cut = self._take(self._fade_in.size)
        elif self._source is _Source.FILLER and self._filler:
            cut = self._filler[0][: self._fade_in.size]
        if self._sent is not None:
            self._tail = self._ending(cut if cut is not None else self._sent[-1:])
            self._source, self._sent = _Source.NOBODY, None
        self._chunks.clear()
        self._filler.clear()
        self._at = 0
        self.epoch = epoch
        self.played = 0

    def fill_silence(self, pcm: Pcm) -> None:
        """Queue something short that is heard where nothing else is, and not counted as played."""
        whole = -(-pcm.size // self._frame) * self._frame
        self._filler.extend(np.pad(pcm, (0, whole - pcm.size)).reshape(-1, self._frame))

    def pop(self) -> bytes | None:
        """The next payload (160 bytes), or None for silence."""
        voice = self._next()
        if self.background is None and self._codec.stateless:
            self.last = voice
            return voice if voice is None or isinstance(voice, bytes) else self._encoder.encode(voice)
        frame = self._samples(voice) if voice is not None else None
        if self.background is not None:
            frame = self.background.under(frame, self._frame)
        self.last = frame
        return self._encoder.encode(frame if frame is not None else np.zeros(self._frame, np.int16))

    def _next(self) -> bytes | Pcm | None:
        """The next frame without its background; None for silence."""
        part = self._take(self._frame)
        if part is not None:
            source = _Source.REPLY
            self.played += len(part)
        elif self._filler:
            part, source = self._filler.popleft(), _Source.FILLER
        else:
            source = _Source.NOBODY
        whole = part is None or len(part) == self._frame
        if source is not self._source or self._tail is not None or not whole:
            return self._joined(part, source)
        self._sent = part
        return part

    def _joined(self, part: bytes | Pcm | None, source: _Source) -> Pcm | None:
        """A frame in which something begins or ends."""
        frame = np.zeros(self._frame)
        size = 0
        if part is not None:
            size = len(part)
            frame[:size] = self._samples(part)
        if source is not self._source:
            if self._tail is None and self._sent is not None:
                self._tail = self._ending(self._sent[-1:])
            if abs(frame[0]) > _STEP:
                fade = min(size, self._fade_in.size)
                frame[:fade] *= self._fade_in[:fade]
        tail, self._tail = self._tail, None
        if tail is not None:
            frame[: tail.size] += tail
        self._source, self._sent = source, None
        if part is None and tail is None:
            return None
        joined: Pcm = np.clip(np.rint(frame), -32768, 32767).astype(np.int16)
        if size == self._frame:
            self._sent = joined
        elif part is not None:  # the queue has run empty within the frame
            self._source = _Source.NOBODY
            if (ending := self._ending(joined[size - 1 : size])) is not None:
                room = min(self._frame - size, ending.size)
                joined[size : size + room] = ending[:room]
                self._tail = ending[room:] if room < ending.size else None
        return joined

    def _ending(self, part: bytes | Pcm) -> NDArray[np.float64] | None:
        """5 ms that begin like `part`, go on as it ends, and fade; None where nothing but silence would."""
        pcm = self._samples(part)
        if np.abs(pcm.astype(np.int32)).max() <= _STEP:
            return None
        return np.pad(pcm, (0, self._fade_in.size - pcm.size), "edge") * self._fade_in[::-1]

    def _samples(self, part: bytes | Pcm) -> Pcm:
        return self._decoder.decode(part) if isinstance(part, bytes) else part

    def _take(self, count: int) -> bytes | Pcm | None:
        """Up to `count` units from the front of the queue: bytes of a stateless codec, else samples."""
        chunks = self._chunks
        if not chunks:
            return None
        head, end = chunks[0], self._at + count
        if end <= len(head):
            part = head[self._at : end]
            self._at = end
            if end == len(head):
                chunks.popleft()
                self._at = 0
            return part
        parts: list[bytes | Pcm] = []
        while chunks and count:
            head = chunks[0]
            part = head[self._at : self._at + count]
            parts.append(part)
            count -= len(part)
            self._at += len(part)
            if self._at == len(head):
                chunks.popleft()
                self._at = 0
        if self._codec.stateless:
            return b"".join(part for part in parts if isinstance(part, bytes))
        return np.concatenate([part for part in parts if not isinstance(part, bytes)])

"""What waits to be sent to one caller, cut into payloads of 20 ms."""

from __future__ import annotations

from collections import deque

import numpy as np

from ari_assistant.media.background import Background
from ari_assistant.media.codec import Codec
from ari_assistant.media.frame import FRAME_SAMPLES, PTIME_SECONDS, Pcm

__all__ = ["Outlet"]


class Outlet:
    """One caller's queue. It is emptied within one frame: an interruption costs no more.

    A stateless codec's audio is encoded once, when it comes; 20 ms of it are a slice of bytes then. Another codec's is
    encoded when it is sent, so that what is flushed has left no trace in its state.
    """

    __slots__ = (
        "_at", "_chunks", "_codec", "_decoder", "_encoder", "_frame", "_interjection", "background", "epoch", "last",
        "played",
    )  # fmt: skip

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._encoder = codec.encoder()
        self._decoder = codec.decoder()
        self._frame = round(codec.rate * PTIME_SECONDS)
        self._chunks: deque[bytes | Pcm] = deque()
        self._at = 0
        self._interjection: deque[Pcm] = deque()
        self.background: Background | None = None
        """A sound behind the voice, also while it is silent."""
        self.epoch = 0
        """Counts the flushes: what is told of the time before one is of no interest after it."""
        self.played = 0
        """Samples (at the codec's rate) that went out since the last flush."""
        self.last: bytes | Pcm | None = None
        """What the last `pop` gave, as it is recorded: a stateless codec's payload, else samples; None for silence."""

    @property
    def idle(self) -> bool:
        """There is nothing but silence to send."""
        return not self._chunks and not self._interjection and self.background is None

    @property
    def speaking(self) -> bool:
        """Audio waits that somebody wants to be heard."""
        return bool(self._chunks or self._interjection)

    def play(self, pcm: Pcm) -> None:
        """Queue audio: int16 at the codec's rate, any length."""
        if pcm.size:
            self._chunks.append(self._encoder.encode(pcm) if self._codec.stateless else pcm)

    def flush(self, epoch: int) -> None:
        """Drop what waits."""
        self._chunks.clear()
        self._interjection.clear()
        self._at = 0
        self.epoch = epoch
        self.played = 0

    def interject(self, pcm: Pcm) -> None:
        """Queue something short that is heard where nothing else is, and not counted as played."""
        whole = -(-pcm.size // self._frame) * self._frame
        self._interjection.extend(np.pad(pcm, (0, whole - pcm.size)).reshape(-1, self._frame))

    def pop(self) -> bytes | None:
        """The next payload (160 bytes), or None for silence."""
        if self.background is not None or not self._codec.stateless:
            return self._mixed()
        payload = self._next_payload()
        self.last = payload
        return payload

    def _next_payload(self) -> bytes | None:
        part = self._take(FRAME_SAMPLES)
        if part is None:
            return self._encoder.encode(self._interjection.popleft()) if self._interjection else None
        assert isinstance(part, bytes)
        missing = FRAME_SAMPLES - len(part)
        self.played += len(part)
        return part + self._codec.silent_payload[:missing] if missing else part

    def _mixed(self) -> bytes | None:
        """The next payload where audio has to be looked at."""
        part = self._take(self._frame)
        if part is None:
            frame = self._interjection.popleft() if self._interjection else None
        else:
            frame = self._decoder.decode(part) if isinstance(part, bytes) else part
            self.played += frame.size
            if frame.size < self._frame:
                frame = np.pad(frame, (0, self._frame - frame.size))
        if self.background is not None:
            frame = self.background.under(frame, self._frame)
        self.last = frame
        return self._encoder.encode(frame if frame is not None else np.zeros(self._frame, np.int16))

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

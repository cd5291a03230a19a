"""Stand-ins for the conversation, with which the media plane is measured alone (`ARI_ASSISTANT_BENCH`).

Everything up to the brain is the real thing: routing, channels, the media process, voice activity, the recording.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ari_assistant.calls.session import Session
from ari_assistant.media.client import MediaStream
from ari_assistant.media.frame import Pcm

__all__ = ["SESSIONS", "EchoSession", "ReplySession"]

_TONE_SECONDS = 0.2
_TONE_HERTZ = 600.0
_VOICE_FRAMES = 3


class EchoSession(Session):
    """Sends every frame back."""

    _stream: MediaStream
    _given = 0
    """Samples since the last flush."""
    _played = 0

    async def prepare(self) -> None:
        """See `Session`: nothing is said."""

    async def run(self, stream: MediaStream, *, started_ms: int) -> None:
        """See `Session`."""
        self._stream = stream
        await super().run(stream, started_ms=started_ms)

    def _open(self) -> None:
        pass

    def _tick(self, now: float) -> None:
        pass

    def heard(self, frame: Pcm, narrow: Pcm, speech: bool, now: float) -> None:
        """See `hearing.Ear`."""
        if self._given - self._played > self._stream.rate // 5:
            # A machine that stood still must not be heard late for ever.
            self._stream.flush()
            self._given = self._played = 0
        self._given += frame.size
        self._stream.play(frame)

    def played(self, samples: int, now: float) -> None:
        """See `media.client.Listener`."""
        self._played = samples


class ReplySession(EchoSession):
    """Answers each burst of speech with a tone of 200 ms, as soon as the voice has ended."""

    _voiced = 0

    def heard(self, frame: Pcm, narrow: Pcm, speech: bool, now: float) -> None:
        """See `hearing.Ear`."""
        if speech:
            self._voiced += 1
            return
        if self._voiced >= _VOICE_FRAMES:
            self._stream.play(_tone(self._stream.rate))
        self._voiced = 0


def _tone(rate: int) -> Pcm:
    at = np.arange(round(_TONE_SECONDS * rate)) / rate
    tone: Pcm = (8_000 * np.sin(2 * np.pi * _TONE_HERTZ * at)).astype(np.int16)
    return tone


SESSIONS: Final[dict[str | None, type[Session]]] = {None: Session, "echo": EchoSession, "reply": ReplySession}
"""By the value of the setting."""

"""Stand-ins for the conversation, with which the media plane is measured alone (`ARI_ASSISTANT_BENCH`).

Everything up to the brain is the real thing: routing, channels, the media process, voice activity, the recording.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ari_assistant.audio.frame import Pcm
from ari_assistant.conversation.core import Greeting
from ari_assistant.media.handle import MediaStream
from ari_assistant.session.session import Session

__all__ = ["SESSIONS", "EchoBrain", "ReplyBrain"]

_TONE_SECONDS = 0.2
_TONE_HERTZ = 600.0
_VOICE_FRAMES = 3
_MAX_BEHIND_SECONDS = 0.2


class EchoBrain:
    """Sends every frame back. See `media.handle.Listener` and `voice_activity.VoiceListener`."""

    def __init__(self, stream: MediaStream) -> None:
        self._stream = stream
        self._given = 0
        self._played = 0

    def heard(self, frame: Pcm, narrow: Pcm, speech: bool, now: float) -> None:
        """See `voice_activity.VoiceListener`."""
        if self._given - self._played > self._stream.rate * _MAX_BEHIND_SECONDS:
            # A machine that stood still must not be heard late for ever.
            self._stream.flush()
            self._given = self._played = 0
        self._given += frame.size
        self._stream.play(frame)

    def played(self, samples: int, now: float) -> None:
        """See `media.handle.Listener`."""
        self._played = samples

    def tick(self, now: float) -> None:
        """See `media.handle.Listener`."""

    def lost(self, reason: str) -> None:
        """See `media.handle.Listener`."""

    def failed(self, fault: Exception) -> None:
        """See `voice_activity.VoiceListener`."""
        raise fault


class ReplyBrain(EchoBrain):
    """Answers each burst of speech with a tone of 200 ms, as soon as the voice has ended."""

    def __init__(self, stream: MediaStream) -> None:
        super().__init__(stream)
        self._voiced = 0
        at = np.arange(round(_TONE_SECONDS * stream.rate)) / stream.rate
        self._tone: Pcm = (8_000 * np.sin(2 * np.pi * _TONE_HERTZ * at)).astype(np.int16)

    def heard(self, frame: Pcm, narrow: Pcm, speech: bool, now: float) -> None:
        """See `voice_activity.VoiceListener`."""
        if speech:
            self._voiced += 1
            return
        if self._voiced >= _VOICE_FRAMES:
            self._stream.play(self._tone)
        self._voiced = 0


class _EchoSession(Session):
    """A conversation without one."""

    _brain_of: type[EchoBrain] = EchoBrain
    _brain: EchoBrain

    async def prepare(self) -> None:
        """See `Session`: nothing is said."""

    async def run(self, stream: MediaStream, *, started_ms: int) -> None:
        """See `Session`."""
        self._brain = self._brain_of(stream)
        await super().run(stream, started_ms=started_ms)

    def _greeting(self) -> Greeting:
        return Greeting()

    def tick(self, now: float) -> None:
        """Nobody waits for anything."""

    def played(self, samples: int, now: float) -> None:
        """See `media.handle.Listener`."""
        self._brain.played(samples, now)

    def heard(self, frame: Pcm, narrow: Pcm, speech: bool, now: float) -> None:
        """See `voice_activity.VoiceListener`."""
        self._brain.heard(frame, narrow, speech, now)


class _ReplySession(_EchoSession):
    _brain_of = ReplyBrain


SESSIONS: Final[dict[str, type[Session]]] = {"echo": _EchoSession, "reply": _ReplySession}
"""By the value of the setting."""

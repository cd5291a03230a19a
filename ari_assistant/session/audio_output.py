"""The audio of one call as the session sees it: what is played, what was sent, what was heard of it."""

from __future__ import annotations

import itertools
from collections import deque

import numpy as np

from ari_assistant.audio.background import room_tone
from ari_assistant.audio.concealment import comfort_noise
from ari_assistant.audio.frame import FRAME_SAMPLES, SAMPLE_RATE, Pcm
from ari_assistant.audio.playout import Playout
from ari_assistant.media.handle import MediaStream
from ari_assistant.vapi.base import JsonObject

__all__ = ["AudioOutput"]

_COMFORT_LEVEL = bytes([64])
"""In −dBov (RFC 3389 §3): a quiet line, not a dead one."""


class AudioOutput:
    """Joins the playout and the stream of the media plane. Everything returns at once."""

    def __init__(self, *, rate: int) -> None:
        """`rate`: samples a second of the caller's codec."""
        self.rate = rate
        self.playout = Playout(self, rate=rate)
        self._stream: MediaStream | None = None
        self._replying: int | None = None
        self._background: Pcm | None = None
        self._sent: deque[Pcm] = deque()
        """What was sent and not asked for yet, narrow, in frames."""
        self._rest: Pcm = np.zeros(0, np.int16)
        self._comforts = itertools.count()

    def attach(self, stream: MediaStream) -> None:
        """Play through `stream` from now on."""
        self._stream = stream
        if self._background is not None:
            stream.set_background(self._background)

    # -- Sink -----------------------------------------------------------------------------------------------

    def play(self, pcm: Pcm) -> None:
        """See `playout.Sink`."""
        if self._stream is not None:
            self._stream.play(pcm)

    def flush(self) -> None:
        """See `playout.Sink`."""
        if self._stream is not None:
            self._stream.flush()

    # -- what the media plane tells -------------------------------------------------------------------------

    def played(self, samples: int) -> int | None:
        """The stream has sent so many samples since it was flushed. Returns the turn of the reply whose first frame was
        among them, if one was."""
        pcm = self.playout.played(samples)
        if not pcm.size:
            return None
        self._keep(pcm)
        turn = self.playout.turn
        if turn is None or turn == self._replying:
            return None
        self._replying = turn
        return turn

    def _keep(self, pcm: Pcm) -> None:
        """What echoes is told by its lower half: every second sample is enough of wideband audio."""
        narrow = pcm[:: self.rate // SAMPLE_RATE]
        if self._rest.size:
            narrow = np.concatenate([self._rest, narrow])
        whole = narrow.size - narrow.size % FRAME_SAMPLES
        self._sent.extend(narrow[start : start + FRAME_SAMPLES] for start in range(0, whole, FRAME_SAMPLES))
        self._rest = narrow[whole:]

    def last_sent(self) -> Pcm | None:
        """The frame that went out in these 20 ms (int16, 8 kHz, 160 samples), None for silence. Ask once a tick."""
        if self._sent:
            return self._sent.popleft()
        if self._rest.size:
            rest, self._rest = self._rest, self._rest[:0]
            return np.pad(rest, (0, FRAME_SAMPLES - rest.size))
        return None

    # -- beside the replies ---------------------------------------------------------------------------------

    def interject(self, pcm: Pcm) -> None:
        """Say something short beside all replies ("mm-hmm"), where none is heard. int16 at `rate`."""
        if self._stream is not None and not self.playout.silent:
            self._stream.fill_silence(pcm)

    def comfort(self) -> None:
        """20 ms of comfort noise, where nothing else is heard."""
        self.interject(comfort_noise(_COMFORT_LEVEL, self.rate // 50, seed=next(self._comforts)))

    def set_background(self, pcm: Pcm | None = None) -> None:
        """A sound behind the voice, also while it is silent: int16 at `rate`; a quiet office by default."""
        self._background = pcm if pcm is not None else room_tone(rate=self.rate)
        if self._stream is not None:
            self._stream.set_background(self._background)

    async def aclose(self) -> None:
        """End the stream and wait until the recording is written."""
        if self._stream is not None:
            await self._stream.aclose()

    @property
    def recording_fault(self) -> str | None:
        """Why the recording is not whole."""
        return self._stream.recording_fault if self._stream is not None else None

    def statistics(self) -> JsonObject:
        """What the media plane counted, and why the recording is not whole; complete when the stream is closed."""
        if self._stream is None:
            return {}
        fault = self._stream.recording_fault
        return {**self._stream.statistics, **({"recordingFault": fault} if fault is not None else {})}

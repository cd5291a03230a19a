"""Hearing one caller: the utterance that is being collected, and its words."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np

from ari_assistant.calls.cast import Cast
from ari_assistant.calls.costs import Consumption
from ari_assistant.media.frame import FRAME_SAMPLES, PTIME_SECONDS, SAMPLE_RATE, Pcm
from ari_assistant.providers.errors import ProviderError
from ari_assistant.providers.transcriber import TranscriberStream

__all__ = ["NOT_UNDERSTOOD", "Listening"]

NOT_UNDERSTOOD = "\0"
"""Stands for a recognition that failed: no transcript holds a NUL."""
_PRE_ROLL_FRAMES = 15
_MAX_UTTERANCE_SECONDS = 45
_MIN_UTTERANCE_SAMPLES = SAMPLE_RATE // 10
_SILENCE: Pcm = np.zeros(FRAME_SAMPLES, np.int16)


class Listening:
    """Collects an utterance with a little of what came before it, and has it recognised: whole, or by a stream that
    hears everything along. A stream that is lost is replaced by the transcriber behind it."""

    def __init__(
        self,
        cast: Cast,
        used: Consumption,
        *,
        spawn: Callable[[Coroutine[Any, Any, str], str], asyncio.Task[str]],
        log: Any,
    ) -> None:
        self._transcriber = cast.transcriber
        self._stream: TranscriberStream | None = cast.stream
        self._used = used
        self._spawn = spawn
        self._log = log
        self._pre_roll: deque[Pcm] = deque(maxlen=_PRE_ROLL_FRAMES)
        self._utterance: deque[Pcm] = deque(maxlen=round(_MAX_UTTERANCE_SECONDS / PTIME_SECONDS))
        self._for_stream: deque[Pcm] = deque(maxlen=_PRE_ROLL_FRAMES)
        self._recognition: asyncio.Task[str] | None = None
        self.collecting = False

    @property
    def name(self) -> str:
        """Who listens."""
        return (self._stream or self._transcriber).name

    async def run(self) -> None:
        """Keep the stream, if there is one."""
        if self._stream is None:
            return
        try:
            await self._stream.run()
        except ProviderError as fault:
            self._log.error("transcriber_stream_lost", provider=fault.provider, reason=str(fault), instead="local")
        self._stream = None

    def receive(self, frame: Pcm) -> None:
        """The caller's next frame (int16, 8 kHz, 160 samples)."""
        self._pre_roll.append(frame)
        if self._stream is not None:
            self._for_stream.append(frame)
        if self.collecting:
            self._utterance.append(frame)

    def tick(self, sent: Pcm) -> None:
        """20 ms have passed, in which the assistant's frame `sent` went out: a stream hears both sides in step."""
        if self._stream is not None:
            self._stream.push(self._for_stream.popleft() if self._for_stream else _SILENCE, sent)

    def collect(self) -> None:
        """An utterance begins, a little before the first voiced frame."""
        self._utterance.clear()
        self._utterance.extend(self._pre_roll)
        self.collecting = True

    def forget(self) -> None:
        """What has been collected is of no use (any more)."""
        self.collecting = False
        self._utterance.clear()

    def taken(self) -> None:
        """The words have gone into the conversation."""
        if self._stream is not None:
            self._stream.forget()

    def recognise(self) -> None:
        """Begin to recognise what has been collected."""
        self.withdraw()
        pcm = np.concatenate(list(self._utterance)) if self._utterance else np.zeros(0, np.int16)
        self._recognition = self._spawn(self._transcribe(pcm), "transcribe")

    def withdraw(self) -> None:
        """The caller goes on: the words so far are not all."""
        if self._recognition is not None:
            self._recognition.cancel()
            self._recognition = None

    async def words(self) -> str:
        """The words of the utterance, `""` for none, NOT_UNDERSTOOD when no transcriber answers."""
        if self._recognition is None:
            self.recognise()
        assert self._recognition is not None
        words = await self._recognition
        self._recognition = None
        return words

    async def _transcribe(self, pcm: Pcm) -> str:
        if pcm.size < _MIN_UTTERANCE_SAMPLES:
            return ""
        if self._stream is not None:
            try:
                return (await self._stream.words()).strip()
            except ProviderError as fault:
                self._log.error("transcriber_failed", reason=str(fault), instead="local")
        self._used.heard_seconds += pcm.size / SAMPLE_RATE
        try:
            return (await self._transcriber.transcribe(pcm)).strip()
        except ProviderError as fault:
            self._log.error("transcriber_failed", reason=str(fault))
            return NOT_UNDERSTOOD

"""Hearing one caller: the utterance that is being collected, its words, and its melody."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np

from ari_assistant.assistants.resolved import ResolvedAssistant
from ari_assistant.audio.frame import PTIME_SECONDS, SILENCE, Pcm
from ari_assistant.conversation.usage import Consumption
from ari_assistant.providers.end_of_turn import EndOfTurnModel
from ari_assistant.providers.errors import ProviderError
from ari_assistant.providers.transcriber import TranscriberStream

__all__ = ["NOT_UNDERSTOOD", "Recognition"]

NOT_UNDERSTOOD = "\0"
"""Stands for a recognition that failed: no transcript holds a NUL."""
_PRE_ROLL_FRAMES = 15
_MAX_UTTERANCE_SECONDS = 45
_MIN_UTTERANCE_SECONDS = 0.1


class Recognition:
    """Collects an utterance with a little of what came before it, and has it recognised: whole, or by a stream that
    hears everything along. A stream that is lost is replaced by the transcriber behind it.

    Recognition begins at every pause; what was recognised is withdrawn when the caller goes on, and goes on the bill
    when the words are taken.
    """

    def __init__(
        self,
        cast: ResolvedAssistant,
        used: Consumption,
        *,
        rate: int,
        end_of_turn: EndOfTurnModel | None,
        spawn: Callable[[Coroutine[Any, Any, Any], str], asyncio.Task[Any]],
        log: Any,
    ) -> None:
        """`rate`: samples a second of the caller's audio."""
        self._rate = rate
        self._transcriber = cast.transcriber
        self._stream: TranscriberStream | None = cast.stream
        self._used = used
        self._end_of_turn = end_of_turn
        self._spawn = spawn
        self._log = log
        self._pre_roll: deque[Pcm] = deque(maxlen=_PRE_ROLL_FRAMES)
        self._utterance: deque[Pcm] = deque(maxlen=round(_MAX_UTTERANCE_SECONDS / PTIME_SECONDS))
        self._for_stream: deque[Pcm] = deque(maxlen=_PRE_ROLL_FRAMES)
        self._recognition: asyncio.Task[str] | None = None
        self._melody: asyncio.Task[float | None] | None = None
        self._billed = 0.0
        """Seconds of audio of the newest recognition, where whole utterances are recognised."""
        self.wasted_seconds = 0.0
        """Audio that was recognised in vain, because the caller went on."""
        self.collecting = False

    @property
    def name(self) -> str:
        """Who listens."""
        return (self._stream or self._transcriber).name

    @property
    def confidence(self) -> float | None:
        """How sure the words of the utterance are (0 … 1), where that is known."""
        return self._stream.confidence if self._stream is not None else None

    async def run(self) -> None:
        """Keep the stream, if there is one."""
        if self._stream is None:
            return
        try:
            await self._stream.run()
        except ProviderError as fault:
            self._log.error("transcriber_stream_lost", provider=fault.provider, reason=str(fault), instead="local")
        self._stream = None

    def receive(self, frame: Pcm, narrow: Pcm) -> None:
        """The caller's next frame: 20 ms at the line's rate, and at 8 kHz for streams, which hear both sides."""
        frame = frame.copy()  # it is a row of the frames of all callers, which it would keep alive
        self._pre_roll.append(frame)
        if self._stream is not None:
            self._for_stream.append(narrow)
        if self.collecting:
            self._utterance.append(frame)

    def tick(self, sent: Pcm | None) -> None:
        """20 ms have passed, in which the assistant's frame `sent` went out (None: silence): a stream hears both sides
        in step."""
        if self._stream is not None:
            heard = self._for_stream.popleft() if self._for_stream else SILENCE
            self._stream.push(heard, SILENCE if sent is None else sent)

    def collect(self) -> None:
        """An utterance begins, a little before the first voiced frame."""
        self.withdraw()
        self._utterance.clear()
        self._utterance.extend(self._pre_roll)
        self.collecting = True

    def forget(self) -> None:
        """What has been collected is of no use (any more)."""
        self.withdraw()
        if self._stream is not None:
            self._stream.forget()
        self.collecting = False
        self._utterance.clear()

    def taken(self) -> None:
        """The words have gone into the conversation."""
        self._used.heard_seconds += self._billed
        self._billed = 0.0
        if self._stream is not None:
            self._stream.forget()

    def recognise(self, *, afresh: bool = False) -> None:
        """Begin to recognise what has been collected, unless that has been done already. `afresh`: there is more."""
        if self._recognition is not None and not afresh:
            return
        self.withdraw()
        pcm = np.concatenate(list(self._utterance)) if self._utterance else np.zeros(0, np.int16)
        self._recognition = self._spawn(self._transcribe(pcm), "transcribe")
        if self._end_of_turn is not None and pcm.size >= self._rate * _MIN_UTTERANCE_SECONDS:
            self._melody = self._spawn(self._listen_for_the_end(pcm, self._end_of_turn), "end-of-turn")

    def withdraw(self) -> None:
        """The caller goes on: the words so far are not all."""
        self.wasted_seconds += self._billed
        self._billed = 0.0
        for task in (self._recognition, self._melody):
            if task is not None:
                task.cancel()
        self._recognition = self._melody = None

    async def words(self) -> str:
        """The words of the utterance, `""` for none, NOT_UNDERSTOOD when no transcriber answers."""
        if self._recognition is None:
            self.recognise()
        assert self._recognition is not None
        return await asyncio.shield(self._recognition)

    async def finished(self) -> float | None:
        """The end-of-turn model's opinion (0 … 1) of the same audio; None without one."""
        return await asyncio.shield(self._melody) if self._melody is not None else None

    async def _transcribe(self, pcm: Pcm) -> str:
        if pcm.size < self._rate * _MIN_UTTERANCE_SECONDS:
            return ""
        if self._stream is not None:
            try:
                return (await self._stream.words()).strip()
            except ProviderError as fault:
                self._log.error("transcriber_failed", reason=str(fault), instead="local")
        self._billed = pcm.size / self._rate
        try:
            return (await self._transcriber.transcribe(pcm, rate=self._rate)).strip()
        except ProviderError as fault:
            self._log.error("transcriber_failed", reason=str(fault))
        except Exception:  # whatever an engine answers, the call goes on
            self._log.exception("transcriber_failed")
        return NOT_UNDERSTOOD

    async def _listen_for_the_end(self, pcm: Pcm, model: EndOfTurnModel) -> float | None:
        try:
            return await model.finished(pcm, rate=self._rate)
        except ProviderError as fault:
            self._log.warning("end_of_turn_failed", reason=str(fault), instead="the words alone")
        except Exception:
            self._log.exception("end_of_turn_failed")
        return None

"""What the caller says: the utterance that is being collected, its words, and whether it sounds finished."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import numpy as np

from ari_assistant.assistants.resolved import ResolvedAssistant
from ari_assistant.audio.frame import PTIME_SECONDS, SILENCE, Pcm
from ari_assistant.conversation.usage import Consumption
from ari_assistant.providers.end_of_turn import EndOfTurnModel
from ari_assistant.providers.errors import ProviderError
from ari_assistant.providers.transcriber import TranscriberStream
from ari_assistant.session.tasks import ConversationTasks

__all__ = ["Recognition"]

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
        resolved: ResolvedAssistant,
        used: Consumption,
        tasks: ConversationTasks,
        end_of_turn: EndOfTurnModel | None,
        *,
        rate: int,
        log: Any,
    ) -> None:
        """`rate`: samples a second of the caller's audio."""
        self._rate = rate
        self._used = used
        self._tasks = tasks
        self._end_of_turn = end_of_turn
        self._log = log
        self._pre_roll: deque[Pcm] = deque(maxlen=_PRE_ROLL_FRAMES)
        self._utterance: deque[Pcm] = deque(maxlen=round(_MAX_UTTERANCE_SECONDS / PTIME_SECONDS))
        self._for_stream: deque[Pcm] = deque(maxlen=_PRE_ROLL_FRAMES)
        self._recognising: asyncio.Task[str | None] | None = None
        self._judging: asyncio.Task[float | None] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._billed = 0.0
        """Seconds of audio of the newest recognition, where whole utterances are recognised."""
        self.wasted_seconds = 0.0
        """Audio that was recognised in vain, because the caller went on."""
        self._collecting = False
        self._transcriber = resolved.transcriber
        self._stream: TranscriberStream | None = resolved.stream

    def use(self, resolved: ResolvedAssistant) -> None:
        """Recognise as this assistant does from now on."""
        if self._keeping is not None:
            self._keeping.cancel()
        self._transcriber = resolved.transcriber
        self._stream = resolved.stream
        self.begin()

    @property
    def name(self) -> str:
        """Who listens."""
        return (self._stream or self._transcriber).name

    @property
    def confidence(self) -> float | None:
        """How sure the words of the utterance are (0 … 1), where that is known."""
        return self._stream.confidence if self._stream is not None else None

    def begin(self) -> None:
        """Keep the stream, if there is one, until the conversation is over."""
        if self._stream is not None:
            self._keeping = self._tasks.spawn(self._keep(self._stream), "listen")

    async def _keep(self, stream: TranscriberStream) -> None:
        try:
            await stream.run()
        except ProviderError as fault:
            self._log.error("transcriber_stream_lost", provider=fault.provider, reason=str(fault), instead="local")
        if self._stream is stream:
            self._stream = None

    def receive_frame(self, frame: Pcm, narrow: Pcm) -> None:
        """The caller's next frame: 20 ms at the line's rate, and at 8 kHz for streams, which hear both sides."""
        frame = frame.copy()  # it is a row of the frames of all callers, which it would keep alive
        self._pre_roll.append(frame)
        if self._stream is not None:
            self._for_stream.append(narrow)
        if self._collecting:
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
        self._collecting = True

    def reset(self) -> None:
        """What has been collected is of no use (any more)."""
        self.withdraw()
        if self._stream is not None:
            self._stream.reset()
        self._collecting = False
        self._utterance.clear()

    def commit(self) -> None:
        """The words have gone into the conversation."""
        self._used.heard_seconds += self._billed
        self._billed = 0.0
        if self._stream is not None:
            self._stream.reset()

    def recognise(self, *, afresh: bool = False) -> asyncio.Task[str | None]:
        """Begin to recognise what has been collected, unless that has been done already. `afresh`: there is more."""
        if self._recognising is not None and not afresh:
            return self._recognising
        self.withdraw()
        pcm = np.concatenate(list(self._utterance)) if self._utterance else np.zeros(0, np.int16)
        self._recognising = recognising = self._tasks.spawn(self._transcribe(pcm), "transcribe")
        if self._end_of_turn is not None and pcm.size >= self._rate * _MIN_UTTERANCE_SECONDS:
            self._judging = self._tasks.spawn(self._judge_end(pcm, self._end_of_turn), "end-of-turn")
        return recognising

    def withdraw(self) -> None:
        """The caller goes on: the words so far are not all."""
        self.wasted_seconds += self._billed
        self._billed = 0.0
        for task in (self._recognising, self._judging):
            if task is not None:
                task.cancel()
        self._recognising = self._judging = None

    async def words(self) -> str | None:
        """The words of the utterance, `""` for none, None when no transcriber answers."""
        return await asyncio.shield(self._recognising or self.recognise())

    async def finished(self) -> float | None:
        """The end-of-turn model's opinion (0 … 1) of the same audio; None without one."""
        return await asyncio.shield(self._judging) if self._judging is not None else None

    async def _transcribe(self, pcm: Pcm) -> str | None:
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
        return None

    async def _judge_end(self, pcm: Pcm, model: EndOfTurnModel) -> float | None:
        try:
            return await model.finished(pcm, rate=self._rate)
        except ProviderError as fault:
            self._log.warning("end_of_turn_failed", reason=str(fault), instead="the words alone")
        except Exception:
            self._log.exception("end_of_turn_failed")
        return None

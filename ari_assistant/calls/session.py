"""The running half of a call: it listens, has recognised, thinks, speaks, and stops when interrupted."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import aclosing
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from ari_assistant.calls.ending import ASSISTANT_ENDED, END_PHRASE, MAX_DURATION, SILENCE, Ending
from ari_assistant.calls.line import Line
from ari_assistant.calls.metrics import TurnTimes
from ari_assistant.calls.services import Fill, Services
from ari_assistant.dialogue.clauses import Clauses
from ari_assistant.dialogue.history import Entry, History
from ari_assistant.dialogue.prompt import chat_messages, system_messages
from ari_assistant.media.frame import PTIME_SECONDS, SAMPLE_RATE, Pcm
from ari_assistant.media.g711 import Law
from ari_assistant.media.playout import Spoken
from ari_assistant.media.port import MediaPort
from ari_assistant.media.recording import Recording
from ari_assistant.media.rtp import RtpPacket
from ari_assistant.providers.errors import ProviderError
from ari_assistant.providers.model import ChatMessage, EndCall, Model, ModelRequest, TextDelta
from ari_assistant.turns.idle import SilenceTimer
from ari_assistant.turns.turn_taking import (
    Command,
    Interrupted,
    OverlapDismissed,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TurnEnded,
    TurnOptions,
    TurnState,
    TurnTaking,
)
from ari_assistant.vapi.assistant import Assistant

__all__ = ["Session", "turn_options"]

_PRE_ROLL_FRAMES = 15
_MAX_UTTERANCE_SECONDS = 45
_GOODBYE_SECONDS = 20.0
_RECORD_INTERVAL_SECONDS = 0.5


def turn_options(assistant: Assistant, defaults: TurnOptions) -> TurnOptions:
    """The assistant's `startSpeakingPlan` and `stopSpeakingPlan` laid over the server's defaults."""
    start, stop = assistant.start_speaking_plan, assistant.stop_speaking_plan
    given = {
        "wait_seconds": start.wait_seconds if start else None,
        "voice_seconds": stop.voice_seconds if stop else None,
        "backoff_seconds": stop.backoff_seconds if stop else None,
    }
    return replace(defaults, **{key: value for key, value in given.items() if value is not None})


class Session:
    """One conversation. `run` owns every task of it; `end` is called once, with why it is over.

    A reply is one task. An interruption cuts the playout and cancels that task, nothing else; what it still
    pushes carries the number of a closed turn and is dropped. A provider's fault ends the turn, not the call.
    """

    def __init__(
        self,
        services: Services,
        *,
        assistant: Assistant,
        model: Model,
        fill: Fill,
        law: Law,
        recording: Recording | None,
        end: Callable[[Ending], None],
        log: Any,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._now = loop.time
        self._services = services
        self._assistant = assistant
        self._model = model
        self._fill = fill
        self._end = end
        self._log = log
        self._line = Line(law, recording=recording, heard=self._frame_heard, reply_began=self._reply_began)
        self._detector = services.speech.new_detector()
        self._voice = services.speech.voice
        self._turns = TurnTaking(turn_options(assistant, services.options.turns), now=self._now())
        self._pre_roll: deque[Pcm] = deque(maxlen=_PRE_ROLL_FRAMES)
        self._utterance: deque[Pcm] = deque(maxlen=round(_MAX_UTTERANCE_SECONDS / PTIME_SECONDS))
        self._collecting = False
        self._utterance_began = 0.0
        self._recognition: asyncio.Task[str] | None = None
        self._reply: asyncio.Task[None] | None = None
        self._reply_over = asyncio.Event()
        self._protected = False
        self._bot_began = 0.0
        self._caller_words: Entry | None = None
        self._finishing = False
        self._started = self._now()
        self._silence = SilenceTimer(assistant.silence_timeout_seconds or 30, now=self._started)
        self._max_seconds = assistant.max_duration_seconds or 600
        self._group: asyncio.TaskGroup | None = None
        self.history = History()
        self.times: list[TurnTimes] = []

    # -- from outside ---------------------------------------------------------------------------------------

    @cached_property
    def first_message(self) -> str | None:
        """What is said first, its template filled, or None when the caller begins."""
        mode = self._assistant.first_message_mode
        if mode not in (None, "assistant-speaks-first") or not self._assistant.first_message:
            return None
        return self._fill(self._assistant.first_message, {}).strip() or None

    @cached_property
    def _system(self) -> list[ChatMessage]:
        """The assistant's own messages, their templates filled."""
        return system_messages(self._assistant.model, lambda template: self._fill(template, {}))

    async def prepare(self) -> None:
        """Have the first clause of the first message ready before the call is answered. Never raises."""
        text = self.first_message
        clauses = _clauses(text) if text else []
        try:
            async with asyncio.timeout(3.0), aclosing(self._voice.synthesize(clauses[0])) as audio:
                async for _ in audio:
                    pass
        except (ProviderError, TimeoutError, IndexError):
            pass  # the reply itself will meet the fault again, and say so

    def receive(self, packet: RtpPacket, now: float) -> None:
        """The caller's RTP, in any order."""
        self._line.receive(packet, now)

    def statistics(self) -> dict[str, Any]:
        """What the media plane counted."""
        return self._line.statistics()

    async def run(self, port: MediaPort, *, started_ms: int) -> None:
        """Hold the conversation until cancelled. The call has been answered at `started_ms` (epoch, ms)."""
        self._started = self._now()
        self.history = History(started_ms=started_ms)
        self._silence.receive(True, now=self._started)
        self._line.attach(port)
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._services.ticker.subscribe(self, self._tick, self._tick_failed)
                group.create_task(self._record(), name="record")
                self._open()
        finally:
            self._group = None
            self._services.ticker.unsubscribe(self)
            self._cut()
            self._commit_caller()
            try:
                await asyncio.shield(self._line.aclose())
            except OSError as fault:
                self._log.error("recording_failed", reason=str(fault), hint="is the disk full?")

    def announce(self, text: str, ending: Ending) -> None:
        """Say `text`, which cannot be interrupted, and end the call."""
        self._finishing = True
        self._start_reply(self._say_and_end(text, ending), "announcement")

    # -- the clock ------------------------------------------------------------------------------------------

    def _tick(self, now: float, skipped: int) -> None:
        self._line.tick(now, skipped)
        if self._line.playout.drained:
            self._reply_over.set()
        self._obey(self._turns.handle_deadline(now))
        busy = self._turns.state is not TurnState.LISTENING or self._reply is not None
        if self._silence.receive(busy, now=now) and not self._finishing:
            self._finish(SILENCE)
        if now - self._started >= self._max_seconds and not self._finishing:
            self._finish(MAX_DURATION)

    def _tick_failed(self, fault: Exception) -> None:
        self._log.error("media_failed", exc_info=fault)
        self._end(Ending("call.in-progress.error-vapifault-worker-died", f"media: {fault!r}"))

    async def _record(self) -> None:
        while True:
            await asyncio.sleep(_RECORD_INTERVAL_SECONDS)
            try:
                await self._line.record()
            except OSError as fault:
                self._log.error("recording_failed", reason=str(fault), hint="is the disk full?")
                return

    # -- hearing --------------------------------------------------------------------------------------------

    def _frame_heard(self, frame: Pcm, now: float) -> None:
        self._pre_roll.append(frame)
        if self._collecting:
            self._utterance.append(frame)
        self._obey(self._turns.receive_frame(self._detector.receive(frame), now=now))

    def _obey(self, commands: Iterable[Command]) -> None:
        for command in commands:
            match command:
                case SpeechStarted():
                    self._utterance.clear()
                    self._utterance.extend(self._pre_roll)
                    self._utterance_began = self._now()
                    self._collecting = True
                case SpeechPaused():
                    self._recognise()
                case SpeechResumed():
                    self._withdraw()
                case TurnEnded(turn, voice_ended):
                    times = TurnTimes(turn, voice_ended=voice_ended, endpoint=self._now())
                    self._start_reply(self._answer(turn, times), f"reply-{turn}")
                case OverlapDismissed():
                    self._collecting = False
                    self._utterance.clear()
                case Interrupted():
                    if self.times:
                        self.times[-1].interrupted = True
                    self._cut()

    def _recognise(self) -> None:
        """Begin to recognise what has been collected, if there is a conversation to do it for."""
        if self._group is None or self._finishing:
            return
        if self._recognition is not None:
            self._recognition.cancel()
        pcm = np.concatenate(list(self._utterance)) if self._utterance else np.zeros(0, np.int16)
        self._recognition = self._group.create_task(self._transcribe(pcm), name="transcribe")

    async def _transcribe(self, pcm: Pcm) -> str:
        """The words, `""` for none. A fault is kept for the reply, which tells the caller."""
        if pcm.size < SAMPLE_RATE // 10:
            return ""
        try:
            return (await self._services.speech.transcriber.transcribe(pcm)).strip()
        except ProviderError as fault:
            self._log.error("transcriber_failed", reason=str(fault))
            return _NOT_UNDERSTOOD

    def _withdraw(self) -> None:
        """The caller goes on: nothing of the reply has been heard, nothing of it remains."""
        if self._recognition is not None:
            self._recognition.cancel()
            self._recognition = None
        if self._reply is not None:
            self._reply.cancel()
            self._reply = None
        self._line.playout.close()
        self._caller_words = None

    # -- speaking -------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """The first message, if the assistant speaks first."""
        if self._finishing:
            return
        text = self.first_message
        model_speaks = self._assistant.first_message_mode == "assistant-speaks-first-with-model-generated-message"
        if text is not None:
            self._start_reply(self._greet(text), "reply-0")
        elif model_speaks:
            self._start_reply(self._answer_text(0, TurnTimes(0), None), "reply-0")

    def _start_reply(self, reply: Coroutine[Any, Any, None], name: str) -> None:
        if self._group is None:
            reply.close()
            return
        if self._reply is not None and self._reply is not asyncio.current_task():
            self._reply.cancel()
        self._reply = self._group.create_task(self._guarded(reply), name=name)

    async def _guarded(self, reply: Coroutine[Any, Any, None]) -> None:
        """The edge of a reply: a fault of ours ends the turn and is logged."""
        mine = asyncio.current_task()
        try:
            await reply
        except Exception:
            self._log.exception("reply_failed")
            self._obey(self._turns.reply_over(self._turns.turn, now=self._now()))
        finally:
            if self._reply is mine:
                self._reply = None

    async def _greet(self, text: str) -> None:
        self._protected = not self._assistant.first_message_interruptions_enabled
        await self._speak(TurnTimes(0), _texts(_clauses(text)))

    async def _answer(self, turn: int, times: TurnTimes) -> None:
        """The reply to one utterance of the caller."""
        if self._recognition is None:
            self._recognise()
        assert self._recognition is not None
        words = await self._recognition
        self._recognition = None
        times.transcribed = self._now()
        if words is _NOT_UNDERSTOOD:
            await self._speak(times, _texts([self._services.options.prompts.not_understood]))
            return
        if not words:
            self._collecting = False
            self._obey(self._turns.reply_over(turn, now=self._now()))
            return
        await self._answer_text(turn, times, words)

    async def _answer_text(self, turn: int, times: TurnTimes, words: str | None) -> None:
        """Ask the model and say what it answers. `words` None: it opens the conversation."""
        self._protected = False
        if words is not None:
            began = self._utterance_began - self._started
            ended = (times.voice_ended or self._now()) - self._started
            self._caller_words = Entry("user", words, max(0.0, began), max(0.0, ended))
            self._log.info("caller_said", turn=turn, text=words)
        reply = _ReplyText()
        spoken = await self._speak(times, self._model_clauses(words, reply))
        self._log.info("turn", turn=turn, reply=spoken.text if spoken else "", **(times.latency() or {}))
        if self._ends_by_phrase(reply.text):
            self._end(END_PHRASE)
        elif reply.ends_call:
            self._finish(ASSISTANT_ENDED)

    async def _model_clauses(self, words: str | None, reply: _ReplyText) -> AsyncGenerator[str, None]:
        model = self._assistant.model
        request = ModelRequest(
            messages=chat_messages(self._system, self.history, words),
            temperature=model.temperature if model else None,
            max_tokens=(model.max_tokens if model else None) or 250,
            may_end_call=self._may_end_call(),
        )
        clauses = Clauses()
        async with aclosing(self._model.reply(request)) as events:
            async for event in events:
                match event:
                    case TextDelta(text):
                        reply.text += text
                        for clause in clauses.push(text):
                            yield clause
                    case EndCall():
                        reply.ends_call = True
        for clause in clauses.finish():
            yield clause

    async def _speak(self, times: TurnTimes, clauses: AsyncGenerator[str, None]) -> Spoken | None:
        """Say the clauses as they come; returns when they have been heard. None: nothing was said.

        A provider's fault is told to the caller in a short sentence that was synthesised beforehand.
        """
        turn = times.turn
        self.times.append(times)
        try:
            async with aclosing(clauses):
                async for clause in clauses:
                    times.first_clause = times.first_clause or self._now()
                    await self._say(turn, clause, times)
        except ProviderError as fault:
            self._log.error("reply_provider_failed", turn=turn, provider=fault.provider, reason=str(fault))
            await self._apologise(turn, times)
        if self._line.playout.turn != turn:  # nothing was said
            self._commit_caller()
            self._obey(self._turns.reply_over(turn, now=self._now()))
            return None
        self._line.playout.finish(turn)
        self._reply_over.clear()
        await self._reply_over.wait()
        return self._close_reply(turn)

    async def _say(self, turn: int, clause: str, times: TurnTimes) -> None:
        began = False
        async with aclosing(self._voice.synthesize(clause)) as audio:
            async for pcm in audio:
                if not began:
                    began = True
                    await self._open_playout(turn, times)
                    self._line.playout.clause(turn, clause)
                self._line.playout.push(turn, pcm)

    async def _open_playout(self, turn: int, times: TurnTimes) -> None:
        if self._line.playout.turn == turn:
            return
        if turn > 0 and not self._finishing:
            await asyncio.sleep(max(0.0, self._turns.may_speak_at - self._now()))
        times.first_audio = self._now()
        self._line.playout.open(turn)

    async def _apologise(self, turn: int, times: TurnTimes) -> None:
        try:
            await self._say(turn, self._services.options.prompts.trouble, times)
        except ProviderError as fault:
            self._log.error("apology_failed", turn=turn, reason=str(fault))

    def _reply_began(self, turn: int, now: float) -> None:
        """The first frame of a reply has just been sent."""
        for times in reversed(self.times):
            if times.turn == turn:
                times.first_frame = times.first_frame or now
                break
        self._bot_began = now
        self._commit_caller()
        self._turns.reply_heard(turn, protected=self._protected or self._finishing)
        if self._turns.state is TurnState.SPEAKING:
            self._collecting = False
            self._utterance.clear()

    def _close_reply(self, turn: int) -> Spoken | None:
        spoken = self._line.playout.close()
        self._commit_bot(spoken)
        self._obey(self._turns.reply_over(turn, now=self._now()))
        return spoken

    def _cut(self) -> None:
        """Stop speaking at once; only what was heard goes into the history."""
        if self._reply is not None:
            self._reply.cancel()
            self._reply = None
        self._commit_bot(self._line.playout.close())

    # -- history and ending ---------------------------------------------------------------------------------

    def _commit_caller(self) -> None:
        if self._caller_words is not None:
            self.history.add(self._caller_words)
            self._caller_words = None

    def _commit_bot(self, spoken: Spoken | None) -> None:
        if spoken is None or spoken.samples == 0:
            return
        at, until = self._bot_began - self._started, self._now() - self._started
        self.history.add(Entry("bot", spoken.text, max(0.0, at), max(0.0, until), interrupted=not spoken.complete))

    def _may_end_call(self) -> bool:
        model = self._assistant.model
        tools = (model.tools or []) if model else []
        return bool(self._assistant.end_call_function_enabled) or any(tool.type == "endCall" for tool in tools)

    def _ends_by_phrase(self, text: str) -> bool:
        said = text.lower()
        return any(phrase.lower() in said for phrase in self._assistant.end_call_phrases or ())

    def _finish(self, ending: Ending) -> None:
        """End the call from our side, after the assistant's `endCallMessage`."""
        self._finishing = True
        text = self._assistant.end_call_message
        if not text:
            self._end(ending)
            return
        self._cut()
        self._start_reply(self._say_and_end(self._fill(text, {}), ending), "goodbye")

    async def _say_and_end(self, text: str, ending: Ending) -> None:
        turn = self._turns.turn + 1_000_000  # no utterance will have this number
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self._speak(TurnTimes(turn), _texts(_clauses(text)))
        except TimeoutError:
            self._log.warning("goodbye_timed_out")
        finally:
            self._end(ending)


class _ReplyText:
    """What a model has said so far in one reply."""

    def __init__(self) -> None:
        self.text = ""
        self.ends_call = False


_NOT_UNDERSTOOD = "\0"
"""Stands for a recognition that failed: no transcript holds a NUL."""


def _clauses(text: str) -> list[str]:
    clauses = Clauses()
    return clauses.push(text) + clauses.finish()


async def _texts(texts: Iterable[str]) -> AsyncGenerator[str, None]:
    for text in texts:
        yield text

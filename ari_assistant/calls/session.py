"""The running half of a call: it listens, has recognised, thinks, speaks, and stops when interrupted."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from contextlib import aclosing
from dataclasses import replace
from functools import cached_property
from typing import Any

from ari_assistant.calls.cast import Cast
from ari_assistant.calls.conversation import Conversation
from ari_assistant.calls.costs import Consumption
from ari_assistant.calls.ending import END_PHRASE, MAX_DURATION, SILENCE, Ending
from ari_assistant.calls.line import Line
from ari_assistant.calls.listening import NOT_UNDERSTOOD, Listening
from ari_assistant.calls.messages import CallMessages
from ari_assistant.calls.metrics import TurnTimes
from ari_assistant.calls.models import metadata_fields
from ari_assistant.calls.reply import Reply, ReplyWriter, pieces
from ari_assistant.calls.services import Services
from ari_assistant.calls.tool_runner import ToolRunner
from ari_assistant.dialogue.history import Entry, History
from ari_assistant.dialogue.prompt import system_messages
from ari_assistant.dialogue.template import Fill
from ari_assistant.media.frame import Pcm
from ari_assistant.media.g711 import Law
from ari_assistant.media.playout import Spoken
from ari_assistant.media.port import MediaPort
from ari_assistant.media.recording import Recording
from ari_assistant.media.rtp import RtpPacket
from ari_assistant.media.wav import read_wav
from ari_assistant.providers.errors import ProviderError
from ari_assistant.providers.model import ChatMessage
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
from ari_assistant.vapi.base import JsonObject, new_id
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.without_secrets import without_secrets
from ari_assistant.webhooks.sender import WebhookFailed

__all__ = ["Session", "turn_options"]

_GOODBYE_SECONDS = 20.0
_AUDIO_URL = re.compile(r"https?://\S+")
_RECORD_INTERVAL_SECONDS = 0.5
_HANG_SECONDS = 3.0
"""So long after the caller's turn without a sound of the reply, `hang` is sent (§7.4)."""
_MAX_FAILURES = 3
"""So many replies in a row may fail before the call is given up (`pipeline-error-…`)."""


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
        cast: Cast,
        messages: CallMessages,
        variables: JsonObject,
        fill: Fill,
        law: Law,
        recording: Recording | None,
        call_id: str,
        end: Callable[[Ending], None],
        transfer: Callable[[Destination], Awaitable[None]],
        press: Callable[[str], Awaitable[None]],
        log: Any,
    ) -> None:
        """`transfer(destination)` sends the caller on, `press(digits)` sends DTMF to them. `variables` is the call's
        bag; `fill` fills templates from it."""
        loop = asyncio.get_running_loop()
        self._now = loop.time
        self._services = services
        self._assistant = assistant = cast.assistant
        self._cast = cast
        self._messages = messages
        self._fill = fill
        self._end = end
        self._transfer = transfer
        self._log = log
        self._line = Line(law, recording=recording, heard=self._frame_heard, reply_began=self._reply_began)
        self._detector = services.speech.new_detector()
        self._voice = cast.voice
        self._turns = TurnTaking(turn_options(assistant, services.options.turns), now=self._now())
        self._utterance_began = 0.0
        self._reply: asyncio.Task[None] | None = None
        self._reply_over = asyncio.Event()
        self._all_played = asyncio.Event()
        self._turn_ids: dict[int, str] = {}
        self._hang_at: float | None = None
        self._failures = 0
        self._prepared: tuple[str, list[Pcm]] | None = None
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
        self.used = Consumption()
        self._listening = Listening(cast, self.used, spawn=self._spawn, log=log)
        self._runner = ToolRunner(
            cast.tools,
            messages=messages,
            sender=services.webhooks,
            call_id=call_id,
            fill=fill,
            variables=variables,
            history=lambda: self.history,
            press=press,
            spawn=self._spawn,
        )
        self._writer = ReplyWriter(
            assistant=assistant,
            model=cast.model,
            tools=[offered.spec for offered in cast.tools.values()],
            runner=self._runner,
            messages=messages,
            used=self.used,
            history=lambda: self.history,
            system=self.system,
            extra=self._model_extra,
            now=lambda: self._now() - self._started,
            commit_caller=self._commit_for_good,
            all_heard=self._wait_until_played,
            spawn=self._spawn,
        )

    # -- from outside ---------------------------------------------------------------------------------------

    @cached_property
    def first_message(self) -> str | None:
        """What is said first, its template filled, or None when the caller begins."""
        mode = self._assistant.first_message_mode
        if mode not in (None, "assistant-speaks-first") or not self._assistant.first_message:
            return None
        return self._fill(self._assistant.first_message, {}).strip() or None

    def system(self) -> list[ChatMessage]:
        """The assistant's own messages, their templates filled: a tool may have brought new variables."""
        return system_messages(self._assistant.model, lambda template: self._fill(template, {}))

    def openai_messages(self) -> list[JsonObject]:
        """The conversation in OpenAI's form, the system prompt first."""
        return [*(message.wire() for message in self.system()), *self.history.openai_messages()]

    def _model_extra(self) -> JsonObject:
        model = self._assistant.model
        if model is None or model.provider != "custom-llm":
            return {}
        return metadata_fields(self._assistant, self._messages.common())

    def _spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """A task of the conversation's own, which outlives the reply that began it but not the call."""
        if self._group is None:
            work.close()
            raise asyncio.CancelledError("the conversation is over")
        return self._group.create_task(work, name=name)

    async def prepare(self) -> None:
        """Have the first clause of the first message ready before the call is answered. Never raises."""
        text = self.first_message
        if text is not None and _AUDIO_URL.fullmatch(text):
            await self._fetch_audio(text)
            return
        clauses = pieces(text) if text else []
        try:
            async with asyncio.timeout(3.0), aclosing(self._voice.synthesize(clauses[0])) as audio:
                self._prepared = (clauses[0], [pcm async for pcm in audio])
        except (ProviderError, TimeoutError, IndexError):
            pass  # the reply itself will meet the fault again, and say so

    async def _fetch_audio(self, url: str) -> None:
        """A first message that is the URL of an audio file (§2). Without the file the assistant begins in silence."""
        try:
            data = await self._services.webhooks.download(url)
            self._prepared = (url, [await asyncio.to_thread(read_wav, data)])
        except (WebhookFailed, ValueError) as fault:
            self._log.error("first_message_audio_failed", url=url, reason=str(fault), hint="a WAV file is needed")

    def receive(self, packet: RtpPacket, now: float) -> None:
        """The caller's RTP, in any order."""
        self._line.receive(packet, now)

    def conversation(self) -> Conversation:
        """What it has come to so far."""
        return Conversation(
            history=self.history,
            openai_messages=self.openai_messages(),
            times=self.times,
            statistics=self._line.statistics(),
            used=self.used,
            provider_names={
                "model": self._cast.model.name,
                "voice": self._voice.name,
                "transcriber": self._listening.name,
            },
        )

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
                group.create_task(self._listening.run(), name="listen")
                self._messages.send("assistant.started", newAssistant=without_secrets(self._assistant.wire()))
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

    async def say(self, text: str) -> None:
        """Say `text` now, which cannot be interrupted, and return when it has been heard."""
        self._finishing = True
        turn = self._turns.turn + 2_000_000
        await self._speak(TurnTimes(turn), _texts(pieces(text)))
        self._finishing = False

    def announce(self, text: str, ending: Ending) -> None:
        """Say `text`, which cannot be interrupted, and end the call."""
        self._finishing = True
        self._start_reply(self._say_and_end(text, ending), "announcement")

    # -- the clock ------------------------------------------------------------------------------------------

    def _tick(self, now: float, skipped: int) -> None:
        self._line.tick(now, skipped)
        if self._line.playout.drained:
            self._reply_over.set()
        if not self._line.playout.queued:
            self._all_played.set()
        self._listening.tick(self._line.last_sent)
        if self._hang_at is not None and now >= self._hang_at:
            self._hang_at = None
            self._messages.send("hang")
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
        self._listening.receive(frame)
        self._obey(self._turns.receive_frame(self._detector.receive(frame), now=now))

    def _obey(self, commands: Iterable[Command]) -> None:
        for command in commands:
            match command:
                case SpeechStarted():
                    self._collect()
                    self._tell_speech("user", "started")
                case SpeechPaused():
                    self._recognise()
                case SpeechResumed():
                    self._withdraw()
                case TurnEnded(turn, voice_ended):
                    times = TurnTimes(turn, voice_ended=voice_ended, endpoint=self._now())
                    self._hang_at = self._now() + _HANG_SECONDS
                    self._tell_speech("user", "stopped")
                    self._start_reply(self._answer(turn, times), f"reply-{turn}")
                case OverlapDismissed():
                    self._listening.forget()
                case Interrupted():
                    if self.times:
                        self.times[-1].interrupted = True
                        turn_id = self._turn_ids.get(self.times[-1].turn)
                        self._messages.send("user-interrupted", turnId=turn_id)
                    self._cut()

    def _collect(self) -> None:
        self._utterance_began = self._now()
        self._listening.collect()

    def _recognise(self) -> None:
        """Begin to recognise what has been collected, if there is a conversation to do it for."""
        if self._group is not None and not self._finishing:
            self._listening.recognise()

    def _withdraw(self) -> None:
        """The caller goes on: nothing of the reply has been heard, nothing of it remains."""
        self._listening.withdraw()
        if self._reply is not None:
            self._reply.cancel()
            self._reply = None
        self._line.playout.close()
        self._caller_words = None
        self._hang_at = None
        if (
            not self._listening.collecting
        ):  # a tool has been called because of what was said before: this is something new
            self._collect()

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
        if not _AUDIO_URL.fullmatch(text):
            await self._speak(TurnTimes(0), _texts(pieces(text)))
        elif self._prepared is not None:
            await self._speak(TurnTimes(0), _texts([text]))

    async def _answer(self, turn: int, times: TurnTimes) -> None:
        """The reply to one utterance of the caller."""
        words = await self._listening.words()
        times.transcribed = self._now()
        if words is NOT_UNDERSTOOD:
            await self._speak(times, _texts([self._services.options.prompts.not_understood]))
            return
        if not words:
            self._listening.forget()
            self._hang_at = None
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
        reply = Reply(self._turn_ids.setdefault(turn, new_id()))
        spoken = await self._speak(times, self._writer.clauses(words, reply), reply)
        self._log.info("turn", turn=turn, reply=spoken.text if spoken else "", **(times.latency() or {}))
        if reply.transfer is not None:
            await self._transfer(reply.transfer)
        elif self._ends_by_phrase(reply.text):
            self._end(END_PHRASE)
        elif reply.ending is not None:
            self._finish(reply.ending)

    async def _speak(
        self, times: TurnTimes, clauses: AsyncGenerator[str, None], reply: Reply | None = None
    ) -> Spoken | None:
        """Say the clauses as they come; returns when they have been heard. None: nothing was said.

        A provider's fault is told to the caller in a short sentence that was synthesised beforehand.
        """
        turn = times.turn
        self.times.append(times)
        who = "llm"
        try:
            async with aclosing(clauses):
                async for clause in clauses:
                    times.first_clause = times.first_clause or self._now()
                    who = "voice"
                    await self._say(turn, clause, times, source="model" if reply is not None else "force-say")
                    who = "llm"
            self._failures = 0
        except ProviderError as fault:
            self._log.error("reply_provider_failed", turn=turn, provider=fault.provider, reason=str(fault))
            self._failures += 1
            if reply is not None and self._failures >= _MAX_FAILURES:
                reply.ending = Ending(f"pipeline-error-{fault.provider}-{who}-failed", str(fault))
            await self._apologise(turn, times)
        if self._line.playout.turn != turn:  # nothing was said
            self._commit_caller()
            self._obey(self._turns.reply_over(turn, now=self._now()))
            return None
        self._line.playout.finish(turn)
        self._reply_over.clear()
        await self._reply_over.wait()
        return self._close_reply(turn)

    async def _say(self, turn: int, clause: str, times: TurnTimes, *, source: str = "force-say") -> None:
        began = False
        words = "" if _AUDIO_URL.fullmatch(clause) else clause
        if words:
            self.used.voice_characters += len(words)
            self._messages.send("voice-input", input=words)
        async with aclosing(self._audio(clause)) as audio:
            async for pcm in audio:
                if not began:
                    began = True
                    await self._open_playout(turn, times)
                    self._line.playout.clause(turn, words)
                    self._tell_segment(turn, source)
                self._all_played.clear()
                self._line.playout.push(turn, pcm)

    async def _audio(self, clause: str) -> AsyncGenerator[Pcm, None]:
        """What was prepared, once; else the voice is asked."""
        prepared, self._prepared = self._prepared, None
        if prepared is not None and prepared[0] == clause:
            for pcm in prepared[1]:
                yield pcm
            return
        async with aclosing(self._voice.synthesize(clause)) as audio:
            async for pcm in audio:
                yield pcm

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
        self._hang_at = None
        self._commit_caller()
        self._tell_speech("assistant", "started")
        self._turns.reply_heard(turn, protected=self._protected or self._finishing)
        if self._turns.state is TurnState.SPEAKING:
            self._listening.forget()

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
        words, self._caller_words = self._caller_words, None
        if words is None:
            return
        self._listening.taken()
        self.history.add(words)
        self._messages.send_transcript("user", words.text, final=True)
        self._tell_conversation()

    def _commit_for_good(self) -> None:
        """A tool is called because of these words: what the caller says from now on is something new."""
        self._commit_caller()
        self._listening.forget()

    async def _wait_until_played(self) -> None:
        while self._line.playout.queued:
            self._all_played.clear()
            await self._all_played.wait()

    def _tell_speech(self, role: str, status: str) -> None:
        self._messages.send("speech-update", status=status, role=role, turn=self._turns.turn)

    def _tell_segment(self, turn: int, source: str) -> None:
        if self._messages.wants("assistant.speechStarted"):
            text = self._line.playout.text
            self._messages.send("assistant.speechStarted", text=text, turn=turn, source=source)

    def _tell_conversation(self) -> None:
        if self._messages.wants("conversation-update"):
            formatted = self.openai_messages()
            messages = self.history.messages()
            self._messages.send(
                "conversation-update",
                messages=messages,
                messagesOpenAIFormatted=formatted,
                conversation=formatted,
            )

    def _commit_bot(self, spoken: Spoken | None) -> None:
        if spoken is None or spoken.samples == 0:
            return
        at, until = self._bot_began - self._started, self._now() - self._started
        self.history.add(Entry("bot", spoken.text, max(0.0, at), max(0.0, until), interrupted=not spoken.complete))
        self._tell_speech("assistant", "stopped")
        self._messages.send_transcript("assistant", spoken.text, final=True)
        self._tell_conversation()

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
                await self._speak(TurnTimes(turn), _texts(pieces(text)))
        except TimeoutError:
            self._log.warning("goodbye_timed_out")
        finally:
            self._end(ending)


async def _texts(texts: Iterable[str]) -> AsyncGenerator[str, None]:
    for text in texts:
        yield text

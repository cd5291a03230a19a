"""The running half of a call: it listens, has recognised, thinks, speaks, and stops when interrupted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import cached_property
from typing import Any

from ari_assistant.assistants.model_providers import metadata_fields
from ari_assistant.assistants.plans import (
    chunk_plan,
    keypad_plan,
    turn_options,
)
from ari_assistant.assistants.resolved import ResolvedAssistant
from ari_assistant.audio.frame import PTIME_SECONDS, Pcm
from ari_assistant.conversation.audio_output import AudioOutput
from ari_assistant.conversation.ending import ASSISTANT_ENDED, MAX_DURATION, SILENCE, Ending
from ari_assistant.conversation.hook_actions import HookActions
from ari_assistant.conversation.hooks import (
    CALL_ENDING,
    CALLER_INTERRUPTED,
    INTERRUPTED,
    LOW_CONFIDENCE,
    Hooks,
    exact_text,
)
from ari_assistant.conversation.interfaces import Surroundings
from ari_assistant.conversation.options import ConversationOptions
from ari_assistant.conversation.recognition import Recognition
from ari_assistant.conversation.reply import ReplyGenerator, pieces
from ari_assistant.conversation.reply_queue import ReplyQueue
from ari_assistant.conversation.result import Conversation
from ari_assistant.conversation.speaker import Speaker, is_audio_url
from ari_assistant.conversation.tool_runner import Outcome, ToolRunner
from ari_assistant.conversation.transcript import Transcript
from ari_assistant.conversation.turn_detection import TurnDetection
from ari_assistant.conversation.usage import Consumption
from ari_assistant.dialogue.address import AddressRefused, filled_url
from ari_assistant.dialogue.destination import filled_destination
from ari_assistant.dialogue.history import Entry, History
from ari_assistant.dialogue.prompt import system_messages
from ari_assistant.dialogue.template import fill_for_speech
from ari_assistant.dialogue.tools import Offered
from ari_assistant.dialogue.variables import Variables
from ari_assistant.media.handle import MediaStream
from ari_assistant.providers.model import ChatMessage, ToolCall
from ari_assistant.telemetry import Private
from ari_assistant.turns.echo import EchoGuard
from ari_assistant.turns.idle import SilenceTimer
from ari_assistant.turns.keypad import KeypadInput
from ari_assistant.turns.opening import Opening
from ari_assistant.turns.turn_taking import (
    Command,
    Interrupted,
    OverlapDismissed,
    OverlapGrown,
    OverlapPaused,
    ReplyHeld,
    ReplyResumed,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TurnEnded,
    TurnState,
    TurnTaking,
)
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.secret import without_secrets

__all__ = ["Session"]

_HANG_SECONDS = 3.0
"""So long after the caller's turn without a sound of the reply, `hang` is sent (§7.4)."""
_LONG_SECONDS = 4.0
"""Who has spoken so long is hummed to at a pause, at most so often (`backchannelingEnabled`)."""
_AUDIBLE = (TurnState.SPEAKING, TurnState.OVERLAPPING, TurnState.REPLY_HELD, TurnState.JUDGING)


class Session:
    """One conversation. `run` owns every task of it; `end` is called once, with why it is over.

    A reply is one task. It is prepared as soon as the caller pauses, and heard when their turn is over; if they go on
    it is withdrawn and nobody has known of it. An interruption cuts the playout and cancels that task, nothing else;
    what it still pushes carries the number of a closed turn and is dropped. A provider's fault ends the turn, not the
    call.
    """

    def __init__(
        self,
        cast: ResolvedAssistant,
        variables: Variables,
        surroundings: Surroundings,
        options: ConversationOptions,
        *,
        log: Any,
    ) -> None:
        services, messages, control = surroundings, surroundings.messages, surroundings.control
        fill = variables.fill
        loop = asyncio.get_running_loop()
        self._now = loop.time
        self._services = services
        self._assistant = assistant = cast.assistant
        self._cast = cast
        self._messages = messages
        self._fill = fill
        self._end = control.end
        self._transfer = control.transfer
        self._log = log
        self._call_id = options.call_id
        self._variables = variables.values
        self._press = control.press
        self._started = self._now()
        self._opening = Opening(now=self._started)
        self._group: asyncio.TaskGroup | None = None
        self._stream: MediaStream | None = None
        self._minutes = Transcript(
            messages, system=self.system, turn=lambda: self._turns.turn, log=log, history=variables.history
        )
        self.used = Consumption()
        # hearing
        self._line = AudioOutput(rate=options.rate, reply_began=lambda turn, now: self._replies.began(turn, now))
        self._echo = EchoGuard()
        self._turns = TurnTaking(turn_options(assistant, options.turns), now=self._now())
        keypad = keypad_plan(assistant)
        self._keypad = KeypadInput(keypad) if keypad is not None else None
        self._listening = Recognition(
            cast,
            self.used,
            rate=options.rate,
            end_of_turn=services.end_of_turn,
            spawn=self._spawn,
            log=log,
        )
        self._weighing = TurnDetection(
            assistant,
            options.waits,
            turns=self._turns,
            listening=self._listening,
            messages=messages,
            history=lambda: self.history,
            system=self.system,
            obey=self._obey,
            goes_on=self._hum,
            now=self._now,
            spawn=self._spawn,
            log=log,
        )
        self._hummed_at = float("-inf")
        # speaking
        self._speaker = Speaker(
            options.prompts,
            services.requests,
            cast,
            self._line,
            now=self._now,
            may_speak_at=lambda: self._turns.may_speak_at,
            log=log,
        )
        self._replies = ReplyQueue(
            assistant,
            line=self._line,
            speaker=self._speaker,
            listening=self._listening,
            turns=self._turns,
            minutes=self._minutes,
            messages=messages,
            used=self.used,
            not_understood=options.prompts.not_understood,
            now=self._now,
            obey=self._obey,
            finish=self._finish,
            end=control.end,
            transfer=control.transfer,
            log=log,
        )
        self._hang_told = False
        self._finishing = False
        self._on_hold = False
        self._aside_since: float | None = None
        self._ending_if_back: Ending | None = None
        """When the caller was handed over, while they are."""
        self._broken = False
        # time
        self._silence = SilenceTimer(assistant.silence_timeout_seconds or 30, now=self._started)
        self._max_seconds = assistant.max_duration_seconds or 600
        self._seconds_aside = 0.0
        self._hooks = Hooks.of(assistant, now=self._started)
        self._actions = HookActions(
            self,
            fill=fill,
            filled=lambda destination: filled_destination(destination, fill, variables.values),
            stored_tools=services.stored_tools,
            run=self._run_tools,
            spawn=self._spawn,
            log=log,
        )
        self._runner = self._tool_runner(cast.tools, self._spawn)
        self._writer = ReplyGenerator(
            assistant=assistant,
            model=cast.model,
            tools=[offered.spec for offered in cast.tools.values()],
            chunks=chunk_plan(assistant),
            runner=self._runner,
            messages=messages,
            history=lambda: self.history,
            system=self.system,
            extra=self._model_extra,
            now=lambda: self._now() - self._started,
            commit_caller=self._replies.commit_for_good,
            all_heard=self._speaker.wait_until_played,
            spawn=self._spawn,
        )

    def _tool_runner(self, tools: Mapping[str, Offered], spawn: Callable[..., Any]) -> ToolRunner:
        return ToolRunner(
            tools,
            messages=self._messages,
            sender=self._services.requests,
            call_id=self._call_id,
            fill=self._fill,
            variables=self._variables,
            history=lambda: self.history,
            press=self._press,
            spawn=spawn,
        )

    # -- from outside ---------------------------------------------------------------------------------------

    @cached_property
    def first_message(self) -> str | None:
        """What is said first, its template filled, or None when the caller begins."""
        mode = self._assistant.first_message_mode
        if mode not in (None, "assistant-speaks-first") or not self._assistant.first_message:
            return None
        text = fill_for_speech(self._fill, self._assistant.first_message, {}).strip()
        if is_audio_url(text):
            try:
                return filled_url(self._assistant.first_message.strip(), self._variables)
            except AddressRefused as fault:
                self._log.warning("first_message_audio_refused", reason=str(fault))
                return None
        return text or None

    def system(self) -> list[ChatMessage]:
        """The assistant's own messages, their templates filled: a tool may have brought new variables."""
        return system_messages(self._assistant.model, lambda template: self._fill(template, {}))

    @property
    def history(self) -> History:
        """What was said so far."""
        return self._minutes.history

    def openai_messages(self) -> list[JsonObject]:
        """The conversation in OpenAI's form, the system prompt first."""
        return self._minutes.openai_messages()

    def _model_extra(self) -> JsonObject:
        model = self._assistant.model
        if model is not None and model.provider == "openai":
            key = (model.model_extra or {}).get("promptCacheKey")
            return {"prompt_cache_key": key} if key else {}
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
        await asyncio.gather(
            self._speaker.prepare(self.first_message),
            self._speaker.prepare_background(self._assistant.background_sound),
        )

    def key(self, key: str) -> None:
        """The caller pressed a key of their telephone (0-9, *, #, A-D)."""
        self._log.info("key", key=Private(key), listened_to=self._keypad is not None)
        if self._keypad is None or not self._takes_part:
            return
        self._hooks.caller_spoke()
        now = self._now()
        self._silence.receive(True, now=now)
        entry = self._keypad.push(key, now=now)
        alone = entry is None and not self._keypad.collecting
        # A delimiter alone is no entry: it skips what is being said, and takes no words from anybody.
        if not self._replies.protected and (self._turns.state in _AUDIBLE or not alone):
            self._minutes.caller_speaks(False)
            self._weighing.stop()
            self._replies.drop()
            self._listening.forget()
            self._turns.press_key()
        if entry is not None:
            self._keyed(entry)

    def hold(self, on_hold: bool) -> None:
        """The caller puts the call on hold, or takes it back (RFC 3264 §8.4). On hold nothing is said and nothing is
        listened to: what comes is the music of their telephone. The clocks of silence stand still, the longest duration
        does not. The sentence that was cut is said again afterwards."""
        if on_hold is self._on_hold:
            return
        self._log.info("hold", on=on_hold)
        self._on_hold = on_hold
        if on_hold:
            self._line.playout.pause()
            return
        self._line.playout.unpause()
        self._replies.wait_anew()
        self._restart_clocks()

    def step_aside(self) -> None:
        """The caller is handed over to somebody else: from now on nothing is said, heard or done here, and no clock of
        the assistant's ends the call. May be called by the reply that hands over."""
        self._aside_since = self._now()
        self._weighing.stop()
        self._replies.drop()
        self._listening.forget()
        self._turns.reply_over(self._turns.begin_turn(), now=self._aside_since)

    def come_back(self) -> None:
        """Nobody has taken the caller: the conversation goes on, and its clocks begin anew."""
        if self._aside_since is None:
            return
        self._seconds_aside += self._now() - self._aside_since
        self._aside_since = None
        self._restart_clocks()
        if self._ending_if_back is not None:
            self._end(self._ending_if_back)

    def conversation(self) -> Conversation:
        """What it has come to so far."""
        self._replies.speculation.discarded_audio_seconds = self._listening.wasted_seconds
        return Conversation(
            history=self.history,
            openai_messages=self.openai_messages(),
            times=self._replies.times,
            speculation=self._replies.speculation,
            statistics=self._line.statistics(),
            used=self.used,
            provider_names={
                "model": self._cast.model.name,
                "voice": self._cast.voice.name,
                "transcriber": self._listening.name,
            },
        )

    async def run(self, stream: MediaStream, *, started_ms: int) -> None:
        """Hold the conversation until cancelled. The call has been answered at `started_ms` (epoch, ms)."""
        self._started = self._now()
        self._opening = Opening(now=self._started)
        self.history.started_ms = started_ms
        self._silence.receive(True, now=self._started)
        self._hooks = Hooks.of(self._assistant, now=self._started)
        self._stream = stream
        self._line.attach(stream)
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._replies.run_in(group, self._writer, started=self._started)
                stream.listener = self
                if stream.gone:
                    self.lost("the media process ended while the call was being answered")
                self._services.voice_activity.add(stream, self)
                group.create_task(self._listening.run(), name="listen")
                assistant = without_secrets(self._assistant.wire(), Assistant)
                self._messages.send("assistant.started", newAssistant=assistant)
                self._open()
                await asyncio.get_running_loop().create_future()  # until cancelled
        finally:
            self._group = None
            stream.listener = None
            self._services.voice_activity.remove(stream)
            self._replies.close()
            await asyncio.shield(self._line.aclose())
            if (fault := self._line.recording_fault) is not None:
                self._log.error("recording_failed", reason=fault, hint="is the disk full, or too slow?")

    async def say(self, text: str) -> None:
        """Say `text` now, which cannot be interrupted, and return when it has been heard."""
        self._finishing = True
        await self._replies.say(text)
        self._finishing = False
        self._restart_clocks()

    def announce(self, text: str, ending: Ending) -> None:
        """Say `text`, which cannot be interrupted, and end the call."""
        self._finishing = True
        self._replies.say_and_end(text, ending)

    async def after_the_end(self, ending: Ending) -> None:
        """Run the tools of `call.ending` hooks. Nobody hears anything any more."""
        actions = self._hooks.on(CALL_ENDING, {"call.endedReason": ending.reason})
        for action in actions:
            if action.type in ("tool", "function"):
                await self._actions.use_tool(action)

    # -- what the media plane tells -------------------------------------------------------------------------

    def played(self, samples: int, now: float) -> None:
        """See `media.handle.Listener`."""
        try:
            self._line.played(samples, now)
        except Exception as fault:
            self.failed(fault)

    def tick(self, now: float) -> None:
        """See `media.handle.Listener`."""
        try:
            self._tick(now)
        except Exception as fault:
            self.failed(fault)

    def heard(self, frame: Pcm, narrow: Pcm, speech: bool, now: float) -> None:
        """See `voice_activity.VoiceListener`."""
        self._opening.receive_packet(now=now)
        if self._on_hold or self._aside_since is not None:
            return
        self._listening.receive(frame, narrow)
        self._echo.heard(narrow)
        if speech and self._echo.is_echo():
            speech = False
        self._obey(self._turns.receive_frame(speech, now=now))

    def lost(self, reason: str) -> None:
        """See `media.handle.Listener`."""
        self._log.error("media_lost", reason=reason)
        self.media_left(Ending("call.in-progress.error-vapifault-worker-died", reason))

    def media_left(self, ending: Ending) -> None:
        """Nothing can be heard or said here any more. While the caller is handed over, ringing included, that matters
        only if they come back."""
        if self._aside_since is not None:
            self._ending_if_back = ending
        else:
            self._end(ending)

    def failed(self, fault: Exception) -> None:
        """See `voice_activity.VoiceListener`: a fault of ours ends this call, and no other."""
        if self._broken:
            return
        self._broken = True
        self._log.error("media_failed", exc_info=fault)
        self._end(Ending("call.in-progress.error-vapifault-worker-died", f"media: {fault!r}"))

    # -- the clock ------------------------------------------------------------------------------------------

    def _tick(self, now: float) -> None:
        self._open_the_line(now)
        sent = self._line.last_sent()
        self._echo.sent(sent)
        self._speaker.tick()
        self._listening.tick(sent)
        if self._aside_since is not None:
            return
        seconds = now - self._started - self._seconds_aside
        if self._on_hold:
            if seconds >= self._max_seconds:  # nobody would hear a farewell
                self._end(MAX_DURATION)
            return
        self._watch_the_reply(now)
        self._obey(self._turns.handle_deadline(now))
        if self._keypad is not None and (entry := self._keypad.handle_deadline(now)) is not None:
            self._keyed(entry)
        if self._finishing:
            self._silence.receive(True, now=now)
            return
        typing = self._keypad is not None and self._keypad.completes
        busy = self._turns.state is not TurnState.LISTENING or self._replies.reply is not None or typing
        self._actions.act(self._hooks.tick(busy, seconds=seconds, now=now))
        if self._silence.receive(busy, now=now):
            self._finish(SILENCE)
        elif seconds >= self._max_seconds:
            self._finish(MAX_DURATION)

    def _open_the_line(self, now: float) -> None:
        """Until a word can be heard the far end gets the line's comfort noise, which primes its jitter buffer."""
        if self._opening.handle_deadline(now):
            self._speaker.begin()
        elif not self._opening.over:
            self._line.comfort()

    def _restart_clocks(self) -> None:
        """Silence begins now."""
        now = self._now()
        self._silence.receive(True, now=now)
        self._hooks.restart(now=now)

    def _watch_the_reply(self, now: float) -> None:
        """Is the answer late?"""
        since = self._replies.awaited_since
        if since is None:
            self._hang_told = False
            return
        if now - since >= _HANG_SECONDS and not self._hang_told:
            self._hang_told = True
            self._messages.send("hang")
        self._actions.act(self._hooks.late(now - since, now - since - PTIME_SECONDS))

    # -- hearing --------------------------------------------------------------------------------------------

    def _obey(self, commands: Iterable[Command]) -> None:
        judged = False
        for command in commands:
            match command:
                case SpeechStarted():
                    self._collect()
                    if self._turns.state is TurnState.HEARING:
                        self._minutes.caller_speaks(True)
                case SpeechPaused(turn, voice_ended):
                    self._minutes.caller_speaks(True)
                    self._prepare_answer(turn, voice_ended, judged=judged)
                case SpeechResumed():
                    self._withdraw()
                case TurnEnded(turn):
                    self._turn_ended(turn)
                case OverlapGrown(turn) | OverlapPaused(turn):
                    if self._group is not None and not self._finishing:
                        self._weighing.overlap(turn)
                case OverlapDismissed():
                    self._weighing.stop()
                    self._listening.forget()
                case ReplyHeld():
                    self._line.playout.hold()
                case ReplyResumed():
                    self._line.playout.resume()
                    for times in self._replies.times[-1:]:
                        times.resumed += 1
                case Interrupted(cuts_in=cuts_in):
                    judged = True
                    self._interrupted(cuts_in)

    def _hum(self) -> None:
        """The caller pauses in the middle of a long sentence."""
        now = self._now()
        long = now - self._replies.utterance_began > _LONG_SECONDS
        if self._assistant.backchanneling_enabled and long and now - self._hummed_at > _LONG_SECONDS:
            self._hummed_at = now
            self._spawn(self._speaker.hum(), "hum")

    def _collect(self) -> None:
        self._replies.utterance_began = self._now()
        self._listening.collect()

    def _prepare_answer(self, turn: int, voice_ended: float, *, judged: bool) -> None:
        """The turn may be over: recognise, weigh, and write the answer, all of it unheard."""
        if self._group is None or self._finishing:
            return
        self._weighing.pause(turn, judged=judged)
        self._replies.prepare_answer(turn, voice_ended)

    def _turn_ended(self, turn: int) -> None:
        self._minutes.caller_speaks(False)
        self._hooks.caller_spoke()
        if (confidence := self._listening.confidence) is not None:
            self._actions.act(self._hooks.on(LOW_CONFIDENCE, {"confidence": confidence}), preface=True)
        if not self._replies.confirm(turn):
            self._obey(self._turns.reply_over(turn, now=self._now()))

    def _withdraw(self) -> None:
        """The caller goes on."""
        self._weighing.stop()
        self._listening.withdraw()
        if self._turns.state in _AUDIBLE:
            return
        self._replies.withdraw()
        if not self._listening.collecting:
            # A tool has been called because of what was said before: this is something new.
            self._collect()

    def _interrupted(self, cuts_in: bool) -> None:
        self._minutes.caller_speaks(True)
        reply = self._replies.reply
        for times in self._replies.times[-1:]:
            times.interrupted, times.cut_in = True, cuts_in
        self._messages.send("user-interrupted", turnId=(reply.turn_id or None) if reply is not None else None)
        self._replies.cut()
        self._actions.act(self._hooks.on(CALLER_INTERRUPTED if cuts_in else INTERRUPTED), preface=True)

    def _keyed(self, keys: str) -> None:
        """An entry of the keypad is complete: it is what the caller says (§8.6)."""
        if self._replies.protected:
            self._replies.cut()
        self.caller_wrote(f"User's Keypad Entry: {keys}")

    # -- speaking -------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """The first message, if the assistant speaks first."""
        if self._finishing:
            return
        text = self.first_message
        model_speaks = self._assistant.first_message_mode == "assistant-speaks-first-with-model-generated-message"
        protected = not self._assistant.first_message_interruptions_enabled
        if text is not None:
            if is_audio_url(text) and not self._speaker.has_prepared:
                return
            self._replies.open([text] if is_audio_url(text) else pieces(text), protected=protected)
        elif model_speaks:
            self._replies.open(None, protected=False)

    # -- what hooks may do ----------------------------------------------------------------------------------

    @property
    def _takes_part(self) -> bool:
        """The assistant talks with the caller, and not yet its last words."""
        return self._group is not None and not self._finishing and self._aside_since is None

    def say_soon(self, text: str, *, preface: bool) -> None:
        """See `ConversationControl`."""
        if self._takes_part:
            self._replies.say_soon(text, preface=preface)

    def speak_by_prompt(self, prompts: list[str]) -> None:
        """See `ConversationControl`."""
        if self._takes_part:
            self._replies.speak_by_prompt(prompts)

    def caller_wrote(self, text: str) -> None:
        """See `ConversationControl`; also an entry of the keypad (§8.6)."""
        if self._takes_part:
            self._replies.answer(self._turns.begin_turn(), text)

    def add_message(self, role: str, text: str) -> None:
        """See `ConversationControl`."""
        at = self._now() - self._started
        kind: Any = {"assistant": "bot", "user": "user"}.get(role, "system")
        self.history.add(Entry(kind, text, at, at))

    async def send_on(self, destination: Destination) -> None:
        """See `ConversationControl`."""
        if self._takes_part:
            await self._transfer(destination)

    def hang_up(self) -> None:
        """See `ConversationControl`."""
        if self._takes_part:
            self._finish(ASSISTANT_ENDED)

    async def _run_tools(self, tools: Mapping[str, Offered], calls: list[ToolCall]) -> list[Outcome]:
        spawn = self._spawn if self._group is not None else self._services.background.spawn
        return await self._tool_runner(tools, spawn).run(calls)

    # -- ending ---------------------------------------------------------------------------------------------

    def _finish(self, ending: Ending) -> None:
        """End the call from our side, after what its hooks and its `endCallMessage` want said."""
        self._finishing = True
        said = [
            fill_for_speech(self._fill, text, {})
            for action in self._hooks.on(CALL_ENDING, {"call.endedReason": ending.reason})
            if action.type == "say" and (text := exact_text(action)) is not None
        ]
        last = self._assistant.end_call_message
        if ending is SILENCE and self._hooks.silence_message:
            last = self._hooks.silence_message
        if last:
            said.append(fill_for_speech(self._fill, last, {}))
        if not said:
            self._end(ending)
            return
        self._replies.say_and_end(" ".join(said), ending)

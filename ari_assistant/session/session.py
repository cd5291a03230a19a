"""Holds one conversation: it tells the core what happens, and performs what the core decides, in order.

Every task of the conversation is begun here and belongs to `ConversationTasks`. What engines, models and voices bring
is told to the core as an event; what the core wants is an action (`actions`), and `_perform` is the only place that
carries one out. An event that comes while actions are performed waits until all of them are.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from ari_assistant.assistants.resolved import ResolvedAssistant
from ari_assistant.audio.frame import Pcm
from ari_assistant.conversation import actions as do
from ari_assistant.conversation.core import ConversationCore, Greeting
from ari_assistant.conversation.ending import Ending
from ari_assistant.conversation.policy import ConversationPolicy, conversation_policy
from ari_assistant.conversation.result import Conversation
from ari_assistant.conversation.usage import Consumption
from ari_assistant.dialogue.address import AddressRefused
from ari_assistant.dialogue.destination import filled_destination
from ari_assistant.dialogue.history import Entry, History
from ari_assistant.dialogue.prompt import system_prompt
from ari_assistant.dialogue.variables import Variables
from ari_assistant.media.handle import MediaStream
from ari_assistant.providers.model import ChatMessage
from ari_assistant.session.audio_output import AudioOutput
from ari_assistant.session.clock import CallClock
from ari_assistant.session.endpointing_server import EndpointingServer
from ari_assistant.session.greeting import first_message, greeting
from ari_assistant.session.hook_tools import HookTools
from ari_assistant.session.interfaces import Surroundings
from ari_assistant.session.options import ConversationOptions
from ari_assistant.session.recognition import Recognition
from ari_assistant.session.reply import (
    CallsTools,
    ReplyGenerator,
    Step,
    UntilHeard,
    as_clauses,
    split_clauses,
)
from ari_assistant.session.reply_player import ReplyPlayer
from ari_assistant.session.speaker import Speaker, is_audio_url
from ari_assistant.session.tasks import ConversationTasks
from ari_assistant.session.tool_runner import ToolRunner
from ari_assistant.session.transcript import Transcript
from ari_assistant.session.wording import as_said, as_written
from ari_assistant.telemetry import Private
from ari_assistant.turns.echo import EchoGuard
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.hook import HookAction
from ari_assistant.vapi.secret import without_secrets

__all__ = ["Session"]

_SIDES: Final[Mapping[str, Literal["system", "user", "bot"]]] = {"assistant": "bot", "user": "user"}
"""Of a message's role (§7.8)."""

Event = Callable[[], list[do.Action]]
"""Something that has happened, as the core is told of it."""


@dataclass(frozen=True, slots=True)
class _Assistant:
    """Who has the conversation, with what is made for them."""

    resolved: ResolvedAssistant
    policy: ConversationPolicy
    generator: ReplyGenerator
    endpointing_server: EndpointingServer | None
    first_message: str | None
    """See `greeting.first_message`."""


class Session:
    """One conversation. `run` owns every task of it; the call's `control` is told once that it is over, and why.

    A reply is one task. An interruption cuts the playout and cancels that task, nothing else. A provider's fault ends
    the turn, not the call.
    """

    def __init__(
        self,
        resolved: ResolvedAssistant,
        variables: Variables,
        surroundings: Surroundings,
        options: ConversationOptions,
        *,
        log: Any,
    ) -> None:
        self._variables = variables
        self._surroundings = surroundings
        self._options = options
        self._log = log
        self._clock = CallClock()
        self._tasks = ConversationTasks()
        self._output = AudioOutput(rate=options.rate)
        self._echo = EchoGuard()
        self._transcript = Transcript(surroundings.messages, variables, log=log)
        self._transcript.use(resolved)
        self._speaker = Speaker(
            resolved, self._output, surroundings.requests, options.prompts, self._clock, log=log
        )
        self._player = ReplyPlayer(
            self._speaker,
            self._output.playout,
            self._transcript,
            surroundings.messages,
            self._clock,
            log=log,
        )
        self._recognition = Recognition(
            resolved, self._player.used, self._tasks, surroundings.end_of_turn, rate=options.rate, log=log
        )
        self._assistant = self._made_for(resolved)
        self._core = ConversationCore(self._assistant.policy, now=self._clock.now())
        self._events: deque[Event] = deque()
        self._performing = False
        self._detecting: asyncio.Task[None] | None = None
        self._replying: asyncio.Task[None] | None = None
        self._announced = asyncio.Event()
        self._broken = False

    def _made_for(self, resolved: ResolvedAssistant) -> _Assistant:
        around, options, variables = self._surroundings, self._options, self._variables
        policy = conversation_policy(resolved.assistant, options.turns, options.waits)
        runner = ToolRunner(resolved.tools, variables, around, self._tasks, call_id=options.call_id)
        server: EndpointingServer | None = None
        if policy.endpointing_server is not None:
            server = EndpointingServer(
                policy.endpointing_server, resolved.assistant, around.messages, variables, log=self._log
            )
        self._player.whole_texts = bool(resolved.assistant.model_output_in_messages_enabled)
        return _Assistant(
            resolved=resolved,
            policy=policy,
            generator=ReplyGenerator(resolved, variables, around.messages, runner, self._tasks, self._clock),
            endpointing_server=server,
            first_message=first_message(resolved.assistant, variables, log=self._log),
        )

    # -- from outside ---------------------------------------------------------------------------------------

    def system(self) -> list[ChatMessage]:
        """The assistant's own messages, their templates filled: a tool may have brought new variables."""
        return system_prompt(self._assistant.resolved.assistant, self._variables)

    @property
    def history(self) -> History:
        """What was said so far."""
        return self._variables.history

    @property
    def used(self) -> Consumption:
        """What has been used so far of what is paid for."""
        return self._player.used

    def openai_messages(self) -> list[JsonObject]:
        """The conversation in OpenAI's form, the system prompt first."""
        return self._transcript.openai_messages()

    async def prepare(self) -> None:
        """Have the first clause of the first message ready before the call is answered. Never raises."""
        await asyncio.gather(
            self._speaker.prepare(self._assistant.first_message),
            self._speaker.prepare_background(self._assistant.resolved.assistant.background_sound),
        )

    async def run(self, stream: MediaStream, *, started_ms: int) -> None:
        """Hold the conversation until cancelled. The call has been answered at `started_ms` (epoch, ms)."""
        self._clock.answered()
        self.history.started_ms = started_ms
        self._output.attach(stream)
        try:
            async with self._tasks:
                stream.listener = self
                if stream.gone:
                    self.lost("the media process ended while the call was being answered")
                self._surroundings.voice_activity.add(stream, self)
                try:
                    await self._converse()
                finally:
                    # Before the tasks are waited for: whatever is heard of meanwhile leads to nothing any more.
                    self._tell(self._core.closed)
        finally:
            stream.listener = None
            self._surroundings.voice_activity.remove(stream)
            await asyncio.shield(self._output.aclose())
            if (fault := self._output.recording_fault) is not None:
                self._log.error("recording_failed", reason=fault, hint="is the disk full, or too slow?")

    async def _converse(self) -> None:
        self._recognition.begin()
        self._begin_assistant()
        begins = self._greeting()
        self._tell(lambda: self._core.answered(begins, now=self._clock.now()))
        await asyncio.get_running_loop().create_future()  # until cancelled

    def _begin_assistant(self) -> None:
        for fault in self._assistant.policy.unreadable:
            self._log.warning(fault.event, **fault.fields)
        wire = without_secrets(self._assistant.resolved.assistant.wire(), Assistant)
        self._surroundings.messages.send("assistant.started", newAssistant=wire)

    def _greeting(self) -> Greeting:
        text = self._assistant.first_message
        if text is not None and is_audio_url(text) and not self._speaker.has_prepared:
            return Greeting()
        return greeting(self._assistant.resolved.assistant, text)

    async def take_over(self, resolved: ResolvedAssistant) -> bool:
        """Another assistant has the conversation from now on: its voice, model, transcriber, tools and plans. What was
        said stays; what it says first is said now. Its background sound is not taken. Returns when it has begun; False
        when there is no conversation to be had, because it is ending, or the caller is with somebody else."""
        if not self._core.takes_part:
            return False
        self._assistant = self._made_for(resolved)
        self._transcript.use(resolved)
        self._speaker.use(resolved)
        self._recognition.use(resolved)
        await self._speaker.prepare(self._assistant.first_message)
        policy, begins = self._assistant.policy, self._greeting()
        self._tell(lambda: self._core.take_over(policy, begins, now=self._clock.now()))
        self._begin_assistant()
        return True

    def key(self, key: str) -> None:
        """The caller pressed a key of their telephone (0-9, *, #, A-D)."""
        self._log.info("key", key=Private(key), listened_to=self._core.policy.keypad is not None)
        self._tell(lambda: self._core.key(key, now=self._clock.now()))

    def hold(self, on_hold: bool) -> None:
        """The caller puts the call on hold, or takes it back (RFC 3264 §8.4). The sentence that was cut is said again
        afterwards."""
        if on_hold is not self._core.on_hold:
            self._log.info("hold", on=on_hold)
        self._tell(lambda: self._core.hold(on_hold, now=self._clock.now()))

    def step_aside(self) -> None:
        """The caller is handed over to somebody else: from now on nothing is said, heard or done here, and no clock of
        the assistant's ends the call."""
        self._tell(lambda: self._core.step_aside(now=self._clock.now()))

    def come_back(self) -> None:
        """Nobody has taken the caller: the conversation goes on, and its clocks begin anew."""
        self._tell(lambda: self._core.come_back(now=self._clock.now()))

    async def say(self, text: str) -> None:
        """Say `text` now, which cannot be interrupted, and return when it has been heard."""
        self._announced.clear()
        self._tell(lambda: self._core.announce((do.Text((text,), is_template=False),)))
        await self._announced.wait()

    def announce(self, text: str, ending: Ending) -> None:
        """Say `text`, which cannot be interrupted, and end the call."""
        said = (do.Text((text,), is_template=False),)
        self._tell(lambda: self._core.announce_and_end(said, ending, now=self._clock.now()))

    def media_left(self, ending: Ending) -> None:
        """Nothing can be heard or said here any more. While the caller is handed over, ringing included, that matters
        only if they come back."""
        self._tell(lambda: self._core.media_left(ending))

    async def after_the_end(self, ending: Ending) -> None:
        """Run the tools of `call.ending` hooks. Nobody hears anything any more."""
        for hook in self._core.ending_hooks(ending):
            await self._hook_tools().run(hook, self._surroundings.background)

    def conversation(self) -> Conversation:
        """What it has come to so far."""
        self._player.speculation.discarded_audio_seconds = self._recognition.wasted_seconds
        return Conversation(
            history=self.history,
            openai_messages=self.openai_messages(),
            times=self._player.times,
            speculation=self._player.speculation,
            statistics=self._output.statistics(),
            used=self.used,
            provider_names={
                "model": self._assistant.resolved.model.name,
                "voice": self._assistant.resolved.voice.name,
                "transcriber": self._recognition.name,
            },
        )

    # -- what the media plane tells -------------------------------------------------------------------------

    def played(self, samples: int, now: float) -> None:
        """So many samples have gone out since the last flush."""
        try:
            turn = self._output.played(samples)
            number = self._player.first_frame(turn, now) if turn is not None else None
            if number is not None:
                self._tell(lambda: self._core.first_frame(number, now=now))
        except Exception as fault:
            self.failed(fault)

    def tick(self, now: float) -> None:
        """20 ms have passed."""
        try:
            sent = self._output.last_sent()
            self._echo.sent(sent)
            self._speaker.tick()
            self._recognition.tick(sent)
            self._tell(partial(self._core.tick, now=now))
        except Exception as fault:
            self.failed(fault)

    def heard(self, frame: Pcm, narrow: Pcm, speech: bool, now: float) -> None:
        """20 ms of the caller (int16, at the stream's rate, and at 8 kHz), with speech in it or not."""
        if self._core.listens:
            self._recognition.receive_frame(frame, narrow)
            self._echo.heard(narrow)
            speech = speech and not self._echo.is_echo()
        self._tell(partial(self._core.frame, speech, now=now))

    def lost(self, reason: str) -> None:
        """The stream is gone."""
        self._log.error("media_lost", reason=reason)
        self.media_left(Ending("call.in-progress.error-vapifault-worker-died", reason))

    def failed(self, fault: Exception) -> None:
        """A fault of ours ends this call, and no other."""
        if self._broken:
            return
        self._broken = True
        self._events.clear()
        self._log.error("media_failed", exc_info=fault)
        self._surroundings.control.end(Ending("call.in-progress.error-vapifault-worker-died", f"media: {fault!r}"))

    # -- events in, actions out -----------------------------------------------------------------------------

    def _tell(self, event: Event) -> None:
        """Tell the core of an event, and perform what it decides before it hears of the next one."""
        self._events.append(event)
        if self._performing:
            return
        self._performing = True
        try:
            while self._events:
                for action in self._events.popleft()():
                    self._perform(action)
        finally:
            self._performing = False

    def _perform(self, action: do.Action) -> None:
        if not self._perform_reply(action) and not self._perform_hearing(action):
            self._perform_rest(action)

    def _perform_hearing(self, action: do.Action) -> bool:
        recognition = self._recognition
        match action:
            case do.Collect():
                recognition.collect()
            case do.Recognise(turn, afresh, over_reply):
                recognition.recognise(afresh=afresh)
                self._stop_detection()
                work = self._overlap(turn) if over_reply else self._pause(turn)
                self._detecting = self._tasks.spawn(work, f"detect-{turn}")
            case do.StopDetection():
                self._stop_detection()
            case do.WithdrawRecognition():
                recognition.withdraw()
            case do.ForgetUtterance():
                recognition.reset()
            case do.SpeechUpdate("user", speaks, turn):
                self._transcript.caller_speaks(speaks, turn=turn)
            case do.SpeechUpdate("assistant", _, turn):
                self._transcript.assistant_speaks(turn=turn)
            case do.OverlapJudged(turn, words, interrupts):
                self._log.info("overlap", turn=turn, text=Private(words), interrupts=interrupts)
            case do.BackchannelNow():
                self._tasks.spawn(self._speaker.backchannel(), "backchannel")
            case _:
                return False
        return True

    def _perform_reply(self, action: do.Action) -> bool:
        player, playout = self._player, self._output.playout
        match action:
            case do.PrepareReply(spec, voice_ended):
                player.prepare(spec, voice_ended)
            case do.Generate(spec):
                self._play(spec, self._generated(action))
            case do.Say(spec, texts):
                said = [as_said(text, self._variables) for text in texts]
                self._play(spec, as_clauses(self._clauses_of(said)), text=" ".join(said))
            case do.SayNotUnderstood(spec):
                excuse = self._options.prompts.not_understood
                self._play(spec, as_clauses([excuse]), text=excuse)
            case do.ConfirmReply(number, not_before):
                player.confirm(number, not_before=not_before)
            case do.DelayReply(number, not_before):
                player.delay(number, not_before=not_before)
            case do.WithdrawReply(number):
                self._stop_reply()
                player.withdraw(number)
            case do.CutReply():
                self._stop_reply()
                player.cut(action)
            case do.FinishReply(number, turn):
                player.finish(number, turn)
            case do.CommitCaller(number, turn):
                if player.commit_caller(number, turn):
                    self._recognition.commit()
            case do.HoldPlayout():
                playout.hold()
            case do.ResumePlayout():
                playout.resume()
                player.resumed()
            case do.PausePlayout():
                playout.pause()
            case do.UnpausePlayout():
                playout.unpause()
            case do.OpenLine():
                self._speaker.begin()
            case do.PlayComfortNoise():
                self._output.comfort()
            case do.Announced():
                self._announced.set()
            case _:
                return False
        return True

    def _perform_rest(self, action: do.Action) -> None:
        messages = self._surroundings.messages
        match action:
            case do.Tell("user-interrupted", reply):
                messages.send("user-interrupted", turnId=self._player.turn_id(reply))
            case do.Tell(kind):
                messages.send(kind)
            case do.Warn(event):
                self._log.warning(event)
            case do.HookFired(name):
                self._log.info("hook", action=name)
            case do.AddMessage(role, text):
                at = self._clock.seconds()
                self.history.add(Entry(_SIDES.get(role, "system"), as_written(text, self._variables), at, at))
            case do.UseTool(hook):
                self._tasks.spawn(self._use_tool(hook), "hook-tool")
            case do.TransferCaller(destination, is_template):
                self._tasks.spawn(self._transfer(destination, is_template=is_template), "transfer")
            case do.EndCall(ending):
                self._surroundings.control.end(ending)

    # -- hearing --------------------------------------------------------------------------------------------

    def _stop_detection(self) -> None:
        if self._detecting is not None and self._detecting is not asyncio.current_task():
            self._detecting.cancel()
        self._detecting = None

    async def _pause(self, turn: int) -> None:
        """Bring the core what there is to know of a pause: the words, then whether it sounds like an end. A fault of
        ours is logged; the turn is then ended by silence alone."""
        try:
            words = await self._recognition.words()
            self._player.transcribed(turn)
            now, asked, sure = self._clock.now(), self._asked(), self._recognition.confidence
            self._tell(lambda: self._core.recognised(turn, words, asked=asked, confidence=sure, now=now))
            server = self._assistant.endpointing_server
            told = await server.wait_seconds(words or "") if server is not None else None
            finished = await self._recognition.finished()
            now = self._clock.now()
            self._tell(lambda: self._core.end_judged(turn, finished=finished, told=told, now=now))
        except Exception:
            self._log.exception("weighing_failed")

    async def _overlap(self, turn: int) -> None:
        """Bring the core the words that were said over the reply."""
        try:
            words = await self._recognition.words()
            now = self._clock.now()
            self._tell(lambda: self._core.overlap_recognised(turn, words, now=now))
        except Exception:
            self._log.exception("weighing_failed")

    def _asked(self) -> str:
        """What the assistant said last."""
        return next((entry.text for entry in reversed(self.history.entries) if entry.role == "bot"), "")

    # -- speaking -------------------------------------------------------------------------------------------

    @staticmethod
    def _clauses_of(texts: Sequence[str]) -> list[str]:
        return [clause for text in texts for clause in ([text] if is_audio_url(text) else split_clauses(text))]

    def _play(self, spec: do.ReplySpec, clauses: AsyncGenerator[str, None], *, text: str | None = None) -> None:
        self._stop_reply()
        self._player.reply(spec)
        self._replying = self._tasks.spawn(self._played_to_its_end(spec, clauses, text), f"reply-{spec.turn}")

    def _stop_reply(self) -> None:
        if self._replying is not None and self._replying is not asyncio.current_task():
            self._replying.cancel()
        self._replying = None

    async def _played_to_its_end(
        self, spec: do.ReplySpec, clauses: AsyncGenerator[str, None], text: str | None
    ) -> None:
        """The edge of a reply: a fault of ours ends the turn and is logged."""
        try:
            outcome = await self._player.play(spec, clauses, text=text)
        except Exception:
            self._log.exception("reply_failed")
            self._tell(lambda: self._core.reply_failed(spec.number, now=self._clock.now()))
        else:
            self._tell(lambda: self._core.reply_done(spec.number, outcome, now=self._clock.now()))

    async def _generated(self, action: do.Generate) -> AsyncGenerator[str, None]:
        """What is to be said before the answer, and the answer."""
        spec, words = action.reply, action.words
        asked = as_written(words.text, self._variables) if words is not None else None
        if words is not None and asked is not None:
            self._player.answers(spec, asked, began=words.began, ended=words.ended)
        for clause in self._clauses_of([as_said(text, self._variables) for text in action.preface]):
            yield clause
        hint = [ChatMessage("system", as_written(prompt, self._variables)) for prompt in action.prompts]
        steps = self._assistant.generator.steps(asked, self._player.reply(spec), hint)
        async with aclosing(steps):
            async for step in steps:
                if isinstance(step, str):
                    yield step
                else:
                    await self._between_clauses(spec.number, step)

    async def _between_clauses(self, number: int, step: Step) -> None:
        match step:
            case CallsTools():
                self._tell(lambda: self._core.tools_called(number))
            case UntilHeard():
                await self._speaker.wait_until_played()

    # -- hooks and transfers --------------------------------------------------------------------------------

    def _hook_tools(self) -> HookTools:
        around = self._surroundings
        return HookTools(around.stored_tools, self._variables, around, call_id=self._options.call_id)

    async def _use_tool(self, hook: HookAction) -> None:
        for outcome in await self._hook_tools().run(hook, self._tasks):
            done = partial(
                self._core.tool_done,
                transfer=outcome.transfer,
                ends_call=outcome.ends_call,
                now=self._clock.now(),
            )
            self._tell(done)

    async def _transfer(self, destination: Destination, *, is_template: bool) -> None:
        if not self._core.takes_part:  # another transfer, or the end, was sooner
            return
        try:
            if is_template:
                destination = filled_destination(destination, self._variables.fill, self._variables.values)
            await self._surroundings.control.transfer(destination)
        except AddressRefused as fault:
            self._log.warning("destination_refused", reason=str(fault))
        except Exception:
            self._log.exception("transfer_crashed")

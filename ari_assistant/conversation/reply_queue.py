"""What the assistant says, one reply at a time: prepared unheard, confirmed, said, cut, written down."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any

from ari_assistant.audio.playout import Spoken
from ari_assistant.conversation.audio_output import AudioOutput
from ari_assistant.conversation.ending import END_PHRASE, Ending
from ari_assistant.conversation.interfaces import ServerMessages
from ari_assistant.conversation.recognition import NOT_UNDERSTOOD, Recognition
from ari_assistant.conversation.reply import Reply, ReplyGenerator, pieces
from ari_assistant.conversation.speaker import Speaker, texts
from ari_assistant.conversation.timings import Speculation, TurnTimes
from ari_assistant.conversation.transcript import Transcript
from ari_assistant.conversation.usage import Consumption
from ari_assistant.dialogue.history import Entry
from ari_assistant.providers.model import ChatMessage
from ari_assistant.telemetry import Private
from ari_assistant.turns.turn_taking import Command, TurnState, TurnTaking
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import new_id
from ari_assistant.vapi.destination import Destination

__all__ = ["ReplyQueue"]

_GOODBYE_SECONDS = 20.0
_MAX_FAILURES = 3
"""So many replies in a row may fail before the call is given up (`pipeline-error-…`)."""


class ReplyQueue:
    """Holds the one reply that is being prepared or said, and its task. Whoever begins another one, cuts or withdraws
    it cancels exactly that task."""

    def __init__(
        self,
        assistant: Assistant,
        *,
        line: AudioOutput,
        speaker: Speaker,
        listening: Recognition,
        turns: TurnTaking,
        minutes: Transcript,
        messages: ServerMessages,
        used: Consumption,
        not_understood: str,
        now: Callable[[], float],
        obey: Callable[[Iterable[Command]], None],
        finish: Callable[[Ending], None],
        end: Callable[[Ending], None],
        transfer: Callable[[Destination], Awaitable[None]],
        log: Any,
    ) -> None:
        """`obey` takes the turn-taking machine's commands. `finish(ending)` ends the call with its last words, `end` at
        once. What confirmed replies use goes on the bill `used`."""
        self._assistant = assistant
        self._line = line
        self._speaker = speaker
        self._listening = listening
        self._turns = turns
        self._minutes = minutes
        self._messages = messages
        self._used = used
        self._not_understood = not_understood
        self._now = now
        self._obey = obey
        self._finish = finish
        self._end = end
        self._transfer = transfer
        self._log = log
        self._writer: ReplyGenerator | None = None
        self._group: asyncio.TaskGroup | None = None
        self._started = now()
        self._task: asyncio.Task[None] | None = None
        self._numbers = itertools.count(1_000_000)
        """Of what is said without being an answer: no utterance has these numbers."""
        self._preface: list[str] = []
        """Said before the next answer."""
        self._bot_began = 0.0
        self.reply: Reply | None = None
        """What is being prepared or said."""
        self.utterance_began = 0.0
        """When the caller began to say what is answered next."""
        self.awaited_since: float | None = None
        """Since when the caller has been waiting for a reply that is not heard yet."""
        self.times: list[TurnTimes] = []
        self.speculation = Speculation()

    @property
    def protected(self) -> bool:
        """What is being prepared or said cannot be interrupted."""
        return self.reply is not None and self.reply.protected

    def run_in(self, group: asyncio.TaskGroup, writer: ReplyGenerator, *, started: float) -> None:
        """From now on replies can be given; `started` is when the call was answered."""
        self._group = group
        self._writer = writer
        self._started = started

    def close(self) -> None:
        """The conversation is over: what was heard of the last reply is written down."""
        self._group = None
        reply = self.reply
        self.cut()
        if reply is not None and reply.confirmed.is_set():
            self.commit_caller(reply)

    # -- beginning one --------------------------------------------------------------------------------------

    def prepare_answer(self, turn: int, voice_ended: float) -> None:
        """The turn may be over: write the answer, unheard until it is confirmed."""
        reply = Reply(turn, self._messages.send, turn_id=new_id())
        reply.times.voice_ended = voice_ended
        self.speculation.prepared += 1
        self._begin(reply, self._answer(reply))

    def confirm(self, turn: int) -> bool:
        """Turn `turn` is over: its answer may be heard. False: there is none, because it failed."""
        if self.reply is None or self.reply.turn != turn:
            return False
        self.awaited_since = self.reply.times.endpoint = self._now()
        self.reply.confirm()
        return True

    def answer(self, turn: int, words: str) -> None:
        """Answer words that were not spoken."""
        self.utterance_began = self._now()
        reply = self._confirmed(turn)
        self._begin(reply, self._answer_text(reply, words))

    def open(self, clauses: Sequence[str] | None, *, protected: bool) -> None:
        """The first message, or what the model says first (None)."""
        reply = Reply(
            0,
            self._messages.send,
            turn_id=new_id(),
            source="model" if clauses is None else "force-say",
            confirmed=True,
            protected=protected and clauses is not None,
        )
        self._begin(reply, self._answer_text(reply, None) if clauses is None else self._say_all(reply, clauses))

    def speak_by_prompt(self, prompts: Sequence[str]) -> None:
        """The model speaks, with these further instructions."""
        reply = self._confirmed(next(self._numbers))
        self._begin(reply, self._answer_text(reply, None, [ChatMessage("system", text) for text in prompts]))

    def say_soon(self, text: str, *, preface: bool) -> None:
        """Say `text` now; before the next answer when something is being said, or the caller speaks (`preface`)."""
        if preface or self.reply is not None:
            self._preface.append(text)
            return
        reply = self._own_words()
        self._begin(reply, self._say_all(reply, pieces(text)))

    async def say(self, text: str) -> None:
        """Say `text`, which cannot be interrupted, and return when it has been heard. Belongs to no task of ours."""
        before, self.reply = self.reply, self._own_words(protected=True)
        try:
            await self._say(self.reply, pieces(text))
        finally:
            self.reply = before

    def say_and_end(self, text: str, ending: Ending) -> None:
        """Say `text`, which cannot be interrupted, and end the call."""
        self.cut()
        reply = self._own_words(protected=True)
        self._begin(reply, self._last_words(reply, text, ending))

    def _confirmed(self, turn: int) -> Reply:
        return Reply(turn, self._messages.send, turn_id=new_id(), confirmed=True)

    def _own_words(self, *, protected: bool = False) -> Reply:
        """A reply that answers nothing."""
        return Reply(
            next(self._numbers), self._messages.send, source="force-say", confirmed=True, protected=protected
        )

    def _begin(self, reply: Reply, work: Coroutine[Any, Any, None]) -> None:
        if self._group is None:
            work.close()
            return
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self.reply = reply
        self._task = self._group.create_task(self._guarded(reply, work), name=f"reply-{reply.turn}")

    async def _guarded(self, reply: Reply, work: Coroutine[Any, Any, None]) -> None:
        """The edge of a reply: a fault of ours ends the turn and is logged."""
        try:
            await work
        except Exception:
            self._log.exception("reply_failed")
            await reply.confirmed.wait()
            self._obey(self._turns.reply_over(reply.turn, now=self._now()))
        if self.reply is reply:  # who cancels it looks after that
            self.reply = self._task = None
            self.awaited_since = None

    async def _answer(self, reply: Reply) -> None:
        """The reply to one utterance of the caller."""
        words = await self._listening.words()
        reply.times.transcribed = self._now()
        if words is NOT_UNDERSTOOD:
            await self._say(reply, [self._not_understood])
        elif words:
            await self._answer_text(reply, words)
        else:
            await reply.confirmed.wait()
            self._listening.forget()
            self._obey(self._turns.reply_over(reply.turn, now=self._now()))

    async def _answer_text(self, reply: Reply, words: str | None, hint: Sequence[ChatMessage] = ()) -> None:
        """Ask the model and say what it answers. `words` None: it opens the conversation, or a hook makes it speak."""
        if words is not None:
            began = self.utterance_began - self._started
            ended = (reply.times.voice_ended or self._now()) - self._started
            reply.words = Entry("user", words, max(0.0, began), max(0.0, ended))
        assert self._writer is not None
        preface, self._preface = self._preface, []
        try:
            spoken = await self._speak(
                reply, self._with_preface(preface, self._writer.clauses(words, reply, hint))
            )
        except asyncio.CancelledError:
            if not reply.confirmed.is_set():
                self._preface = preface
            raise
        self._log.info(
            "turn", turn=reply.turn, reply=Private(spoken.text if spoken else ""), **(reply.times.latency() or {})
        )
        if reply.transfer is not None:
            await self._transfer(reply.transfer)
        elif self._ends_by_phrase(reply.text):
            self._end(END_PHRASE)
        elif reply.ending is not None:
            self._finish(reply.ending)

    @staticmethod
    async def _with_preface(preface: list[str], clauses: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
        try:
            for text in preface:
                for clause in pieces(text):
                    yield clause
            async for clause in clauses:
                yield clause
        finally:
            await clauses.aclose()

    async def _say_all(self, reply: Reply, clauses: Sequence[str]) -> None:
        """Fixed words, which may end the call as an answer's do."""
        await self._say(reply, clauses)
        if self._ends_by_phrase(" ".join(clauses)):
            self._end(END_PHRASE)

    async def _say(self, reply: Reply, clauses: Sequence[str]) -> None:
        await self._speak(reply, texts(clauses))

    async def _speak(self, reply: Reply, clauses: AsyncGenerator[str, None]) -> Spoken | None:
        """Returns what was heard, when it has been; None when nothing was."""
        failed = await self._speaker.speak(reply, clauses)
        if failed is not None and reply.source == "model" and self._speaker.failures >= _MAX_FAILURES:
            reply.ending = Ending(failed)
        self._bill(reply)
        if self._line.playout.turn != reply.turn:  # nothing was said
            self.commit_caller(reply)
            self._obey(self._turns.reply_over(reply.turn, now=self._now()))
            return None
        spoken = self._line.playout.close()
        self._commit_bot(spoken, reply)
        self._obey(self._turns.reply_over(reply.turn, now=self._now()))
        return spoken

    def _bill(self, reply: Reply) -> None:
        used, reply.used = reply.used, Consumption()
        self._used.model += used.model
        self._used.voice_characters += used.voice_characters

    def began(self, turn: int, now: float) -> None:
        """The first frame of a reply has just been sent."""
        reply = self.reply
        if reply is None or reply.turn != turn:
            return
        reply.times.first_frame = now
        self.times.append(reply.times)
        self._bot_began = now
        self.awaited_since = None
        self.commit_caller(reply)
        self._minutes.assistant_speaks()
        self._turns.reply_heard(turn, now=now, protected=reply.protected)
        if self._turns.state is TurnState.SPEAKING:
            self._listening.forget()

    def cut(self) -> None:
        """Stop speaking at once; only what was heard goes into the history."""
        reply = self.reply
        if self._task is not None:
            if self._task is not asyncio.current_task():  # one that hands the caller over goes on with that
                self._task.cancel()
            self.reply = self._task = None
        spoken = self._line.playout.close()
        if reply is not None:
            if reply.confirmed.is_set():
                self._bill(reply)
            self._commit_bot(spoken, reply)

    def drop(self) -> None:
        """Something else takes the floor: what is being said is cut, what is being prepared for a caller who had not
        finished is withdrawn. What they had finished saying is written down."""
        reply = self.reply
        if reply is None or reply.confirmed.is_set():
            if reply is not None:
                self.commit_caller(reply)
            self.cut()
        else:
            self.withdraw()
        self.awaited_since = None

    def wait_anew(self) -> None:
        """What has been waited for until now does not count."""
        if self.awaited_since is not None:
            self.awaited_since = self._now()

    # -- taking it back -------------------------------------------------------------------------------------

    def withdraw(self) -> None:
        """The caller goes on: of what was prepared nothing has been heard, and nothing remains."""
        reply = self.reply
        if self._task is not None:
            self._task.cancel()
            self._task = self.reply = None
        if reply is not None and reply.source == "model" and reply.words is not None:
            self.speculation.discarded += 1
            self.speculation.discarded_tokens += reply.used.model.completion
            self.speculation.discarded_characters += reply.used.voice_characters
        self._line.playout.close()
        self.awaited_since = None

    def commit_caller(self, reply: Reply) -> None:
        """What the caller said goes into the history, once."""
        words, reply.words = reply.words, None
        if words is not None:
            self._listening.taken()
            self._minutes.caller_said(words)

    def commit_for_good(self) -> None:
        """A tool is called because of these words: what the caller says from now on is something new."""
        if self.reply is not None:
            self.commit_caller(self.reply)
        self._listening.forget()

    def _commit_bot(self, spoken: Spoken | None, reply: Reply) -> None:
        if spoken is None or spoken.samples == 0:
            return
        whole = reply.text.strip() if self._assistant.model_output_in_messages_enabled else None
        at, until = self._bot_began - self._started, self._now() - self._started
        self._minutes.assistant_said(spoken, at=at, until=until, whole=whole)

    def _ends_by_phrase(self, text: str) -> bool:
        said = text.lower()
        return any(phrase.lower() in said for phrase in self._assistant.end_call_phrases or ())

    async def _last_words(self, reply: Reply, text: str, ending: Ending) -> None:
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self._say(reply, pieces(text))
        except TimeoutError:
            self._log.warning("goodbye_timed_out")
        finally:
            self._end(ending)

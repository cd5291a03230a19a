"""Plays replies as the core numbers them: prepared unheard, confirmed, said, cut, written down."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from ari_assistant.audio.playout import Playout, Spoken
from ari_assistant.conversation.actions import CutReply, ReplySpec
from ari_assistant.conversation.core import ReplyOutcome
from ari_assistant.conversation.timings import Speculation, TurnTimes
from ari_assistant.conversation.usage import Consumption
from ari_assistant.dialogue.history import Entry
from ari_assistant.session.clock import CallClock
from ari_assistant.session.interfaces import ServerMessages
from ari_assistant.session.reply import Reply
from ari_assistant.session.speaker import Speaker
from ari_assistant.session.transcript import Transcript
from ari_assistant.telemetry import Private

__all__ = ["ReplyPlayer"]


class ReplyPlayer:
    """Keeps what replies have come to: their texts, times and costs. It decides nothing."""

    def __init__(
        self,
        speaker: Speaker,
        playout: Playout,
        transcript: Transcript,
        messages: ServerMessages,
        clock: CallClock,
        *,
        log: Any,
    ) -> None:
        self._speaker = speaker
        self._playout = playout
        self._transcript = transcript
        self._messages = messages
        self._clock = clock
        self._log = log
        self._live: dict[int, Reply] = {}
        self._began_at = 0.0
        """When the newest reply was first heard."""
        self.whole_texts = False
        """The history holds what the model wrote, not what was heard of it (`modelOutputInMessagesEnabled`)."""
        self.used = Consumption()
        """Of confirmed replies, and of what was heard."""
        self.times: list[TurnTimes] = []
        """Of the replies that were heard."""
        self.speculation = Speculation()

    def reply(self, spec: ReplySpec) -> Reply:
        """The reply that is meant; made when it is new."""
        known = self._live.get(spec.number)
        if known is None:
            known = self._live[spec.number] = Reply(
                spec.number,
                spec.turn,
                self._messages,
                source=spec.source,
                confirmed=spec.confirmed,
            )
            known.not_before = spec.not_before
        return known

    def turn_id(self, number: int | None) -> str | None:
        """What server messages call the reply, if they do."""
        known = self._live.get(number) if number is not None else None
        return (known.turn_id or None) if known is not None else None

    def prepare(self, spec: ReplySpec, voice_ended: float) -> None:
        """A reply to a turn that may be over begins, unheard."""
        self.reply(spec).times.voice_ended = voice_ended
        self.speculation.prepared += 1

    def transcribed(self, turn: int) -> None:
        """The words of the turn are there."""
        for reply in self._live.values():
            if reply.turn == turn:
                reply.times.transcribed = self._clock.now()

    def answers(self, spec: ReplySpec, words: str, *, began: float, ended: float) -> None:
        """The reply answers these words. Times by the conversation's clock, in seconds."""
        start = self._clock.answered_at
        self.reply(spec).words = Entry("user", words, max(0.0, began - start), max(0.0, ended - start))

    async def play(
        self, spec: ReplySpec, clauses: AsyncGenerator[str, None], *, text: str | None = None
    ) -> ReplyOutcome:
        """Say the clauses as they come; returns when they have been heard. `text` is the whole of them, where it is
        known before. A provider's fault is told to the caller; other exceptions go through."""
        reply = self.reply(spec)
        failed = await self._speaker.speak(reply, clauses)
        written = reply.text if text is None else text
        return ReplyOutcome(
            text=written,
            ending=reply.ending,
            transfer=reply.transfer,
            failed=failed,
            failures=self._speaker.failures,
        )

    def confirm(self, number: int, *, not_before: float) -> None:
        """What was prepared may be heard."""
        reply = self._live.get(number)
        if reply is not None:
            reply.times.endpoint = self._clock.now()
            reply.confirm(not_before=not_before)

    def delay(self, number: int, *, not_before: float) -> None:
        """If no sound of it has been made yet, it is not to be heard sooner."""
        reply = self._live.get(number)
        if reply is not None:
            reply.not_before = not_before

    def first_frame(self, turn: int, now: float) -> int | None:
        """The first frame of the reply of `turn` was sent. Returns its number."""
        reply = next((reply for reply in self._live.values() if reply.turn == turn), None)
        if reply is None:
            return None
        reply.times.first_frame = now
        self.times.append(reply.times)
        self._began_at = now
        return reply.number

    def resumed(self) -> None:
        """The newest reply was held for nothing."""
        for times in self.times[-1:]:
            times.resumed += 1

    def commit_caller(self, number: int, turn: int) -> bool:
        """What the caller said goes into the history, once; True if it has now."""
        reply = self._live.get(number)
        if reply is None or reply.words is None:
            return False
        words, reply.words = reply.words, None
        self._transcript.caller_said(words, turn=turn)
        return True

    def cut(self, action: CutReply) -> None:
        """Fall silent; only what was heard goes into the history."""
        for times in self.times[-1:] if action.interrupted else ():
            times.interrupted, times.cut_in = True, action.cuts_in
        self._close(action.number, action.turn)

    def finish(self, number: int, turn: int) -> None:
        """It was heard to its end, or came to nothing."""
        reply = self._live.get(number)
        spoken = self._close(number, turn)
        if reply is not None and reply.source == "model" and (reply.text or spoken is not None):
            said = Private(spoken.text if spoken is not None else "")
            self._log.info("turn", turn=reply.turn, reply=said, **(reply.times.latency() or {}))

    def withdraw(self, number: int) -> None:
        """Of what was prepared nothing has been heard, and nothing remains."""
        reply = self._live.pop(number, None)
        if reply is not None and reply.source == "model" and reply.words is not None:
            self.speculation.discarded += 1
            self.speculation.discarded_tokens += reply.used.model.completion
            self.speculation.discarded_characters += reply.used.voice_characters
        self._playout.close()

    def _close(self, number: int, turn: int) -> Spoken | None:
        reply = self._live.pop(number, None)
        spoken = self._playout.close()
        if reply is None:
            return None
        if reply.confirmed.is_set():
            self.used.model += reply.used.model
            self.used.voice_characters += reply.used.voice_characters
        if spoken is None or spoken.samples == 0:
            return None
        whole = reply.text.strip() if self.whole_texts else None
        at, until = self._began_at - self._clock.answered_at, self._clock.seconds()
        self._transcript.assistant_said(spoken, turn=turn, at=at, until=until, whole=whole)
        return spoken

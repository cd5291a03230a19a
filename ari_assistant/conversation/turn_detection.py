"""Gathers the evidence of a pause: the words, the melody, the answer of the assistant's own endpointing server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from ari_assistant.assistants.plans import endpointing_plan, endpointing_server, interruption_plan
from ari_assistant.conversation.interfaces import ServerMessages
from ari_assistant.conversation.recognition import NOT_UNDERSTOOD, Recognition
from ari_assistant.dialogue.history import History
from ari_assistant.dialogue.prompt import chat_messages
from ari_assistant.providers.model import ChatMessage
from ari_assistant.telemetry import Private
from ari_assistant.turns.completeness import Completeness, judge
from ari_assistant.turns.endpointing import Evidence, Waits, wait_seconds
from ari_assistant.turns.turn_taking import Command, TurnTaking
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.server import ServerFailed

__all__ = ["TurnDetection"]

_SERVER_SECONDS = 1.5


class TurnDetection:
    """Brings the turn-taking machine what it waits for: how long a pause must last, or whether speech over a reply
    interrupts it. One thing at a time; what is weighed anew replaces what was being weighed."""

    def __init__(
        self,
        assistant: Assistant,
        waits: Waits,
        *,
        turns: TurnTaking,
        listening: Recognition,
        messages: ServerMessages,
        history: Callable[[], History],
        system: Callable[[], list[ChatMessage]],
        obey: Callable[[Iterable[Command]], None],
        goes_on: Callable[[], None],
        now: Callable[[], float],
        spawn: Callable[[Coroutine[Any, Any, Any], str], asyncio.Task[Any]],
        log: Any,
    ) -> None:
        """`obey` takes the machine's commands; `goes_on` is called at a pause in the middle of what the caller says."""
        self._plan = endpointing_plan(assistant, waits)
        self._server = endpointing_server(assistant)
        self._interruption = interruption_plan(assistant)
        self._turns = turns
        self._listening = listening
        self._messages = messages
        self._history = history
        self._system = system
        self._obey = obey
        self._goes_on = goes_on
        self._now = now
        self._spawn = spawn
        self._log = log
        self._task: asyncio.Task[Any] | None = None

    def pause(self, turn: int, *, judged: bool) -> None:
        """The caller pauses in `turn`: has it ended? `judged`: its words have just been recognised for a verdict."""
        self._listening.recognise(afresh=not judged)
        self._begin(self._weigh(turn), f"weigh-{turn}")

    def overlap(self, turn: int) -> None:
        """The caller speaks over the reply, under the number `turn`: does it count?"""
        self._listening.recognise(afresh=True)
        self._begin(self._judge(turn), f"judge-{turn}")

    def stop(self) -> None:
        """There is nothing to be weighed any more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self.stop()
        self._task = self._spawn(self._guarded(work), name)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """A fault of ours is logged; the machine then decides by silence alone."""
        try:
            await work
        except Exception:
            self._log.exception("weighing_failed")

    async def _weigh(self, turn: int) -> None:
        words = await self._listening.words()
        words = "" if words is NOT_UNDERSTOOD else words
        asked = next((e.text for e in reversed(self._history().entries) if e.role == "bot"), "")
        told: float | None = None

        def expect(finished: float | None) -> None:
            wait = wait_seconds(self._plan, Evidence(words, finished, asked), told=told)
            self._obey(self._turns.expect(turn, wait, now=self._now()))

        if self._server is None:
            expect(None)
        else:
            told = await self._ask(words)
        finished = await self._listening.finished()
        expect(finished)
        if words and judge(words, asked=asked, language=self._plan.language) is Completeness.INCOMPLETE:
            self._goes_on()

    async def _ask(self, words: str) -> float | None:
        """`call.endpointing.request` (§10.1); None when there is no usable answer."""
        assert self._server is not None
        history = self._history()
        try:
            answer = await self._messages.ask(
                self._server,
                "call.endpointing.request",
                timeout_seconds=_SERVER_SECONDS,
                messages=history.messages(),
                messagesOpenAIFormatted=[m.wire() for m in chat_messages(self._system(), history, words)],
            )
        except ServerFailed as fault:
            self._log.warning("endpointing_server_failed", reason=str(fault), instead="our own")
            return None
        seconds = answer.get("timeoutSeconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= 15:
            self._log.warning(
                "endpointing_server_failed", reason=f"timeoutSeconds is {seconds!r}", instead="our own"
            )
            return None
        return float(seconds)

    async def _judge(self, turn: int) -> None:
        words = await self._listening.words()
        interrupts = words is not NOT_UNDERSTOOD and self._interruption.interrupts(words)
        self._log.info("overlap", turn=turn, text=Private(words.strip(NOT_UNDERSTOOD)), interrupts=interrupts)
        self._task = None  # what follows from the verdict may weigh again
        self._obey(self._turns.overlap(turn, interrupts, now=self._now()))

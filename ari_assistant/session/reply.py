"""One turn's answer: the model's text clause by clause, and the tools that it calls on the way.

A reply is written before it is certain that the caller has finished. Until it is confirmed nothing of it leaves the
call: messages to the user's server wait, tools and knowledge bases wait, and what it used is on its own bill.

The generator asks nothing of whoever says the reply. It yields steps: a clause to be said, that tools are about to
run, that it goes on when everything so far has been heard. Each step is done with when the next one is asked for.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from ari_assistant.assistants.plans import chunk_plan, metadata_fields
from ari_assistant.assistants.resolved import ResolvedAssistant
from ari_assistant.conversation.ending import AFTER_MESSAGE, ASSISTANT_ENDED, Ending
from ari_assistant.conversation.timings import TurnTimes
from ari_assistant.conversation.usage import Consumption
from ari_assistant.dialogue.clauses import SPOKEN_CHARACTERS, Clauses
from ari_assistant.dialogue.history import Entry, ToolsCalled, ToolsResult
from ari_assistant.dialogue.prompt import chat_messages, system_prompt
from ari_assistant.dialogue.template import fill_for_speech
from ari_assistant.dialogue.tools import Offered, arguments_of, delayed_messages, message_text
from ari_assistant.dialogue.variables import Variables
from ari_assistant.providers.model import ChatMessage, ModelRequest, TextDelta, ToolCall, Usage
from ari_assistant.session.clock import CallClock
from ari_assistant.session.interfaces import ServerMessages
from ari_assistant.session.knowledge import ask_knowledge_base
from ari_assistant.session.tasks import ConversationTasks
from ari_assistant.session.tool_outcome import Outcome
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject, new_id
from ari_assistant.vapi.destination import CustomMessage, Destination
from ari_assistant.vapi.model import CUSTOM_LLM
from ari_assistant.vapi.tool import ApiRequestTool, FunctionTool, ToolMessage

__all__ = ["CallsTools", "Reply", "ReplyGenerator", "Step", "Tools", "UntilHeard", "as_clauses", "split_clauses"]

log = get_logger("session.reply")

_MAX_ROUNDS: Final = 8
_GREETING: Final = 0
"""The turn of what is said first."""
_FILLER = "Just a sec."
_TRANSFERRING = "Transferring the call now."
_DEFAULT_MAX_TOKENS = 250


@dataclass(frozen=True, slots=True)
class CallsTools:
    """Tools are about to run because of the caller's words: these cannot be taken back any more."""


@dataclass(frozen=True, slots=True)
class UntilHeard:
    """Go on when everything so far has been heard."""


Step = str | CallsTools | UntilHeard
"""Of a reply that is being made: a clause to be said, or what must have happened before it goes on."""


class Reply:
    """Something that the assistant says: what it has come to so far."""

    def __init__(
        self,
        number: int,
        turn: int,
        messages: ServerMessages,
        *,
        source: str = "model",
        confirmed: bool = False,
    ) -> None:
        """`number` is this reply's alone. `turn` is the number of the caller's utterance, or any number that no
        utterance has. `source` is `model` or `force-say` (fixed words)."""
        self.number = number
        self.turn = turn
        self.turn_id = new_id() if source == "model" or turn == _GREETING else ""
        """In server messages (§7.4)."""
        self.source = source
        self.times = TurnTimes(turn)
        self.text = ""
        """What the model wrote so far."""
        self.words: Entry | None = None
        """What the caller said, until it is in the history."""
        self.ending: Ending | None = None
        """End the call when this has been heard."""
        self.transfer: Destination | None = None
        """Send the caller on when this has been heard."""
        self.used = Consumption()
        self.confirmed = asyncio.Event()
        self.not_before = float("-inf")
        """The earliest moment at which it may be heard, by the conversation's clock."""
        self._messages = messages
        self._waiting: list[tuple[str, JsonObject]] = []
        if confirmed:
            self.confirmed.set()

    def tell(self, kind: str, **fields: Any) -> None:
        """A server message of this reply: sent when the reply is confirmed."""
        if self.confirmed.is_set():
            self._messages.send(kind, **fields)
        else:
            self._waiting.append((kind, fields))

    def confirm(self, *, not_before: float) -> None:
        """The caller has finished: what was prepared counts, and may be heard from `not_before` on."""
        self.not_before = not_before
        self.confirmed.set()
        waiting, self._waiting = self._waiting, []
        for kind, fields in waiting:
            self._messages.send(kind, **fields)


def split_clauses(text: str) -> list[str]:
    """A whole text, cut into clauses."""
    clauses = Clauses()
    return clauses.push(text[:SPOKEN_CHARACTERS]) + clauses.finish()


async def as_clauses(clauses: Iterable[str]) -> AsyncGenerator[str, None]:
    """Fixed clauses, as a reply has them."""
    for clause in clauses:
        yield clause


@dataclass(slots=True)
class _Answer:
    """What the model answered once: text, and the tools that it calls."""

    said: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def messages(self) -> list[ChatMessage]:
        """As the model is told of it in the next round."""
        return [
            ChatMessage("assistant", self.said, tuple(self.calls)),
            *(ChatMessage("tool", outcome.result, tool_call_id=outcome.call.id) for outcome in self.outcomes),
        ]


class Tools(Protocol):
    """Uses tools as a model calls them. `tool_runner` implements it."""

    def tool(self, call: ToolCall) -> Offered | None:
        """The tool that is meant."""

    def message(self, call: ToolCall, kind: str) -> ToolMessage | None:
        """The sentence of a kind for this call."""

    async def run(self, calls: Sequence[ToolCall]) -> list[Outcome]:
        """Run them at the same time. The outcomes are in order."""


class ReplyGenerator:
    """Writes the replies of one assistant in one call."""

    def __init__(
        self,
        resolved: ResolvedAssistant,
        variables: Variables,
        messages: ServerMessages,
        tools: Tools,
        tasks: ConversationTasks,
        clock: CallClock,
    ) -> None:
        """`tasks` owns the tools that are running: they outlive a reply that is cut short, but not the call."""
        self._assistant = resolved.assistant
        self._model = resolved.model
        self._specs = [offered.spec for offered in resolved.tools.values()]
        self._chunks = chunk_plan(resolved.assistant)
        self._variables = variables
        self._messages = messages
        self._tools = tools
        self._tasks = tasks
        self._clock = clock

    async def steps(
        self, words: str | None, reply: Reply, hint: Sequence[ChatMessage] = ()
    ) -> AsyncGenerator[Step, None]:
        """The clauses to be said, and what must have happened between them. `words` are the caller's, None when the
        assistant speaks of its own accord; `hint` is what a hook adds. Raises ProviderError."""
        system = system_prompt(self._assistant, self._variables)
        asked = chat_messages(system, self._variables.history, words, hint)
        documents = await self._knowledge(asked, reply)
        if isinstance(documents, str):
            reply.text += documents
            for clause in split_clauses(documents):
                yield clause
            return
        asked += documents
        for _ in range(_MAX_ROUNDS):
            answer = _Answer()
            async with aclosing(self._ask(asked, reply, answer)) as clauses:
                async for clause in clauses:
                    yield clause
            if not answer.calls:
                return
            async with aclosing(self._use(answer, reply)) as steps:
                async for step in steps:
                    yield step
            asked += answer.messages()
            again = False
            for outcome in answer.outcomes:
                comment = self._comment(outcome, reply)
                if comment.role == "system":
                    asked.append(comment)
                elif comment.content:
                    reply.text += f" {comment.content}"
                    for clause in split_clauses(comment.content):
                        yield clause
                again |= comment.role == "system" or (not comment.content and not outcome.silent)
            if not again or reply.ending is not None or reply.transfer is not None:
                return
        log.warning("too_many_tool_rounds", limit=_MAX_ROUNDS)

    # -- asking the model -----------------------------------------------------------------------------------

    async def _ask(self, asked: Sequence[ChatMessage], reply: Reply, answer: _Answer) -> AsyncGenerator[str, None]:
        """One answer of the model: yields its clauses, and notes text and calls in `answer`."""
        clauses = Clauses(self._chunks)
        async with aclosing(self._model.reply(self._request(asked))) as events:
            async for event in events:
                match event:
                    case TextDelta(text):
                        text = text[: SPOKEN_CHARACTERS - len(answer.said)]
                        if not text:
                            log.warning("reply_too_long", limit=SPOKEN_CHARACTERS)
                            break
                        answer.said += text
                        reply.text += text
                        reply.tell("model-output", output=text, turnId=reply.turn_id)
                        for clause in clauses.push(text):
                            yield clause
                    case ToolCall():
                        answer.calls.append(event)
                        reply.tell("model-output", output=[event.wire()], turnId=reply.turn_id)
                    case Usage():
                        reply.used.model += event
        for clause in clauses.finish():
            yield clause

    def _request(self, messages: Sequence[ChatMessage]) -> ModelRequest:
        model = self._assistant.model
        return ModelRequest(
            messages=tuple(messages),
            temperature=model.temperature if model else None,
            max_tokens=(model.max_tokens if model else None) or _DEFAULT_MAX_TOKENS,
            tools=self._specs,
            extra=_extra(self._assistant, self._messages),
        )

    async def _knowledge(self, asked: Sequence[ChatMessage], reply: Reply) -> list[ChatMessage] | str:
        base = self._assistant.model.knowledge_base if self._assistant.model is not None else None
        if base is None or base.server is None or not base.server.url:
            return []
        await reply.confirmed.wait()
        return await ask_knowledge_base(base.server, self._messages, self._variables.history, asked)

    # -- using tools ----------------------------------------------------------------------------------------

    async def _use(self, answer: _Answer, reply: Reply) -> AsyncGenerator[Step, None]:
        """Run the tools; yields what is said before and meanwhile. They go on when the reply is cut short, and
        their results still reach the history."""
        await reply.confirmed.wait()
        yield CallsTools()
        self._variables.history.add(ToolsCalled(tuple(answer.calls), self._clock.seconds()))
        spoken, blocking = bool(reply.text.strip()), False
        for call in answer.calls:
            text, blocks = self._announcement(call, spoken=spoken)
            blocking |= blocks
            for clause in split_clauses(text):
                spoken = True
                yield clause
        if blocking:
            yield UntilHeard()
        running = self._tasks.spawn(self._run(answer.calls), f"tools-{answer.calls[0].id}")
        began = self._clock.now()
        for seconds, message in self._delayed(answer.calls):
            await asyncio.wait({running}, timeout=max(0.0, began + seconds - self._clock.now()))
            if running.done():
                break
            for clause in split_clauses(message):
                yield clause
        answer.outcomes += await asyncio.shield(running)

    async def _run(self, calls: Sequence[ToolCall]) -> list[Outcome]:
        outcomes = await self._tools.run(calls)
        for outcome in outcomes:
            self._variables.history.add(ToolsResult(outcome.call, outcome.result, self._clock.seconds()))
        return outcomes

    def _announcement(self, call: ToolCall, *, spoken: bool) -> tuple[str, bool]:
        """What is said before a tool runs, and whether the tool waits until it has been heard."""
        offered = self._tools.tool(call)
        if offered is None:
            return "", False
        message = self._tools.message(call, "request-start")
        if message is not None:
            return self._fill(message_text(message), call), bool(message.blocking)
        tool = offered.tool
        waits = isinstance(tool, ApiRequestTool) or (isinstance(tool, FunctionTool) and not tool.is_async)
        return (_FILLER if waits and not spoken else ""), False

    def _delayed(self, calls: Sequence[ToolCall]) -> list[tuple[float, str]]:
        found: list[tuple[float, str]] = []
        for call in calls:
            offered = self._tools.tool(call)
            if offered is not None:
                stages = delayed_messages(offered.tool.messages, arguments_of(call), random.choice)
                found += [(seconds, self._fill(message_text(message), call)) for seconds, message in stages]
        return sorted(found)

    def _comment(self, outcome: Outcome, reply: Reply) -> ChatMessage:
        """What is said about an outcome (`assistant`), or hinted to the model (`system`). Notes in `reply` what follows
        when it has been heard."""
        message = outcome.message
        if outcome.ends_call:
            reply.ending = ASSISTANT_ENDED
        if outcome.transfer is not None:
            reply.transfer = outcome.transfer
            if message is None:
                return ChatMessage("assistant", _destination_message(outcome.transfer))
        if message is None:
            return ChatMessage("assistant", "")
        if message.end_call_after_spoken_enabled:
            reply.ending = AFTER_MESSAGE
        return ChatMessage(message.role or "assistant", self._fill(message_text(message), outcome.call))

    def _fill(self, text: str, call: ToolCall) -> str:
        return fill_for_speech(self._variables.fill, text, arguments_of(call))


def _extra(assistant: Assistant, messages: ServerMessages) -> JsonObject:
    """The further keys of the model's request (contract §11)."""
    model = assistant.model
    if model is not None and model.provider == "openai":
        key = (model.model_extra or {}).get("promptCacheKey")
        return {"prompt_cache_key": key} if key else {}
    if model is None or model.provider != CUSTOM_LLM:
        return {}
    return metadata_fields(assistant, messages.common())


def _destination_message(destination: Destination) -> str:
    message = destination.message
    if message is None:
        return _TRANSFERRING
    if isinstance(message, CustomMessage):
        texts = [str(c.get("text") or "") for c in message.contents or ()]
        return message.content if message.content is not None else next(iter(texts), "")
    return message

"""One turn's answer: the model's text clause by clause, and the tools that it calls on the way.

A reply is written before it is certain that the caller has finished. Until it is confirmed nothing of it leaves the
call: messages to the user's server wait, tools and knowledge bases wait, and what it used is on its own bill.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any

from ari_assistant.conversation.ending import AFTER_MESSAGE, ASSISTANT_ENDED, Ending
from ari_assistant.conversation.interfaces import ServerMessages
from ari_assistant.conversation.timings import TurnTimes
from ari_assistant.conversation.tool_runner import Outcome, ToolRunner, arguments_of
from ari_assistant.conversation.usage import Consumption
from ari_assistant.dialogue.clauses import SPOKEN_CHARACTERS, ChunkPlan, Clauses
from ari_assistant.dialogue.history import Entry, History, ToolsCalled, ToolsResult
from ari_assistant.dialogue.prompt import chat_messages
from ari_assistant.dialogue.template import fill_for_speech
from ari_assistant.dialogue.tools import delayed_messages, message_text
from ari_assistant.providers.model import ChatMessage, Model, ModelRequest, TextDelta, ToolCall, ToolSpec, Usage
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.destination import CustomMessage, Destination
from ari_assistant.vapi.server import ServerFailed
from ari_assistant.vapi.tool import ApiRequestTool, FunctionTool

__all__ = ["Reply", "ReplyGenerator", "pieces"]

log = get_logger("conversation.reply")

_MAX_ROUNDS = 8
_FILLER = "Just a sec."
_TRANSFERRING = "Transferring the call now."
_DEFAULT_MAX_TOKENS = 250


class Reply:
    """Something that the assistant says: what it has come to so far."""

    def __init__(
        self,
        turn: int,
        tell: Callable[..., None],
        *,
        turn_id: str = "",
        source: str = "model",
        confirmed: bool = False,
        protected: bool = False,
    ) -> None:
        """`turn` is the number of the caller's utterance, or any number that no utterance has. `tell(kind, **fields)`
        sends a server message. A `protected` reply cannot be interrupted."""
        self.turn = turn
        self.turn_id = turn_id
        self.source = source
        self.protected = protected
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
        self._tell = tell
        self._waiting: list[tuple[str, JsonObject]] = []
        if confirmed:
            self.confirmed.set()

    def tell(self, kind: str, **fields: Any) -> None:
        """A server message of this reply: sent when the reply is confirmed."""
        if self.confirmed.is_set():
            self._tell(kind, **fields)
        else:
            self._waiting.append((kind, fields))

    def confirm(self) -> None:
        """The caller has finished: what was prepared counts."""
        self.confirmed.set()
        waiting, self._waiting = self._waiting, []
        for kind, fields in waiting:
            self._tell(kind, **fields)


def pieces(text: str) -> list[str]:
    """A whole text, cut into clauses."""
    clauses = Clauses()
    return clauses.push(text[:SPOKEN_CHARACTERS]) + clauses.finish()


class ReplyGenerator:
    """Writes the replies of one call."""

    def __init__(
        self,
        *,
        assistant: Assistant,
        model: Model,
        tools: Sequence[ToolSpec],
        chunks: ChunkPlan,
        runner: ToolRunner,
        messages: ServerMessages,
        history: Callable[[], History],
        system: Callable[[], list[ChatMessage]],
        extra: Callable[[], JsonObject],
        now: Callable[[], float],
        commit_caller: Callable[[], None],
        all_heard: Callable[[], Awaitable[None]],
        spawn: Callable[[Coroutine[Any, Any, Any], str], asyncio.Task[Any]],
    ) -> None:
        """`now()` is in seconds since the answer. `commit_caller` puts the caller's words into the history: from
        then on they cannot be taken back. `all_heard` waits until nothing waits to be played. `extra()` are the
        further keys of the model's request."""
        self._assistant = assistant
        self._model = model
        self._tools = tools
        self._chunks = chunks
        self._runner = runner
        self._messages = messages
        self._history = history
        self._system = system
        self._extra = extra
        self._now = now
        self._commit_caller = commit_caller
        self._all_heard = all_heard
        self._spawn = spawn

    async def clauses(
        self, words: str | None, reply: Reply, hint: Sequence[ChatMessage] = ()
    ) -> AsyncGenerator[str, None]:
        """The clauses to be said. `words` are the caller's, None when the assistant opens the conversation; `hint` is
        what a hook adds. Raises ProviderError."""
        base = chat_messages(self._system(), self._history(), words, hint)
        documents = await self._knowledge(base, reply)
        if isinstance(documents, str):
            reply.text += documents
            for clause in pieces(documents):
                yield clause
            return
        further: list[ChatMessage] = list(documents)
        for _ in range(_MAX_ROUNDS):
            calls: list[ToolCall] = []
            said = ""
            clauses = Clauses(self._chunks)
            async with aclosing(self._model.reply(self._request([*base, *further]))) as events:
                async for event in events:
                    match event:
                        case TextDelta(text):
                            text = text[: SPOKEN_CHARACTERS - len(said)]
                            if not text:
                                log.warning("reply_too_long", limit=SPOKEN_CHARACTERS)
                                break
                            said += text
                            reply.text += text
                            reply.tell("model-output", output=text, turnId=reply.turn_id)
                            for clause in clauses.push(text):
                                yield clause
                        case ToolCall():
                            calls.append(event)
                            reply.tell("model-output", output=[event.wire()], turnId=reply.turn_id)
                        case Usage():
                            reply.used.model += event
            for clause in clauses.finish():
                yield clause
            if not calls:
                return
            outcomes: list[Outcome] = []
            async with aclosing(self._use(calls, reply, outcomes, spoken=bool(reply.text.strip()))) as sentences:
                async for clause in sentences:
                    yield clause
            further += [
                ChatMessage("assistant", said, tuple(calls)),
                *(ChatMessage("tool", outcome.result, tool_call_id=outcome.call.id) for outcome in outcomes),
            ]
            again = False
            for outcome in outcomes:
                text, role = self._after(outcome, reply)
                if role == "system":
                    further.append(ChatMessage("system", text))
                elif text:
                    reply.text += f" {text}"
                    for clause in pieces(text):
                        yield clause
                again |= role == "system" or (not text and not outcome.silent)
            if not again or reply.ending is not None or reply.transfer is not None:
                return
        log.warning("too_many_tool_rounds", limit=_MAX_ROUNDS)

    def _request(self, messages: Sequence[ChatMessage]) -> ModelRequest:
        model = self._assistant.model
        return ModelRequest(
            messages=messages,
            temperature=model.temperature if model else None,
            max_tokens=(model.max_tokens if model else None) or _DEFAULT_MAX_TOKENS,
            tools=self._tools,
            extra=self._extra(),
        )

    async def _use(
        self, calls: Sequence[ToolCall], reply: Reply, outcomes: list[Outcome], *, spoken: bool
    ) -> AsyncGenerator[str, None]:
        """Run the tools; yields what is said before and meanwhile. They go on when the reply is cut short, and
        their results still reach the history."""
        await reply.confirmed.wait()
        self._commit_caller()
        history = self._history()
        history.add(ToolsCalled(tuple(calls), self._now()))
        blocking = False
        for call in calls:
            text, blocks = self._start(call, spoken=spoken)
            blocking |= blocks
            for clause in pieces(text):
                spoken = True
                yield clause
        if blocking:
            await self._all_heard()
        running = self._spawn(self._run(calls, history), f"tools-{calls[0].id}")
        began = self._now()
        for seconds, message in self._delayed(calls):
            await asyncio.wait({running}, timeout=max(0.0, began + seconds - self._now()))
            if running.done():
                break
            for clause in pieces(message):
                yield clause
        outcomes += await asyncio.shield(running)

    async def _run(self, calls: Sequence[ToolCall], history: History) -> list[Outcome]:
        outcomes = await self._runner.run(calls)
        for outcome in outcomes:
            history.add(ToolsResult(outcome.call, outcome.result, self._now()))
        return outcomes

    def _start(self, call: ToolCall, *, spoken: bool) -> tuple[str, bool]:
        """What is said before a tool runs, and whether the tool waits until it has been heard."""
        offered = self._runner.tool(call)
        if offered is None:
            return "", False
        message = self._runner.message(call, "request-start")
        if message is not None:
            return self._fill(message_text(message), call), bool(message.blocking)
        tool = offered.tool
        waits = isinstance(tool, ApiRequestTool) or (isinstance(tool, FunctionTool) and not tool.is_async)
        return (_FILLER if waits and not spoken else ""), False

    def _delayed(self, calls: Sequence[ToolCall]) -> list[tuple[float, str]]:
        found: list[tuple[float, str]] = []
        for call in calls:
            offered = self._runner.tool(call)
            if offered is not None:
                stages = delayed_messages(offered.tool.messages, arguments_of(call), random.choice)
                found += [(seconds, self._fill(message_text(message), call)) for seconds, message in stages]
        return sorted(found)

    def _after(self, outcome: Outcome, reply: Reply) -> tuple[str, str]:
        """What is said about an outcome, and as whom: `assistant` or `system`."""
        message = outcome.message
        if outcome.ends_call:
            reply.ending = ASSISTANT_ENDED
        if outcome.transfer is not None:
            reply.transfer = outcome.transfer
            if message is None:
                return _destination_message(outcome.transfer), "assistant"
        if message is None:
            return "", "assistant"
        if message.end_call_after_spoken_enabled:
            reply.ending = AFTER_MESSAGE
        return self._fill(message_text(message), outcome.call), message.role or "assistant"

    def _fill(self, text: str, call: ToolCall) -> str:
        return fill_for_speech(self._runner.fill, text, arguments_of(call))

    async def _knowledge(self, messages: Sequence[ChatMessage], reply: Reply) -> list[ChatMessage] | str:
        """What a custom knowledge base has to say (§7.7): documents as a system message, or a sentence to speak
        instead of the model's."""
        base = self._assistant.model.knowledge_base if self._assistant.model is not None else None
        if base is None or base.server is None or not base.server.url:
            return []
        await reply.confirmed.wait()
        try:
            answer = await self._messages.ask(
                base.server,
                "knowledge-base-request",
                messages=self._history().messages(),
                messagesOpenAIFormatted=[message.wire() for message in messages],
            )
        except ServerFailed as fault:
            log.warning("knowledge_base_failed", reason=str(fault))
            return []
        message = answer.get("message")
        if isinstance(message, dict) and isinstance(message.get("content"), str):
            return str(message["content"])
        documents = answer.get("documents")
        texts = (
            [str(d.get("content")) for d in documents if isinstance(d, dict)]
            if isinstance(documents, list)
            else []
        )
        return [ChatMessage("system", "Documents:\n\n" + "\n\n".join(texts))] if texts else []


def _destination_message(destination: Destination) -> str:
    message = destination.message
    if message is None:
        return _TRANSFERRING
    if isinstance(message, CustomMessage):
        texts = [str(c.get("text") or "") for c in message.contents or ()]
        return message.content if message.content is not None else next(iter(texts), "")
    return message

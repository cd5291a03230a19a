"""`ari-assistant chat`: talk to an assistant by typing, without a telephone, without speech."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ari_assistant.assistants.model_providers import ModelChoice
from ari_assistant.assistants.provider_access import access_for
from ari_assistant.assistants.resolved import ResolvedAssistant
from ari_assistant.assistants.resolver import tools_for
from ari_assistant.audio.frame import SAMPLE_RATE, Pcm
from ari_assistant.config.assistants_file import ORG_ID, load_assistants_file, shipped_assistants_file
from ari_assistant.config.ports import make_data_dir
from ari_assistant.config.providers import chat_endpoint, provider_access
from ari_assistant.config.settings import Settings
from ari_assistant.conversation.actions import (
    Action,
    CommitCaller,
    EndCall,
    FinishReply,
    Generate,
    ReplySpec,
    Say,
    Text,
    TransferCaller,
)
from ari_assistant.conversation.core import ConversationCore, ReplyOutcome
from ari_assistant.conversation.ending import Ending
from ari_assistant.conversation.policy import conversation_policy
from ari_assistant.dialogue.history import Entry, History
from ari_assistant.dialogue.template import builtin_variables
from ari_assistant.dialogue.tools import Offered
from ari_assistant.dialogue.variables import Variables
from ari_assistant.fault import Fault
from ari_assistant.providers.errors import ProviderError
from ari_assistant.providers.model import ChatMessage, ToolCall
from ari_assistant.session.clock import CallClock
from ari_assistant.session.greeting import first_message, greeting
from ari_assistant.session.interfaces import CallControl, Requests, ServerMessages
from ari_assistant.session.reply import CallsTools, Reply, ReplyGenerator
from ari_assistant.session.tasks import ConversationTasks
from ari_assistant.session.tool_outcome import Outcome
from ari_assistant.session.tool_runner import ToolRunner
from ari_assistant.session.wording import as_said, as_written
from ari_assistant.store.catalogue import Catalogue, file_id
from ari_assistant.store.database import migrate, open_database
from ari_assistant.store.repositories import Listing, Resource
from ari_assistant.telemetry import get_logger
from ari_assistant.turns.endpointing import Waits
from ari_assistant.turns.turn_taking import TurnOptions
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.server import Server, ServerFailed
from ari_assistant.vapi.tool import ToolMessage
from ari_assistant.webhooks.url_policy import UrlPolicy

__all__ = ["ChatFault", "chat"]

log = get_logger("chat")


class ChatFault(Fault):
    """The chat cannot begin; the text says what to do."""


async def chat(
    settings: Settings,
    name: str,
    *,
    variables: Mapping[str, str],
    lines: Iterable[str],
    show: Callable[[str, str], None],
    ask: Callable[[str], str],
) -> None:
    """Talk to the assistant with this id or name, of the assistants file or the database, until `lines` end or it hangs
    up.

    `show(who, text)` prints; `who` is `assistant`, `tool` or `note`. `ask(question)` asks for the result of a tool:
    nothing outside is called from here. Raises ChatFault.
    """
    path = settings.assistants_file or shipped_assistants_file()
    file = load_assistants_file(path, org_id=ORG_ID) if path.is_file() else None
    make_data_dir(settings.data_dir)
    await migrate(settings.database)
    engine = open_database(settings.database)
    catalogue = Catalogue(
        engine,
        org_id=ORG_ID,
        file_assistants=file.assistants if file is not None else (),
        file_numbers=file.phone_numbers if file is not None else (),
    )
    models = ModelChoice(chat_endpoint(settings), UrlPolicy(strict=False, is_this_machine=lambda host: False))
    try:
        assistant = Assistant.model_validate((await _find(catalogue, name)).document)
        access = await access_for(assistant, catalogue, provider_access(settings))
        values = {**builtin_variables(datetime.now(UTC)), **(assistant.variable_values or {}), **variables}
        given = Variables(values, History(), log=log)
        model = models.choose(assistant, given.fill, access)
        tools = await tools_for(model, assistant, catalogue)
        nothing = _NoSound()
        resolved = ResolvedAssistant(assistant, model, None, nothing, nothing, None, tools)
        show("note", f"{model.name}; an empty line or Ctrl-D ends the chat")
        await _Chat(resolved, given, _Terminal(show, ask)).hold(lines)
    finally:
        await models.aclose()
        await engine.dispose()


async def _find(catalogue: Catalogue, name: str) -> Resource:
    known = await catalogue.assistants.list(Listing(limit=1000))
    numbers = await catalogue.phone_numbers.list(Listing(limit=1000))
    dialled = {number.document.get("assistantId") for number in numbers if _is_dialled_as(number, name)}
    wanted = {name, file_id("assistant", name), *dialled}
    for resource in known:
        if resource.id in wanted or resource.document.get("name") == name:
            return resource
    names = ", ".join(str(r.document.get("name") or r.id) for r in known) or "none"
    raise ChatFault(f"there is no assistant {name!r}; known are: {names}")


def _is_dialled_as(number: Resource, name: str) -> bool:
    return str(number.document.get("sipUri", "")).lower().startswith(f"sip:{name.lower()}@")


@dataclass(frozen=True, slots=True)
class _Terminal:
    """Where the chat is held: `show(who, text)` prints, `ask(question)` waits for a line."""

    show: Callable[[str, str], None]
    ask: Callable[[str], str]


class _Outside:
    """Whatever a conversation reaches outside of itself: nothing of it leaves this program, answers are typed."""

    server = Server(url="typed:")
    """Functions without a server of their own are asked, too."""

    def __init__(self, terminal: _Terminal) -> None:
        self._terminal = terminal

    @property
    def messages(self) -> ServerMessages:
        """See `ToolSurroundings`."""
        return self

    @property
    def control(self) -> CallControl:
        """See `ToolSurroundings`."""
        return self

    @property
    def requests(self) -> Requests:
        """See `ToolSurroundings`."""
        return self

    def wants(self, kind: str) -> bool:
        """No messages."""
        return False

    def send(self, kind: str, **fields: Any) -> None:
        """Nobody gets it."""

    def send_transcript(self, role: str, text: str, *, final: bool) -> None:
        """Nobody gets it."""

    def common(self) -> JsonObject:
        """There is no call."""
        return {}

    async def ask(
        self, server: Server, kind: str, *, timeout_seconds: float | None = None, **fields: Any
    ) -> JsonObject:
        """What a tool brings, or where a caller goes, is typed."""
        match kind:
            case "tool-calls":
                calls = fields["toolCallList"]
                return {"results": [{"toolCallId": c["id"], "result": self._result(c["name"])} for c in calls]}
            case "function-call":
                return {"result": self._result(fields["functionCall"]["name"])}
            case "transfer-destination-request":
                uri = self._terminal.ask("SIP URI to hand over to")
                return {"destination": {"type": "sip", "sipUri": uri}}
        raise ServerFailed(f"a chat sends no {kind}")

    def _result(self, name: str) -> str | None:
        return self._terminal.ask(f"result of {name}") or None

    async def request(
        self, server: Server, method: str, body: JsonObject | None, *, call_id: str
    ) -> tuple[int, str]:
        """The answer is typed."""
        return 200, self._terminal.ask(f"answer of {method} {server.url}")

    async def download(self, url: str) -> bytes:
        """A chat has no sound."""
        raise ServerFailed("a chat downloads nothing")

    async def press(self, digits: str) -> None:
        """There is no telephone."""
        self._terminal.show("note", f"the keys {digits} would be pressed here")

    async def transfer(self, destination: Destination) -> None:
        """There is nobody to send on."""
        self._terminal.show("note", "… be handed over here")

    def end(self, ending: Ending) -> None:
        """There is no call."""
        self._terminal.show("note", "the call would end here")


class _ShownTools:
    """A conversation's tools, whose calls are shown."""

    def __init__(self, runner: ToolRunner, terminal: _Terminal) -> None:
        self._runner = runner
        self._terminal = terminal

    def tool(self, call: ToolCall) -> Offered | None:
        """See `reply.Tools`."""
        return self._runner.tool(call)

    def message(self, call: ToolCall, kind: str) -> ToolMessage | None:
        """See `reply.Tools`."""
        return self._runner.message(call, kind)

    async def run(self, calls: Sequence[ToolCall]) -> list[Outcome]:
        """See `reply.Tools`."""
        for call in calls:
            self._terminal.show("tool", f"{call.name}({call.arguments})")
        return await self._runner.run(calls)


class _Chat:
    """The conversation's own core and generator in a shell without sound: what is written is heard at once. What only
    time or a voice can bring (pauses, interruptions, silence, tools that are late) does not happen here."""

    def __init__(self, resolved: ResolvedAssistant, variables: Variables, terminal: _Terminal) -> None:
        policy = conversation_policy(resolved.assistant, TurnOptions(), Waits())
        for fault in policy.unreadable:
            log.warning(fault.event, **fault.fields)
        self._assistant = resolved.assistant
        self._variables = variables
        self._terminal = terminal
        self._outside = outside = _Outside(terminal)
        self._tasks = ConversationTasks()
        self._clock = CallClock()
        self._core = ConversationCore(policy, now=self._clock.now())
        runner = ToolRunner(resolved.tools, variables, outside, self._tasks, call_id="chat")
        tools = _ShownTools(runner, terminal)
        self._generator = ReplyGenerator(resolved, variables, outside, tools, self._tasks, self._clock)
        self._failures = 0
        self._replies: dict[int, Reply] = {}
        self._due: deque[Coroutine[Any, Any, None]] = deque()
        """Replies that wait until all that was decided with them is done."""
        self._over = False

    async def hold(self, lines: Iterable[str]) -> None:
        """Until `lines` end, one is empty, or the assistant ends it."""
        async with self._tasks:
            for decided in self._events(lines):
                await self._perform(decided)
                if self._over:
                    return

    def _events(self, lines: Iterable[str]) -> Iterator[list[Action]]:
        first = first_message(self._assistant, self._variables, log=log)
        yield self._core.answered(greeting(self._assistant, first), now=self._clock.now())
        for line in lines:
            if not line.strip():
                return
            text = Text((line.strip(),), is_template=False)
            yield self._core.caller_wrote(text, now=self._clock.now())

    async def _perform(self, actions: Iterable[Action]) -> None:
        """Do all that the core has decided, then say what is to be said, and so on until it has nothing to add."""
        for action in actions:
            match action:
                case Say():
                    self._due.append(self._say(action))
                case Generate():
                    self._due.append(self._answer(action))
                case CommitCaller(number):
                    reply = self._replies[number]
                    if reply.words is not None:
                        self._variables.history.add(reply.words)
                        reply.words = None
                case FinishReply(number):
                    at = self._clock.seconds()
                    self._variables.history.add(Entry("bot", self._replies.pop(number).text.strip(), at, at))
                case TransferCaller(destination):
                    self._over = True
                    await self._outside.transfer(destination)
                case EndCall(ending):
                    self._over = True
                    self._outside.end(ending)
        while self._due:
            await self._due.popleft()

    def _begin(self, spec: ReplySpec) -> Reply:
        reply = Reply(spec.number, spec.turn, self._outside, source=spec.source, confirmed=spec.confirmed)
        self._replies[spec.number] = reply
        return reply

    async def _say(self, action: Say) -> None:
        reply = self._begin(action.reply)
        reply.text = " ".join(as_said(text, self._variables) for text in action.texts)
        self._show(reply.text)
        await self._done(reply)

    async def _answer(self, action: Generate) -> None:
        reply = self._begin(action.reply)
        asked = as_written(action.words.text, self._variables) if action.words is not None else None
        if asked is not None:
            at = self._clock.seconds()
            reply.words = Entry("user", asked, at, at)
        for text in action.preface:
            self._show(as_said(text, self._variables))
        hint = [ChatMessage("system", as_written(prompt, self._variables)) for prompt in action.prompts]
        failed: str | None = None
        shown = 0
        try:
            async with aclosing(self._generator.steps(asked, reply, hint)) as steps:
                async for step in steps:
                    if isinstance(step, CallsTools):
                        self._show(reply.text[shown:])
                        shown = len(reply.text)
                        await self._perform(self._core.tools_called(reply.number))
        except ProviderError as fault:
            self._terminal.show("note", f"the model failed: {fault}")
            failed = f"pipeline-error-{fault.provider}-llm-failed"
        self._show(reply.text[shown:])
        await self._done(reply, failed=failed)

    async def _done(self, reply: Reply, *, failed: str | None = None) -> None:
        self._failures = self._failures + 1 if failed is not None else 0
        outcome = ReplyOutcome(
            text=reply.text,
            ending=reply.ending,
            transfer=reply.transfer,
            failed=failed,
            failures=self._failures,
        )
        await self._perform(self._core.reply_done(reply.number, outcome, now=self._clock.now()))

    def _show(self, text: str) -> None:
        if text.strip():
            self._terminal.show("assistant", text.strip())


class _NoSound:
    """Stands where a call has a voice and a transcriber."""

    name = "none"

    def synthesize(self, text: str, *, rate: int = SAMPLE_RATE) -> AsyncGenerator[Pcm, None]:
        """See `Voice`."""
        raise NotImplementedError("a chat says nothing aloud")

    async def transcribe(self, pcm: Pcm, *, rate: int = SAMPLE_RATE) -> str:
        """See `Transcriber`."""
        raise NotImplementedError("a chat hears nothing")

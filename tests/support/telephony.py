"""A telephone call without Asterisk: an ARI that answers in memory, and stand-ins for what else a call needs.

The client, its channels and bridges are the real ones; only `request` is answered here, and events are told by the
test. Nothing in here waits for time to pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote

from ari_assistant.ari.client import AriClient, AriCredentials
from ari_assistant.ari.errors import AriRequestError
from ari_assistant.ari.events import AriEvent, StasisStart, parse_event
from ari_assistant.assistants.resolved import ResolvedAssistant
from ari_assistant.calls.admission import Admission
from ari_assistant.calls.media_transport import RtpTransport
from ari_assistant.calls.routing import NumberFound
from ari_assistant.calls.services import CallOptions, Services
from ari_assistant.conversation.ending import Ending
from ari_assistant.conversation.result import Conversation
from ari_assistant.conversation.timings import Speculation
from ari_assistant.conversation.usage import Consumption
from ari_assistant.data_directory import DataDirectory
from ari_assistant.dialogue.variables import Variables
from ari_assistant.reports.record import Installation
from ari_assistant.reports.recorded import CallRecords
from ari_assistant.session.interfaces import Surroundings
from ari_assistant.store.repositories import Resource
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.phone_number import phone_number_schema
from ari_assistant.webhooks.sender import WebhookCounters

__all__ = ["CALLER", "FakeAsterisk", "FakeSession", "Office", "invite_start", "resource"]

CALLER = "c1"
"""The id of the caller's channel."""


class FakeAsterisk(AriClient):
    """Requests that came in as `METHOD path`, faults by the same, and events to tell."""

    def __init__(self) -> None:
        super().__init__(AriCredentials("http://asterisk.invalid", "u", "p"), "app")
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.refuses: dict[str, int] = {}
        """`METHOD path` → HTTP status."""
        self.replies: dict[str, Any] = {}
        self.held: dict[str, asyncio.Event] = {}
        """`METHOD path` → what its answer waits for."""
        self._news = asyncio.Condition()

    async def request(self, method: str, path: str, json_body: Any = None, **parameters: str) -> Any:
        """Answered as the test says, else with success."""
        name = f"{method} {path}"
        self.requests.append((name, parameters))
        async with self._news:
            self._news.notify_all()
        if name in self.held:
            await self.held[name].wait()
        if name in self.refuses:
            raise AriRequestError.of(name, self.refuses[name], "refused")
        if path == "channels/externalMedia":
            self.tell("StasisStart", parameters["channelId"])
            return {"channelvars": {"UNICASTRTP_LOCAL_ADDRESS": "127.0.0.1", "UNICASTRTP_LOCAL_PORT": "4000"}}
        if path.startswith("bridges/") or method != "GET":
            return self.replies.get(name)
        return self.replies.get(name, [])

    @property
    def asked(self) -> list[str]:
        """The requests so far, without their parameters."""
        return [name for name, _ in self.requests]

    def parameters(self, name: str) -> dict[str, str]:
        """Of the last request of that name."""
        return next(given for asked, given in reversed(self.requests) if asked == name)

    async def wait_for(self, name: str, *, count: int = 1) -> None:
        """Until it has been asked so often."""
        async with self._news:
            await self._news.wait_for(lambda: self.asked.count(name) >= count)

    def tell(self, kind: str, channel_id: str = CALLER, *, state: str = "Ring", **more: Any) -> None:
        """An event of a channel."""
        channel = {"id": channel_id, "name": f"PJSIP/anonymous-{channel_id}", "state": state}
        self._dispatch(parse_event({"type": kind, "peer" if kind == "Dial" else "channel": channel, **more}))


class FakeSession:
    """A conversation that does what the test says; it remembers what was asked of it."""

    def __init__(
        self,
        resolved: ResolvedAssistant,
        variables: Variables,
        surroundings: Surroundings,
        options: Any,
        *,
        log: Any,
    ) -> None:
        self.resolved = resolved
        self.assistant = resolved.assistant
        self.variables = variables
        self.control = surroundings.control
        self.history = variables.history
        self.options = options
        self.used = Consumption()
        self.heard: list[Any] = []
        """What it was told, in order."""
        self.running = asyncio.Event()
        self.preparing = asyncio.Event()
        self.slow = False
        """Its first words take for ever to be made."""

    async def prepare(self) -> None:
        self.preparing.set()
        if self.slow:
            await asyncio.get_running_loop().create_future()

    async def run(self, stream: Any, *, started_ms: int) -> None:
        self.running.set()
        await asyncio.get_running_loop().create_future()

    def key(self, key: str) -> None:
        self.heard.append(("key", key))

    def hold(self, on_hold: bool) -> None:
        self.heard.append(("hold", on_hold))

    def step_aside(self) -> None:
        self.heard.append("step aside")

    def come_back(self) -> None:
        self.heard.append("come back")

    def media_left(self, ending: Ending) -> None:
        self.heard.append(("media left", ending))
        self.control.end(ending)

    def announce(self, text: str, ending: Ending) -> None:
        self.heard.append(("announce", text))
        self.control.end(ending)

    async def say(self, text: str) -> None:
        self.heard.append(("say", text))

    async def after_the_end(self, ending: Ending) -> None:
        self.heard.append(("after the end", ending.reason))

    def system(self) -> list[Any]:
        return []

    def openai_messages(self) -> list[JsonObject]:
        return []

    def conversation(self) -> Conversation:
        return Conversation(
            history=self.history,
            openai_messages=[],
            times=[],
            speculation=Speculation(),
            statistics={},
            used=self.used,
            provider_names={},
        )


class FakeStream:
    """Audio that nobody hears."""

    def __init__(self) -> None:
        self.closed = False

    async def aclose(self) -> None:
        self.closed = True


class FakeMedia:
    """A media process that opens streams, or cannot (`fault`)."""

    address = "127.0.0.1:5000"

    def __init__(self) -> None:
        self.streams: list[FakeStream] = []
        self.recordings: list[Path | None] = []
        self.fault: Exception | None = None

    async def open(self, codec: str, host: str, port: int, *, recording: Path | None) -> FakeStream:
        if self.fault is not None:
            raise self.fault
        self.recordings.append(recording)
        self.streams.append(FakeStream())
        return self.streams[-1]


class FakeSender:
    """A receiver of server messages. `answer` is what it says to a question."""

    def __init__(self) -> None:
        self.counters = WebhookCounters()
        self.delivered: list[JsonObject] = []
        self.answer: Callable[[JsonObject], Any] = lambda _: {}
        self.asked = asyncio.Event()

    async def deliver(self, server: Any, message: JsonObject, *, call_id: str) -> None:
        self.delivered.append(message["message"])

    async def post(self, server: Any, message: JsonObject, **_: Any) -> JsonObject:
        self.asked.set()
        answer = self.answer(message["message"])
        if isinstance(answer, Exception):
            raise answer
        return cast(JsonObject, await answer if asyncio.iscoroutine(answer) else answer)

    def of(self, kind: str) -> list[JsonObject]:
        """The messages of one type, in the order they came."""
        return [message for message in self.delivered if message["type"] == kind]


class FakeCalls:
    """Stored calls: each save in its order; `held` holds saves back."""

    def __init__(self) -> None:
        self.saved: list[JsonObject] = []
        self.held: asyncio.Event | None = None
        self.waiting = asyncio.Event()
        """A save is being held."""
        self.erased = False
        self.fault: Exception | None = None

    async def save(self, document: JsonObject, *, if_there: bool = False) -> bool:
        if self.held is not None:
            self.waiting.set()
            await self.held.wait()
        if self.fault is not None:
            raise self.fault
        if not (if_there and self.erased):
            self.saved.append(document)
        return True

    async def get(self, call_id: str) -> Resource | None:
        kept = [document for document in self.saved if document["id"] == call_id]
        return resource(call_id, kept[-1]) if kept and not self.erased else None


class Shelf:
    """Stored resources of one kind."""

    def __init__(self, found: Mapping[str, JsonObject]) -> None:
        self.found = dict(found)

    async def get(self, resource_id: str) -> Resource | None:
        return resource(resource_id, self.found[resource_id]) if resource_id in self.found else None


class Background:
    """Owns what outlives a call."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[Any]] = []

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        self.tasks.append(asyncio.create_task(work, name=name))

    async def done(self) -> None:
        """Wait until none is left."""
        while pending := [task for task in self.tasks if not task.done()]:
            await asyncio.gather(*pending)


class Office:
    """All that a call needs, with one number that `number` describes."""

    def __init__(self, folder: Path, number: JsonObject, **stored: Mapping[str, JsonObject]) -> None:
        """`stored`: kind (`assistants`, `squads`, `structured_outputs`) → id → document."""
        self.asterisk = FakeAsterisk()
        self.media = FakeMedia()
        self.sender = FakeSender()
        self.calls = FakeCalls()
        self.background = Background()
        self.admission = Admission()
        self.sessions: list[FakeSession] = []
        self.begun = asyncio.Event()
        """There is a session."""
        self.slow = False
        """Of all sessions."""
        self.number: JsonObject = {"provider": "vapi", "sipUri": "sip:desk@localhost", **number}
        self.known = True
        """The dialled number is."""
        kinds = ("assistants", "squads", "tools", "structured_outputs")
        shelves = {kind: Shelf(stored.get(kind, {})) for kind in kinds}
        catalogue = SimpleNamespace(**shelves, phone_numbers=Shelf({"n1": self.number}))
        self.services = Services(
            ari=self.asterisk,
            catalogue=cast(Any, catalogue),
            router=cast(Any, SimpleNamespace(find=self._find)),
            records=CallRecords(cast(Any, self.calls), cast(Any, self.sender), None, self.background),
            webhooks=cast(Any, self.sender),
            resolver=cast(Any, SimpleNamespace(resolve=self._resolve)),
            end_of_turn=None,
            transport=RtpTransport(self.asterisk, cast(Any, self.media)),
            admission=self.admission,
            hearing=cast(Any, None),
            options=CallOptions(Installation("o", "http://h"), DataDirectory(folder)),
            background=self.background,
            session=cast(Any, self._session),
        )

    async def _find(self, request_uri: str, *, source: str) -> NumberFound | None:
        if not self.known:
            return None
        return NumberFound(resource("n1", self.number), phone_number_schema.validate_python(self.number))

    async def _resolve(self, assistant: Any, **_: Any) -> ResolvedAssistant:
        nobody: Any = None
        return ResolvedAssistant(assistant, nobody, None, nobody, nobody, None, {})

    def _session(self, *given: Any, log: Any) -> FakeSession:
        session = FakeSession(*given, log=log)
        session.slow = self.slow
        self.sessions.append(session)
        self.begun.set()
        return session

    @property
    def stored(self) -> JsonObject:
        """The call as it was stored last."""
        return self.calls.saved[-1]

    async def over(self, serving: asyncio.Task[None]) -> JsonObject:
        """Wait for the end of a call and of what outlives it; returns the call as it is stored."""
        await serving
        await self.background.done()
        return self.stored


def resource(resource_id: str, document: JsonObject) -> Resource:
    """A stored resource."""
    return Resource(resource_id, "o", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z", document)


def invite_start(channel_id: str = CALLER, *, user: str = "desk", **headers: str) -> StasisStart:
    """How a caller enters the application; `headers` with `_` for `-`."""
    told = {"@uri": f"sip:{user}@localhost", "From": '"Ada" <sip:ada@example>', "Call-ID": "sip-1"}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    text = "&".join(f"{name}={quote(quote(value, safe=''), safe='')}" for name, value in told.items())
    channel = {"id": channel_id, "name": f"PJSIP/anonymous-{channel_id}", "state": "Ring"}
    event: AriEvent = parse_event({"type": "StasisStart", "args": ["1", text], "channel": channel})
    assert isinstance(event, StasisStart)
    return event

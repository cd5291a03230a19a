"""What a conversation needs of those around it, and nothing more: it knows no telephone, no database, no webhook."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from ari_assistant.conversation.ending import Ending
from ari_assistant.providers.end_of_turn import EndOfTurnModel
from ari_assistant.turns.voice_activity import VoiceActivity
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.server import Server

__all__ = [
    "CallControl",
    "Requests",
    "ServerMessages",
    "Stored",
    "StoredTools",
    "Surroundings",
    "TaskOwner",
    "ToolSurroundings",
]


class ServerMessages(Protocol):
    """Tells the user's server what happens in the call (contract §7). `reports.messages` implements it."""

    @property
    def server(self) -> Server | None:
        """Who gets messages, or None."""

    def wants(self, kind: str) -> bool:
        """Does anybody get messages of this type?"""

    def send(self, kind: str, **fields: Any) -> None:
        """Queue a message, if it is wanted. Returns at once."""

    def send_transcript(self, role: str, text: str, *, final: bool) -> None:
        """Queue a transcript under the type that was asked for (§7.3)."""

    async def ask(
        self, server: Server, kind: str, *, timeout_seconds: float | None = None, **fields: Any
    ) -> JsonObject:
        """Send a message whose answer is used. Raises ServerFailed."""

    def common(self) -> JsonObject:
        """What every message holds: `call`, `phoneNumber`, `customer`, `assistant`."""


class CallControl(Protocol):
    """What a conversation can do to the call that it is held in. `calls.call` implements it."""

    def end(self, ending: Ending) -> None:
        """The call is over; the first reason that is given counts. Returns at once."""

    async def transfer(self, destination: Destination) -> None:
        """Send the caller on. Returns when they are gone, or back."""

    async def press(self, digits: str) -> None:
        """Send DTMF to the caller. Raises whatever the telephone system does."""


class Requests(Protocol):
    """HTTP requests that an assistant's author asked for. `webhooks.sender` implements it."""

    async def request(
        self, server: Server, method: str, body: JsonObject | None, *, call_id: str
    ) -> tuple[int, str]:
        """Status and text of the answer. Raises ServerFailed."""

    async def download(self, url: str) -> bytes:
        """What is at `url`. Raises ServerFailed."""


class Stored(Protocol):
    """A resource of the API."""

    @property
    def document(self) -> JsonObject:
        """As it was posted."""


class StoredTools(Protocol):
    """The tools that were made by `POST /tool`. `store.catalogue` implements it."""

    async def get(self, resource_id: str, /) -> Stored | None:
        """The tool with this id, or None."""


class TaskOwner(Protocol):
    """Owns tasks: awaits them, and ends them with itself."""

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> object:
        """Begin a task."""


class ToolSurroundings(Protocol):
    """What tools reach."""

    @property
    def messages(self) -> ServerMessages:
        """The user's server."""

    @property
    def control(self) -> CallControl:
        """The call."""

    @property
    def requests(self) -> Requests:
        """Any other server."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a conversation is held in."""

    messages: ServerMessages
    control: CallControl
    requests: Requests
    stored_tools: StoredTools
    voice_activity: VoiceActivity
    end_of_turn: EndOfTurnModel | None
    """Hears from its sound whether a pause ends a turn; without it the words alone decide."""
    background: TaskOwner
    """For what outlives the conversation: the tools of `call.ending` hooks."""

"""What a call needs from the house, gathered by the composition root."""

from __future__ import annotations

from dataclasses import dataclass, field

from ari_assistant.ari.client import AriClient
from ari_assistant.assistants.resolved import AssistantResolver
from ari_assistant.calls.admission import Admission
from ari_assistant.calls.media_transport import MediaTransport, RtpTransport, SocketTransport
from ari_assistant.calls.routing import Router
from ari_assistant.data_directory import DataDirectory
from ari_assistant.media.process.client import MediaPlane
from ari_assistant.media.websocket.stream import MediaSockets
from ari_assistant.providers.end_of_turn import EndOfTurnModel
from ari_assistant.reports.record import Installation
from ari_assistant.reports.recorded import CallRecords
from ari_assistant.session.interfaces import TaskOwner
from ari_assistant.session.options import Prompts
from ari_assistant.session.session import Session
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.store.repositories import Calls
from ari_assistant.turns.endpointing import Waits
from ari_assistant.turns.turn_taking import TurnOptions
from ari_assistant.turns.voice_activity import VoiceActivity
from ari_assistant.vapi.server import Server
from ari_assistant.webhooks.sender import WebhookSender

__all__ = ["CallOptions", "Services"]


@dataclass(frozen=True, slots=True)
class CallOptions:
    """Settings that concern calls. Durations in seconds."""

    org_id: str
    data: DataDirectory
    """Where recordings and logs go."""
    public_url: str
    """The API's base URL, for the links to recordings."""
    org_server: Server | None = None
    """Where messages go when neither the assistant nor the number names a server."""
    assistant_request_seconds: float = 7.5
    turns: TurnOptions = field(default_factory=TurnOptions)
    waits: Waits = field(default_factory=Waits)
    prompts: Prompts = field(default_factory=Prompts)

    @property
    def installation(self) -> Installation:
        """Whose calls these are."""
        return Installation(self.org_id, self.public_url)


@dataclass(frozen=True, slots=True)
class Services:
    """The collaborators of every call."""

    ari: AriClient
    catalogue: Catalogue
    router: Router
    calls: Calls
    webhooks: WebhookSender
    resolver: AssistantResolver
    end_of_turn: EndOfTurnModel | None
    """Hears from its sound whether a pause ends a turn; without it the words alone decide."""
    media: MediaPlane
    sockets: MediaSockets | None
    """Carry the audio of calls where that is not RTP."""
    admission: Admission
    hearing: VoiceActivity
    options: CallOptions
    background: TaskOwner
    """For what outlives the call (the delivery of its last messages); the server's."""
    session: type[Session] = Session
    """Holds the conversation; a benchmark's stand-in otherwise."""

    @property
    def transport(self) -> MediaTransport:
        """What carries the audio of calls."""
        if self.sockets is not None:
            return SocketTransport(self.ari, self.sockets)
        return RtpTransport(self.ari, self.media)

    @property
    def records(self) -> CallRecords:
        """Where calls are recorded."""
        return CallRecords(self.calls, self.webhooks, self.options.org_server, self.background)

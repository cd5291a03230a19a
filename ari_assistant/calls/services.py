"""What a call needs from the house, gathered by the composition root."""

from __future__ import annotations

from dataclasses import dataclass, field

from ari_assistant.ari.client import AriClient
from ari_assistant.assistants.resolver import AssistantResolver
from ari_assistant.calls.admission import Admission
from ari_assistant.calls.media_transport import MediaTransport
from ari_assistant.calls.routing import Router
from ari_assistant.data_directory import DataDirectory
from ari_assistant.providers.end_of_turn import EndOfTurnModel
from ari_assistant.reports.record import Installation
from ari_assistant.reports.recorded import CallRecords
from ari_assistant.session.interfaces import TaskOwner
from ari_assistant.session.options import Prompts
from ari_assistant.session.session import Session
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.turns.endpointing import Waits
from ari_assistant.turns.turn_taking import TurnOptions
from ari_assistant.turns.voice_activity import VoiceActivity
from ari_assistant.webhooks.sender import WebhookSender

__all__ = ["CallOptions", "Services"]


@dataclass(frozen=True, slots=True)
class CallOptions:
    """Settings that concern calls. Durations in seconds."""

    installation: Installation
    """Whose calls these are."""
    data: DataDirectory
    """Where recordings and logs go."""
    assistant_request_seconds: float = 7.5
    turns: TurnOptions = field(default_factory=TurnOptions)
    waits: Waits = field(default_factory=Waits)
    prompts: Prompts = field(default_factory=Prompts)


@dataclass(frozen=True, slots=True)
class Services:
    """The collaborators of every call."""

    ari: AriClient
    catalogue: Catalogue
    router: Router
    records: CallRecords
    webhooks: WebhookSender
    resolver: AssistantResolver
    end_of_turn: EndOfTurnModel | None
    """Hears from its sound whether a pause ends a turn; without it the words alone decide."""
    transport: MediaTransport
    """Carries the audio of calls."""
    admission: Admission
    hearing: VoiceActivity
    options: CallOptions
    background: TaskOwner
    """For what outlives the call (the delivery of its last messages); the server's."""
    session: type[Session] = Session
    """Holds the conversation; a benchmark's stand-in otherwise."""

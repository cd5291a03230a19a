"""What a call needs from the house, gathered by the composition root."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ari_assistant.ari.client import AriClient
from ari_assistant.calls.routing import Router
from ari_assistant.media.ticker import Ticker
from ari_assistant.providers.model import Model
from ari_assistant.providers.transcriber import Transcriber
from ari_assistant.providers.voice_cache import CachedVoice
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.store.repositories import Calls
from ari_assistant.turns.turn_taking import TurnOptions
from ari_assistant.turns.vad import SpeechDetector
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.server import Server
from ari_assistant.webhooks.sender import WebhookSender

__all__ = ["CallOptions", "Prompts", "Services", "Speech"]

Fill = Callable[[str, Mapping[str, str]], str]
"""`fill(template, extra_variables)`: the text with the call's variables in it."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """What the platform itself may say to a caller: short, and never an internal error text."""

    not_understood: str = "I'm sorry, I didn't catch that. Could you say it again?"
    trouble: str = "I'm sorry, something went wrong. Please say that again."
    unavailable: str = "I'm sorry, nobody can take your call right now. Please try again later. Goodbye."

    def all(self) -> tuple[str, ...]:
        """Every prompt, to be synthesised before the first call."""
        return (self.not_understood, self.trouble, self.unavailable)


@dataclass(frozen=True, slots=True)
class Speech:
    """Recognition and voice."""

    transcriber: Transcriber
    voice: CachedVoice
    new_detector: Callable[[], SpeechDetector]


@dataclass(frozen=True, slots=True)
class CallOptions:
    """Settings that concern calls. Durations in seconds."""

    org_id: str
    media_host: str
    """Where media ports are bound; Asterisk must reach it."""
    recordings_dir: Path
    public_url: str
    """The API's base URL, for the links to recordings."""
    org_server: Server | None = None
    """Where messages go when neither the assistant nor the number names a server."""
    assistant_request_seconds: float = 7.5
    turns: TurnOptions = field(default_factory=TurnOptions)
    prompts: Prompts = field(default_factory=Prompts)


@dataclass(frozen=True, slots=True)
class Services:
    """The collaborators of every call."""

    ari: AriClient
    catalogue: Catalogue
    router: Router
    calls: Calls
    webhooks: WebhookSender
    speech: Speech
    choose_model: Callable[[Assistant, Fill], Model]
    ticker: Ticker
    options: CallOptions
    spawn: Callable[[Awaitable[None], str], None]
    """Start a task that outlives the call (the delivery of its last messages), owned by the server."""

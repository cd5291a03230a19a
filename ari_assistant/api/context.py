"""What the handlers need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncEngine

from ari_assistant.calls.outbound import CallRefused
from ari_assistant.data_directory import DataDirectory
from ari_assistant.store.api_keys import ApiKeys
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.store.repositories import Calls
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.call import CreateCall, Customer

__all__ = ["CONTEXT", "ApiContext", "Health", "NotServing", "Operations", "Store"]


@dataclass(frozen=True, slots=True)
class Store:
    """The database, and what is configured in files beside it."""

    engine: AsyncEngine
    catalogue: Catalogue
    calls: Calls
    keys: ApiKeys


class Health(Protocol):
    """How the server is."""

    def parts(self) -> dict[str, bool]:
        """Part → whether it is ready; the server is ready when all are."""

    def wire(self) -> JsonObject:
        """What `/health` tells beside the parts: webhooks, admission, the media process, the event loop, the log."""


class Operations(Protocol):
    """What the API sets in motion beyond the database."""

    async def place(self, body: CreateCall, customer: Customer) -> JsonObject:
        """Dial; returns the Call object. Raises CallRefused."""

    async def call_event(self, kind: str, call: JsonObject) -> None:
        """Tell the call's server of `call.deleted` or `call.delete.failed`."""

    def numbers_changed(self) -> None:
        """Phone numbers were created, changed or removed."""


class NotServing:
    """A server that has no Asterisk (yet): its API stores and shows."""

    def __init__(self, reason: str = "this server is not connected to an Asterisk") -> None:
        self._reason = reason

    async def place(self, body: CreateCall, customer: Customer) -> JsonObject:
        """See `Operations`."""
        raise CallRefused(self._reason)

    async def call_event(self, kind: str, call: JsonObject) -> None:
        """See `Operations`: nobody is told."""

    def numbers_changed(self) -> None:
        """See `Operations`: Asterisk is told when it is there."""


@dataclass(slots=True)
class ApiContext:
    """The collaborators of the API."""

    store: Store
    data: DataDirectory
    """Where recordings, logs and files are."""
    public_url: str
    api_key: str
    """The operator's own private key, beside those in the database."""
    health: Health
    operations: Operations
    """`NotServing`, until the server does."""


CONTEXT = web.AppKey("context", ApiContext)

"""What the handlers need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncEngine

from ari_assistant.calls.outbound import CallRefused
from ari_assistant.data_directory import DataDirectory
from ari_assistant.store.api_keys import ApiKeys
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.store.repositories import Calls
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.call import CreateCall, Customer

__all__ = ["CONTEXT", "ApiContext"]


async def _no_calls(_: CreateCall, __: Customer) -> JsonObject:
    raise CallRefused("this server is not connected to an Asterisk")


async def _no_events(_: str, __: JsonObject) -> None:
    return None


@dataclass(frozen=True, slots=True)
class ApiContext:
    """The collaborators of the API."""

    engine: AsyncEngine
    catalogue: Catalogue
    calls: Calls
    keys: ApiKeys
    data: DataDirectory
    """Where recordings, logs and files are."""
    public_url: str
    api_key: str
    """The operator's own private key, beside those in the database."""
    health: Callable[[], dict[str, bool]]
    """Part → whether it is ready; the server is ready when all are."""
    webhooks: Callable[[], JsonObject] = dict
    """What became of the server messages since the start."""
    load: Callable[[], JsonObject] = dict
    """How many calls there are and could be, and how the media process is doing."""
    place_call: Callable[[CreateCall, Customer], Awaitable[JsonObject]] = _no_calls
    """Dial; returns the Call object. Raises CallRefused."""
    call_event: Callable[[str, JsonObject], Awaitable[None]] = _no_events
    """Tell the call's server of `call.deleted` or `call.delete.failed`."""
    numbers_changed: Callable[[], None] = lambda: None
    """Phone numbers were created, changed or removed."""


CONTEXT = web.AppKey("context", ApiContext)

"""What the handlers need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from ari_assistant.store.catalogue import Catalogue
from ari_assistant.store.repositories import Calls

__all__ = ["CONTEXT", "ApiContext"]


@dataclass(frozen=True, slots=True)
class ApiContext:
    """The collaborators of the API."""

    catalogue: Catalogue
    calls: Calls
    recordings_dir: Path
    api_key: str
    health: Callable[[], dict[str, bool]]
    """Part → whether it is ready; the server is ready when all are."""


CONTEXT = web.AppKey("context", ApiContext)

"""The REST API alone, without an Asterisk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from ari_assistant.api.context import ApiContext
from ari_assistant.data_directory import DataDirectory
from ari_assistant.store.api_keys import ApiKeys
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.store.repositories import Calls

__all__ = ["api_context"]


def api_context(
    engine: AsyncEngine, folder: Path, *, health: Callable[[], dict[str, bool]] = dict, **more: Any
) -> ApiContext:
    """Its collaborators over `engine`; the operator's key is `key`."""
    return ApiContext(
        engine=engine,
        catalogue=Catalogue(engine, org_id="o"),
        calls=Calls(engine, org_id="o"),
        keys=ApiKeys(engine),
        data=DataDirectory(folder),
        public_url="http://here",
        api_key="key",
        health=health,
        **more,
    )

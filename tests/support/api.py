"""The REST API alone, without an Asterisk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from ari_assistant.api.context import ApiContext, NotServing, Operations, Store
from ari_assistant.data_directory import DataDirectory
from ari_assistant.store.api_keys import ApiKeys
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.store.repositories import Calls

__all__ = ["Parts", "api_context"]


class Parts(dict[str, bool]):
    """A health that is made up."""

    def parts(self) -> dict[str, bool]:
        """See `api.context.Health`."""
        return dict(self)

    def wire(self) -> dict[str, Any]:
        """See `api.context.Health`."""
        return {"webhooks": {}}


def api_context(
    engine: AsyncEngine, folder: Path, *, health: Parts | None = None, operations: Operations | None = None
) -> ApiContext:
    """Its collaborators over `engine`; the operator's key is `key`."""
    return ApiContext(
        store=Store(engine, Catalogue(engine, org_id="o"), Calls(engine, org_id="o"), ApiKeys(engine)),
        data=DataDirectory(folder),
        public_url="http://here",
        api_key="key",
        health=Parts() if health is None else health,
        operations=NotServing() if operations is None else operations,
    )

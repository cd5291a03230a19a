"""A catalogue of our own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from ari_assistant.store.catalogue import Catalogue
from ari_assistant.store.database import migrate, open_database


@pytest.fixture
async def empty_catalogue(tmp_path: Path) -> AsyncGenerator[Catalogue, None]:
    """A database with nothing in it."""
    url = f"sqlite:///{tmp_path / 'c.db'}"
    await migrate(url)
    engine = open_database(url)
    yield Catalogue(engine, org_id="o")
    await engine.dispose()

"""Lists of a thousand documents."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from aiohttp.test_utils import TestClient, TestServer

from ari_assistant.api.app import build_app
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.store.database import migrate, open_connections, open_database
from ari_assistant.store.repositories import Calls, Listing
from tests.support.api import api_context

KEY = {"Authorization": "Bearer key"}


async def test_a_thousand_documents_are_listed_whole_and_in_order_piece_by_piece(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'long.db'}"
    await migrate(url)
    engine = open_database(url)
    await open_connections(engine)
    catalogue, calls = Catalogue(engine, org_id="o"), Calls(engine, org_id="o")
    document = {"name": "Desk", "metadata": {f"key {n}": {"value": [n, "text"]} for n in range(100)}}
    await asyncio.gather(*(catalogue.assistants.create(f"a{n}", document) for n in range(1_000)))
    for n in range(120):
        at = f"2026-01-01T00:00:00.{n:03d}Z"
        await calls.save(
            {"id": f"c{n}", "orgId": "o", "createdAt": at, "updatedAt": at, "status": "ended"} | document
        )
    wanted = [one.id async for page in catalogue.assistants.pages(Listing(limit=1_000)) for one in page]
    bodies = {}
    async with TestClient(TestServer(build_app(api_context(engine, tmp_path))), headers=KEY) as client:
        for path in ("/assistant?limit=1000", "/call?limit=1000"):
            async with client.get(path) as response:
                assert (response.status, response.content_type) == (200, "application/json")
                assert response.headers["Transfer-Encoding"] == "chunked"
                bodies[path] = await response.read()
        async with client.head("/assistant?limit=1000") as response:
            assert (response.status, await response.read()) == (200, b"")
        async with client.get("/assistant?limit=3") as response:
            assert [one["id"] for one in await response.json()] == wanted[:3]
    await engine.dispose()
    assert [one["id"] for one in json.loads(bodies["/assistant?limit=1000"])] == wanted
    assert [one["id"] for one in json.loads(bodies["/call?limit=1000"])] == [f"c{n}" for n in reversed(range(120))]

"""Many programs change one resource at the same time, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy.ext.asyncio import AsyncEngine

from ari_assistant.api.app import build_app
from ari_assistant.api.context import NotServing
from ari_assistant.store.database import migrate, open_database
from ari_assistant.store.repositories import Calls
from tests.support.api import api_context

KEY = {"Authorization": "Bearer key"}
NUMBER = {"provider": "vapi", "sipUri": "sip:desk@localhost"}
CREDENTIAL = {"provider": "openai", "apiKey": "k"}
OUTPUT = {"name": "o", "type": "ai", "schema": {"type": "object"}}
AT = "2026-01-01T00:00:00.000Z"


@pytest.fixture
async def engine(database_url: str) -> AsyncGenerator[AsyncEngine, None]:
    await migrate(database_url)
    engine = open_database(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
async def client(engine: AsyncEngine, tmp_path: Path) -> AsyncGenerator[TestClient[Any, Any], None]:
    app = build_app(api_context(engine, tmp_path))
    async with TestClient(TestServer(app), headers=KEY) as client:
        yield client


async def created(client: TestClient[Any, Any], path: str, body: Any) -> str:
    form = FormData()
    if path == "/file":
        form.add_field("file", b"text", filename="a.txt")
    async with client.post(path, **({"data": form} if path == "/file" else {"json": body})) as response:
        assert response.status == 201, await response.text()
        return str((await response.json())["id"])


async def status_of(client: TestClient[Any, Any], method: str, path: str, body: Any = None) -> int:
    async with client.request(method, path, json=body) as response:
        await response.read()
        return response.status


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/assistant", {}, ["firstMessage", "endCallMessage", "voicemailMessage", "backgroundSound", "name"]),
        ("/phone-number", NUMBER, ["name", "serverUrl", "serverUrlSecret"]),
        ("/tool", {"type": "apiRequest", "url": "http://u", "method": "GET"}, ["name", "description", "url"]),
        ("/squad", {"members": [{"assistant": {}}]}, ["name"]),
        ("/structured-output", OUTPUT, ["name", "description"]),
        ("/credential", CREDENTIAL, ["name", "region", "zone"]),
    ],
)
async def test_changes_of_different_fields_at_once_are_all_kept(
    client: TestClient[Any, Any], path: str, body: Any, fields: list[str]
) -> None:
    one = f"{path}/{await created(client, path, body)}"
    for turn in range(4):
        wanted = {field: f"http://{field}{turn}" for field in fields}
        statuses = await asyncio.gather(
            *(status_of(client, "PATCH", one, {field: value}) for field, value in wanted.items())
        )
        assert set(statuses) == {200}
        async with client.get(one) as response:
            stored = await response.json()
        if path == "/phone-number":  # the older spelling is kept as `server`
            assert stored["server"] == {"url": wanted.pop("serverUrl"), "secret": wanted.pop("serverUrlSecret")}
        assert {field: stored.get(field) for field in wanted} == wanted


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/assistant", {}),
        ("/phone-number", NUMBER),
        ("/tool", {"type": "endCall"}),
        ("/squad", {"members": [{"assistant": {}}]}),
        ("/structured-output", OUTPUT),
        ("/credential", CREDENTIAL),
        ("/file", None),
    ],
)
async def test_of_twenty_deletes_of_one_id_one_succeeds(
    client: TestClient[Any, Any], path: str, body: Any
) -> None:
    one = f"{path}/{await created(client, path, body)}"
    statuses = await asyncio.gather(*(status_of(client, "DELETE", one) for _ in range(20)))
    assert sorted(statuses) == [200] + [404] * 19


async def test_of_twenty_deletes_of_one_call_one_succeeds_and_it_is_told_once(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    told: list[str] = []

    class Told(NotServing):
        async def call_event(self, kind: str, call: dict[str, Any]) -> None:
            told.append(f"{kind} {call['id']}")

    call = {"id": "c", "orgId": "o", "createdAt": AT, "updatedAt": AT, "status": "ended"}
    await Calls(engine, org_id="o").save(call)
    app = build_app(api_context(engine, tmp_path, operations=Told()))
    async with TestClient(TestServer(app), headers=KEY) as client:
        statuses = await asyncio.gather(*(status_of(client, "DELETE", "/call/c") for _ in range(20)))
    assert sorted(statuses) == [200] + [404] * 19
    assert told == ["call.deleted c"]


async def test_a_call_that_goes_on_while_it_is_given_a_name_is_not_set_back(
    client: TestClient[Any, Any], engine: AsyncEngine
) -> None:
    calls = Calls(engine, org_id="o")
    call = {"id": "c", "orgId": "o", "createdAt": AT, "updatedAt": AT, "status": "in-progress"}
    await calls.save(call)
    statuses = await asyncio.gather(
        *(status_of(client, "PATCH", "/call/c", {"name": f"n{n}"}) for n in range(20)),
        calls.save(call | {"status": "ended"}),
    )
    assert set(statuses) == {200, True}
    found = await calls.get("c")
    assert found is not None
    assert found.document["status"] == "ended"
    assert found.document["name"].startswith("n")

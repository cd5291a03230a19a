"""The REST API over a real socket, with a real database."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from ari_assistant.api.app import build_app
from ari_assistant.api.context import ApiContext
from ari_assistant.store.api_keys import ApiKeys
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.store.database import migrate, open_database
from ari_assistant.store.repositories import Calls

Api = Callable[..., Awaitable[tuple[int, Any]]]
ready = {"database": True, "ari": False}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncGenerator[Api, None]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'api.db'}"
    await migrate(url)
    engine = open_database(url)
    context = ApiContext(
        engine=engine,
        catalogue=Catalogue(engine, org_id="o"),
        calls=Calls(engine, org_id="o"),
        keys=ApiKeys(engine),
        data_dir=tmp_path,
        public_url="http://here",
        api_key="key",
        health=lambda: ready,
    )
    async with TestClient(TestServer(build_app(context))) as client:

        async def request(
            method: str, path: str, body: Any = None, *, key: str | None = "key", data: Any = None
        ) -> tuple[int, Any]:
            headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
            async with client.request(method, path, json=body, data=data, headers=headers) as response:
                return response.status, await response.json()

        yield request
    await engine.dispose()


async def test_an_assistant_from_creation_to_deletion(api: Api) -> None:
    status, created = await api("POST", "/assistant", {"name": "Desk", "firstMessage": "Hi {{x}}"})
    assert status == 201
    assert {"id", "orgId", "createdAt", "updatedAt"} <= set(created)
    path = f"/assistant/{created['id']}"
    assert await api("GET", path) == (200, created)
    assert await api("GET", "/assistant") == (200, [created])
    status, updated = await api("PATCH", path, {"firstMessage": None, "name": "New"})
    assert status == 200
    assert (updated["firstMessage"], updated["name"]) == (None, "New")
    status, deleted = await api("DELETE", path, {})
    assert (status, deleted["id"]) == (200, created["id"])
    status, gone = await api("GET", path)
    assert status == 404
    assert gone["error"] == "Not Found"


async def test_the_documented_patch_of_a_number(api: Api) -> None:
    _, assistant = await api("POST", "/assistant", {})
    body = {"provider": "vapi", "sipUri": "sip:desk@localhost", "assistantId": assistant["id"]}
    status, number = await api("POST", "/phone-number", body)
    assert status == 201
    assert number["status"] == "active"
    path = f"/phone-number/{number['id']}"
    status, patched = await api("PATCH", path, {"assistantId": None, "serverUrl": "http://h/vapi"})
    assert status == 200
    assert patched["assistantId"] is None
    assert patched["server"] == {"url": "http://h/vapi"}
    assert patched["serverUrl"] == "http://h/vapi"
    # The SDK sends `server`, and `provider` with it.
    _, again = await api("PATCH", path, {"provider": "vapi", "server": {"url": "http://new"}})
    assert (again["server"], again["serverUrl"]) == ({"url": "http://new"}, "http://new")


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/assistant", {"firstMesage": "x"}, ["property firstMesage should not exist"]),
        ("/assistant", [1], ["body must be an object"]),
        (
            "/assistant",
            {"model": {"provider": "built-in", "facts": [{"ask": "x", "say": "y"}]}},
            ["model.facts.0.ask must be an array"],
        ),
        ("/phone-number", {"provider": "vapi"}, ["sipUri should not be null or undefined"]),
        (
            "/phone-number",
            {"provider": "vapi", "sipUri": "sip:a@b", "assistantId": "nope"},
            "Couldn't Get Assistant. `assistantId` nope Does Not Exist.",
        ),
    ],
)
async def test_bad_requests_are_told_in_the_contracts_shape(api: Api, path: str, body: Any, message: Any) -> None:
    status, answer = await api("POST", path, body)
    assert (status, answer) == (400, {"message": message, "error": "Bad Request", "statusCode": 400})


async def test_what_is_no_json_is_a_bad_request(api: Api) -> None:
    status, answer = await api("POST", "/assistant", data=b'{"name": ')
    assert status == 400
    assert "not JSON" in answer["message"]


async def test_a_sip_uri_in_use_names_its_holder(api: Api) -> None:
    _, number = await api("POST", "/phone-number", {"provider": "vapi", "sipUri": "sip:a@localhost"})
    status, answer = await api("POST", "/phone-number", {"provider": "vapi", "sipUri": "sip:A@localhost"})
    assert status == 400
    assert number["id"] in answer["message"]


@pytest.mark.parametrize("key", ["wrong", "", None])
async def test_without_the_key_nothing_is_told(api: Api, key: str | None) -> None:
    status, answer = await api("GET", "/assistant", key=key)
    assert status == 401
    assert answer["message"].startswith("Invalid Key.")
    assert (await api("GET", "/nothing", key=key))[0] == 401


async def test_health_needs_no_key_and_tells_what_is_missing(api: Api) -> None:
    assert await api("GET", "/health", key=None) == (503, {"status": "starting", "parts": ready, "webhooks": {}})
    ready["ari"] = True
    assert (await api("GET", "/health", key=None))[0] == 200
    ready["ari"] = False


async def test_lists_refuse_what_they_do_not_know(api: Api) -> None:
    assert (await api("GET", "/call?limit=5&createdAtGt=2026-01-01T00:00:00.000Z")) == (200, [])
    status, answer = await api("GET", "/call?limit=5000&page=2&createdAtLt=yesterday")
    assert status == 400
    assert len(answer["message"]) == 3


async def test_an_unknown_path_is_a_404_of_the_same_shape(api: Api) -> None:
    status, answer = await api("GET", "/nothing")
    assert (status, answer["message"]) == (404, "Cannot GET /nothing")

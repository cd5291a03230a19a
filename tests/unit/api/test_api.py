"""The REST API over a real socket, with a real database."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy.ext.asyncio import AsyncEngine

from ari_assistant.api.app import build_app
from ari_assistant.store.api_keys import ApiKeys
from ari_assistant.store.database import migrate, open_database
from ari_assistant.store.repositories import Calls
from tests.support.api import Parts, api_context

Api = Callable[..., Awaitable[tuple[int, Any]]]
ready = Parts(database=True, ari=False)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncGenerator[AsyncEngine, None]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'api.db'}"
    await migrate(url)
    engine = open_database(url)
    yield engine
    await engine.dispose()


@pytest.fixture
def keys(engine: AsyncEngine) -> ApiKeys:
    return ApiKeys(engine)


@pytest.fixture
async def api(tmp_path: Path, engine: AsyncEngine) -> AsyncGenerator[Api, None]:
    context = api_context(engine, tmp_path, health=ready)
    async with TestClient(TestServer(build_app(context))) as client:

        async def request(
            method: str,
            path: str,
            body: Any = None,
            *,
            key: str | None = "key",
            data: Any = None,
            headers: dict[str, str] | None = None,
        ) -> tuple[int, Any]:
            headers = {**(headers or {}), **({"Authorization": f"Bearer {key}"} if key is not None else {})}
            async with client.request(method, path, json=body, data=data, headers=headers) as response:
                return response.status, await response.json()

        yield request


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


async def test_every_resource_goes_from_creation_to_deletion(api: Api) -> None:
    _, assistant = await api("POST", "/assistant", {"name": "A"})
    bodies: dict[str, Any] = {
        "/tool": {"type": "function", "function": {"name": "book"}, "async": True, "server": {"url": "http://h"}},
        "/squad": {"name": "Team", "members": [{"assistantId": assistant["id"]}]},
        "/structured-output": {"name": "topic", "schema": {"type": "object"}},
        "/credential": {
            "provider": "custom-credential",
            "authenticationPlan": {"type": "bearer", "token": "secret"},
        },
    }
    for path, body in bodies.items():
        status, created = await api("POST", path, body)
        assert status == 201, created
        assert "secret" not in str(created)
        one = f"{path}/{created['id']}"
        assert await api("GET", one) == (200, created)
        _, listed = await api("GET", path)
        assert created in (listed["results"] if path == "/structured-output" else listed)
        status, changed = await api("PATCH", one, {"name": "New"} if path != "/tool" else {"async": False})
        assert status == 200, changed
        assert (await api("DELETE", one, {}))[0] == 200
        assert (await api("GET", one))[0] == 404


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/tool", {"type": "nonsense"}, "type must be one of the following values"),
        ("/tool", {"type": "function", "function": {"name": "no spaces"}}, "function.name must be valid"),
        ("/tool", {"type": "endCall", "destinations": []}, "property destinations should not exist"),
        ("/squad", {"members": []}, "members must be valid"),
        ("/squad", {"members": [{"assistantId": "gone"}]}, "members.0.assistantId gone does not exist"),
        ("/structured-output", {"name": "x", "schema": {}, "type": "regex", "regex": "("}, "regular expression"),
        ("/structured-output", {"name": "x", "schema": {}, "type": "regex", "regex": "a{6000}"}, "repeats more"),
        ("/credential", {"provider": "openai"}, "apiKey must be a string"),
        ("/credential", {"provider": "deepgram", "apiKey": "k", "apiUrl": "https://x"}, "apiUrl must be absent"),
        (
            "/assistant",
            {"model": {"provider": "openai", "url": "http://elsewhere/v1"}},
            "model.url must be absent",
        ),
        (
            "/credential",
            {"provider": "custom-credential", "authenticationPlan": {"type": "x"}},
            "authenticationPlan.type must be one of the following values: bearer, hmac, oauth2",
        ),
        ("/phone-number", {"provider": "twilio"}, "provider must be one of the following values: vapi"),
        (
            "/phone-number",
            {"provider": "byo-phone-number", "number": "12", "credentialId": "x"},
            "number must be longer than or equal to 3 characters",
        ),
        (
            "/phone-number",
            {"provider": "byo-phone-number", "number": "+15551230000", "credentialId": "x"},
            "credentialId must be the id of a credential",
        ),
        ("/phone-number", {"provider": "vapi", "sipUri": "sip:a@b", "foo": 1}, "property foo should not exist"),
        (
            "/phone-number",
            {
                "provider": "vapi",
                "sipUri": "sip:a@b",
                "authentication": {"username": "short", "password": "x" * 20},
            },
            "authentication.username must be longer than or equal to 20 characters",
        ),
        ("/call", {"customer": {"sipUri": "sip:a@b"}}, "Couldn't Get Assistant. Need Either"),
        ("/call", {"assistant": {}, "customer": {"sipUri": "sip:a@b"}}, "Couldn't Get Phone Number."),
        ("/call", {"assistantOverride": {}}, "property assistantOverride should not exist"),
        (
            "/call",
            {"assistant": {"assistantId": "x"}, "phoneNumberId": "n"},
            "assistant.property assistantId should not exist",
        ),
        ("/analytics", {"queries": [{"table": "call", "name": "x"}]}, "queries.0.operations should not be null"),
        ("/analytics", {"queries": [{"table": "call", "name": "x", "operations": []}]}, "queries.0.operations"),
        (
            "/analytics",
            {
                "queries": [
                    {
                        "table": "call",
                        "name": "x",
                        "operations": [{"operation": "count", "column": "id"}],
                        "timeRange": {"start": "0001-01-01"},
                        "groupByVariableValue": [{"key": 'a"b'}],
                    }
                ]
            },
            "must be a date from 1970",
        ),
    ],
)
async def test_every_fault_is_named_with_its_path(api: Api, path: str, body: Any, message: str) -> None:
    status, answer = await api("POST", path, body)
    assert status == 400
    text = answer["message"] if isinstance(answer["message"], str) else " | ".join(answer["message"])
    assert message in text


async def test_a_credential_that_is_sent_back_as_it_was_shown_keeps_what_was_not_shown(api: Api) -> None:
    plan = {"type": "bearer", "token": "secret"}
    _, made = await api("POST", "/credential", {"provider": "webhook", "authenticationPlan": plan})
    assert made["authenticationPlan"] == {"type": "bearer"}
    changed = {**made["authenticationPlan"], "headerName": "X-Key"}
    status, answer = await api("PATCH", f"/credential/{made['id']}", {"authenticationPlan": changed})
    assert (status, answer["authenticationPlan"]) == (200, changed)
    other = {"type": "hmac", "algorithm": "sha256"}
    status, answer = await api("PATCH", f"/credential/{made['id']}", {"authenticationPlan": other})
    assert (status, answer["message"]) == (400, ["authenticationPlan.secretKey should not be null or undefined"])


async def test_a_hidden_key_cannot_be_sent_elsewhere_by_changing_whose_it_is(api: Api) -> None:
    _, made = await api("POST", "/credential", {"provider": "openai", "apiKey": "sk"})
    status, answer = await api("PATCH", f"/credential/{made['id']}", {"provider": "custom-llm"})
    assert (status, answer["message"]) == (400, ["apiKey must be a string"])
    assert (await api("PATCH", f"/credential/{made['id']}", {"provider": "groq", "apiKey": "gsk"}))[0] == 200
    plan = {"type": "oauth2", "url": "https://mine/token", "clientId": "i", "clientSecret": "s"}
    _, made = await api("POST", "/credential", {"provider": "webhook", "authenticationPlan": plan})
    moved = {"type": "oauth2", "url": "https://elsewhere/token", "clientId": "i"}
    status, answer = await api("PATCH", f"/credential/{made['id']}", {"authenticationPlan": moved})
    assert (status, answer["message"]) == (
        400,
        ["authenticationPlan.clientSecret should not be null or undefined"],
    )


async def test_a_number_on_ones_own_trunk_is_stored_with_its_credential(api: Api) -> None:
    trunk = {"provider": "byo-sip-trunk", "gateways": [{"ip": "203.0.113.10"}], "name": "Mine"}
    status, credential = await api("POST", "/credential", trunk)
    assert status == 201
    body = {"provider": "byo-phone-number", "number": "+15551230000", "credentialId": credential["id"]}
    status, number = await api("POST", "/phone-number", body)
    assert (status, number["provider"]) == (201, "byo-phone-number")
    status, page = await api("GET", "/v2/phone-number?search=5551&limit=1&page=1&sortOrder=ASC")
    assert status == 200
    assert [n["id"] for n in page["results"]] == [number["id"]]
    assert page["metadata"] == {
        "itemsPerPage": 1,
        "totalItems": 1,
        "currentPage": 1,
        "totalPages": 1,
        "hasNextPage": False,
        "sortOrder": "ASC",
    }


async def test_keys_of_the_database_open_what_they_are_for(api: Api, keys: ApiKeys) -> None:
    _, private = await keys.create("private", "program")
    _, public = await keys.create("public", "browser")
    assert (await api("GET", "/assistant", key=private))[0] == 200
    assert (await api("GET", "/assistant", key=public))[0] == 401


@pytest.mark.parametrize(
    "raw", [b'{"name": NaN}', b'{"name": "\\ud800"}', b'{"name": "\\u0000"}', b"\xff", b"[" * 100_000, b'"x"']
)
async def test_json_that_cannot_be_stored_is_refused(api: Api, raw: bytes) -> None:
    status, _ = await api("POST", "/assistant", data=raw)
    assert status == 400


async def test_a_file_is_uploaded_described_and_read_back(api: Api, tmp_path: Path) -> None:
    form = FormData()
    form.add_field("file", b"a page", filename="notes.html", content_type="text/html")
    form.add_field("metadata", '{"a": 1}')
    status, file = await api("POST", "/file", data=form)
    assert status == 201
    assert (file["name"], file["bytes"], file["mimetype"], file["metadata"]) == (
        "notes.html",
        6,
        "text/html",
        {"a": 1},
    )
    assert file["url"] == f"http://here/file/{file['id']}/content"
    assert (await api("PATCH", f"/file/{file['id']}", {"name": "new"}))[1]["name"] == "new"
    assert (await api("GET", "/file?purpose=none"))[1] == []
    assert [path.name for path in (tmp_path / "files").iterdir()] == [file["id"]]
    assert (await api("DELETE", f"/file/{file['id']}"))[0] == 200
    assert list((tmp_path / "files").iterdir()) == []
    for bad in (b"no multipart", FormData({"purpose": "x"})):
        assert (await api("POST", "/file", data=bad))[0] == 400
    assert list((tmp_path / "files").iterdir()) == []


async def test_a_multipart_body_without_a_boundary_in_its_header_is_read(api: Api) -> None:
    """Vapi's Python SDK 0.8.1 sends it so."""
    body = (
        b'--abc\r\nContent-Disposition: form-data; name="file"; filename="n.txt"\r\n'
        b"Content-Type: text/plain\r\n\r\nsome notes\r\n--abc--\r\n"
    )
    status, file = await api("POST", "/file", data=body, headers={"Content-Type": "multipart/form-data"})
    assert status == 201, file
    assert (file["name"], file["bytes"]) == ("n.txt", 10)


async def test_a_running_calls_name_survives_and_an_erased_call_stays_erased(engine: AsyncEngine) -> None:
    calls = Calls(engine, org_id="o")
    document: dict[str, Any] = {
        "id": "c",
        "orgId": "o",
        "createdAt": "1",
        "updatedAt": "1",
        "status": "in-progress",
    }
    await calls.save(document | {"name": None})
    await calls.save(document | {"name": "Given meanwhile"})
    await calls.save(document | {"name": None, "status": "ended", "analysis": {"successEvaluation": "x" * 999}})
    found = await calls.get("c")
    assert found is not None
    assert (found.document["name"], found.document["status"]) == ("Given meanwhile", "ended")
    await calls.delete("c")
    assert not await calls.save(document, if_there=True)
    assert await calls.get("c") is None


async def test_who_lists_evaluations_finds_none(api: Api) -> None:
    for path in ("/eval", "/eval/run"):
        status, page = await api("GET", f"{path}?page=1&limit=10")
        assert (status, page["results"], page["metadata"]["totalItems"]) == (200, [], 0)
    for path in ("", "/personality", "/scenario?name=x", "/suite", "/run?targetType=assistant"):
        assert await api("GET", f"/eval/simulation{path}") == (200, [])
    assert (await api("GET", "/eval?colour=red"))[0] == 400


async def test_a_number_is_searched_with_and_without_its_plus(api: Api) -> None:
    for user in ("+15551230001", "15551230002"):
        await api("POST", "/phone-number", {"provider": "vapi", "sipUri": f"sip:{user}@localhost"})
    for part in ("15551230001", "%2B15551230001", "+15551230001", "%2B15551230002", "15551230002"):
        _, page = await api("GET", f"/v2/phone-number?search={part}")
        assert [r["sipUri"].removeprefix("sip:").strip("+")[:11] for r in page["results"]] == [part[-11:]], part


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"metadata": {"n": 1e999}}', "fits into a double"),
        ('{"metadata": {"n": NaN}}', "NaN is no JSON"),
        ('{"metadata": ' + "[" * 70 + "]" * 70 + "}", "nested deeper than 64 levels"),
        ('{"metadata": {"n": [' + "0," * 30_000 + "0]}}", "more than 20000 values"),
        ('{"firstMessage": "' + "a" * 10_001 + '"}', "firstMessage must be shorter than or equal to 10000"),
        ('{"hooks": [' + "1," * 500 + "1]}", "hooks must contain no more than 100 elements"),
        ('{"serverMessages": [' + "1," * 5_000 + "1]}", "body has 5001 faults"),
        ('{"model": {"provider": "built-in", "facts": [' + '{"ask": ["a"], "say": "b"},' * 4_000
         + '{"ask": ["a"], "say": "b"}]}}', "model.facts must contain no more than 1000 elements"),
        ('{"metadata": {"t": "' + "a" * (1 << 20) + '"}}', "at most 1048576 bytes"),
    ],
)  # fmt: skip
async def test_a_document_that_would_stop_all_calls_is_refused_by_name_and_limit(
    api: Api, body: str, message: str
) -> None:
    headers = {"Content-Type": "application/json"}
    for method, path in (("POST", "/assistant"), ("PATCH", "/assistant/x")):
        status, answer = await api(method, path, data=io.BytesIO(body.encode()), headers=headers)
        if method == "POST":
            assert status in (400, 413)
            assert message in str(answer["message"])
        else:
            assert status in (400, 404, 413)
    assert await api("GET", "/assistant") == (200, [])


async def test_a_document_does_not_grow_over_the_limit_by_many_changes(api: Api) -> None:
    _, created = await api("POST", "/assistant", {"metadata": {"text": "a" * 600_000}})
    path = f"/assistant/{created['id']}"
    status, refused = await api("PATCH", path, {"observabilityPlan": {"text": "a" * 600_000}})
    assert (status, "1048576" in refused["message"]) == (400, True)
    assert await api("GET", path) == (200, created)

"""Tools whose work is done from here: requests of an assistant's author, and keys."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from tests.support.serving import served
from tests.unit.session.tool_bench import Bench, one


async def test_an_api_request_is_made_with_templates_defaults_and_headers(bench: Bench) -> None:
    seen: list[tuple[str, str, dict[str, str], Any]] = []

    async def receive(request: web.Request) -> web.Response:
        body = await request.json()
        seen.append((request.method, request.path, dict(request.headers), body))
        return web.json_response({"temperature": 21}, status=200 if "fail" not in body else 404)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receive)
    async with served(app) as url:
        tool = {
            "type": "apiRequest",
            "name": "weather",
            "method": "POST",
            "url": url + "/city/{{city}}",
            "headers": {"type": "object", "properties": {"X-Name": {"type": "string", "value": "{{first_name}}"}}},
            "body": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "unit": {"type": "string", "default": "C"}},
            },
            "parameters": [{"key": "caller", "value": "{{first_name}}"}],
            "variableExtractionPlan": {
                "schema": {"type": "object", "properties": {"temperature": {"type": "number"}}}
            },
        }
        runner = bench.runner(tool)
        outcome = await one(runner, "weather", '{"city": "Rome"}')
        assert outcome.result == '{"temperature": 21}'
        assert bench.variables["temperature"] == 21
        method, path, headers, body = seen[0]
        assert (method, path, headers["X-Name"]) == ("POST", "/city/Rome", "John")
        assert body == {"city": "Rome", "unit": "C", "caller": "John"}
        failed = await one(runner, "weather", '{"city": "Rome", "fail": 1}')
        assert failed.failed
        assert "404" in failed.result
    gone = {**tool, "url": "http://127.0.0.1:9/"}
    assert (await one(bench.runner(gone), "weather")).failed


async def test_keys_are_pressed_with_their_pauses(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    runner = bench.runner({"type": "dtmf"})
    monkeypatch.setattr("ari_assistant.session.own_tools.asyncio.sleep", sleep)
    outcome = await one(runner, "dtmf", '{"keys": "12w3W#"}')
    assert (bench.control.pressed, pauses, outcome.failed) == (["12", "3", "#"], [0.5, 1.0], False)
    assert (await one(runner, "dtmf", '{"keys": "call me"}')).failed


async def test_a_models_argument_begins_no_header_of_a_request(bench: Bench) -> None:
    seen: list[dict[str, str]] = []

    async def receive(request: web.Request) -> web.Response:
        seen.append(dict(request.headers))
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get("/", receive)
    async with served(app) as url:
        headers = {"type": "object", "properties": {"X-Name": {"value": "{{name}}"}}}
        tool = {"type": "apiRequest", "name": "api", "method": "GET", "url": url, "headers": headers}
        assert (await one(bench.runner(tool), "api", '{"name": "a\\r\\nX-Evil: b"}')).result == "ok"
    assert seen[0]["X-Name"] == "aX-Evil: b"
    assert "X-Evil" not in seen[0]

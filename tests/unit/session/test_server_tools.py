"""Tools whose work the user's server does: how it is asked, and how its answers are read."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from ari_assistant.providers.model import ToolCall
from ari_assistant.vapi.base import JsonObject
from tests.unit.session.tool_bench import BOOK, Bench, one


@pytest.mark.parametrize(
    ("answer", "status", "result", "failed"),
    [
        ({"results": [{"toolCallId": "c1", "result": "Booked."}]}, 200, "Booked.", False),
        ({"results": [{"toolCallId": "c1", "result": {"ok": 1}}]}, 200, '{"ok": 1}', False),
        ({"results": [{"toolCallId": "other", "result": "Booked."}]}, 200, "Booked.", False),
        ({"results": [{"result": "Booked."}]}, 201, "Booked.", False),
        ({"result": "Booked."}, 200, "Booked.", False),
        ({"results": [{"toolCallId": "c1", "error": "Full."}]}, 200, "Full.", True),
        ({"error": "Closed."}, 200, "Closed.", True),
        ({"results": []}, 200, "No result returned.", True),
        ({"results": "x"}, 200, "No result returned.", True),
        ({}, 200, "No result returned.", True),
        ({"results": [{"toolCallId": "c1", "result": "Booked."}]}, 500, "No result returned.", True),
        (["x"], 200, "No result returned.", True),
    ],
)
async def test_every_form_of_answer_is_read(
    bench: Bench, answer: Any, status: int, result: str, failed: bool
) -> None:
    bench.replies("tool-calls", answer, status=status)
    outcome = await one(bench.runner(BOOK), "book", '{"day": "Mon"}')
    assert outcome.result.startswith(result)
    assert outcome.failed is failed


async def test_tools_of_one_server_go_in_one_message_and_their_results_find_their_calls(bench: Bench) -> None:
    results = [{"toolCallId": "c2", "result": "two"}, {"toolCallId": "c1", "result": "one"}]
    bench.replies("tool-calls", {"results": results})
    runner = bench.runner(BOOK, {"type": "function", "function": {"name": "look"}})
    outcomes = await runner.run([ToolCall("c1", "book"), ToolCall("c2", "look"), ToolCall("c3", "nothing")])
    assert [o.result for o in outcomes] == ["one", "two", "There is no tool named nothing."]
    assert len(bench.webhook.messages("tool-calls")) == 1


async def test_an_async_tool_is_not_waited_for(bench: Bench) -> None:
    released = asyncio.Event()

    async def slowly(_: JsonObject) -> web.StreamResponse:
        await released.wait()
        return web.json_response({})

    bench.webhook.replies["tool-calls"] = slowly
    outcome = await one(bench.runner({**BOOK, "async": True}), "book")
    assert outcome.result == "The request was sent."
    await bench.webhook.wait_for("tool-calls")
    released.set()
    await asyncio.gather(*bench.tasks)


async def test_the_older_functions_are_asked_by_function_call(bench: Bench) -> None:
    runner = bench.runner(functions=[{"name": "lookup", "parameters": {"type": "object"}}])
    bench.replies("function-call", {"result": 42})
    assert (await one(runner, "lookup", '{"a": 1}')).result == "42"
    sent = bench.webhook.messages("function-call")[0]["functionCall"]
    assert sent == {"name": "lookup", "parameters": {"a": 1}}
    bench.replies("function-call", {})
    assert (await one(runner, "lookup")).failed


async def test_a_server_is_not_told_the_secrets_of_its_tool(bench: Bench) -> None:
    server = {"url": bench.webhook.url, "secret": "hidden", "headers": {"Authorization": "Bearer hidden"}}
    bench.replies("tool-calls", {"result": "x"})
    assert not (await one(bench.runner({**BOOK, "server": server}), "book")).failed
    (sent,) = bench.webhook.messages("tool-calls")
    assert sent["toolWithToolCallList"][0]["server"] == {"url": bench.webhook.url}
    assert "hidden" not in str(sent)

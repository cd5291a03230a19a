"""What becomes of a tool's call: against a server that answers over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Mapping
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from ari_assistant.conversation.tool_runner import Outcome, ToolRunner
from ari_assistant.dialogue.history import Entry, History
from ari_assistant.dialogue.template import render
from ari_assistant.dialogue.tools import offered_tools
from ari_assistant.providers.model import ToolCall
from ari_assistant.reports.invite import header_variables
from ari_assistant.reports.messages import CallMessages
from ari_assistant.reports.record import CallRecord, Dialled, Installation
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.model import Model
from ari_assistant.vapi.server import Server
from ari_assistant.webhooks.outbox import Outbox
from ari_assistant.webhooks.sender import WebhookSender
from tests.support.serving import served
from tests.support.webhook import Webhook, webhook_server

BOOK: JsonObject = {"type": "function", "function": {"name": "book"}}


class Bench:
    """A runner's surroundings."""

    def __init__(self, sender: WebhookSender, webhook: Webhook) -> None:
        self.sender = sender
        self.webhook = webhook
        self.variables: JsonObject = {"first_name": "John"}
        self.pressed: list[str] = []
        self.tasks: list[asyncio.Task[Any]] = []

    def runner(self, *tools: JsonObject, **model: Any) -> ToolRunner:
        record = CallRecord(Installation("o", "http://h"), {"id": "n"}, Dialled({}))
        outbox = Outbox(self.sender, call_id=record.id)
        server = Server(url=self.webhook.url)
        messages = CallMessages(self.sender, record, outbox, number_server=server, org_server=None)
        given = Model.model_validate({"provider": "openai", "tools": list(tools), **model})
        history = History()
        history.add(Entry("user", "My name is Ada.", 0.0, 1.0))

        def fill(template: str, extra: Mapping[str, Any]) -> str:
            return render(template, {**self.variables, **extra}).text

        async def press(digits: str) -> None:
            self.pressed.append(digits)

        def spawn(work: Coroutine[Any, Any, Any], name: str) -> object:
            self.tasks.append(asyncio.create_task(work, name=name))
            return None

        return ToolRunner(
            offered_tools(given, may_end_call=True),
            messages=messages,
            sender=self.sender,
            call_id=record.id,
            fill=fill,
            variables=self.variables,
            history=lambda: history,
            press=press,
            spawn=spawn,
        )

    def replies(self, kind: str, body: Any, *, status: int = 200) -> None:
        async def answer(_: JsonObject) -> web.StreamResponse:
            return web.json_response(body, status=status)

        self.webhook.replies[kind] = answer


@pytest.fixture
async def bench() -> AsyncGenerator[Bench, None]:
    async with webhook_server() as webhook, aiohttp.ClientSession() as session:
        yield Bench(WebhookSender(session), webhook)


async def one(runner: ToolRunner, name: str, arguments: str = "{}") -> Outcome:
    (outcome,) = await runner.run([ToolCall("c1", name, arguments)])
    return outcome


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


async def test_arguments_that_are_no_object_are_none(bench: Bench) -> None:
    bench.replies("tool-calls", {"result": "x"})
    for text in ("nonsense", "[1]", ""):
        await one(bench.runner(BOOK), "book", text)
    sent = [m["toolCallList"][0]["function"]["arguments"] for m in bench.webhook.messages("tool-calls")]
    assert sent == [{}, {}, {}]


async def test_what_the_server_says_is_spoken_before_the_tools_own_sentence(bench: Bench) -> None:
    tool = {**BOOK, "messages": [{"type": "request-complete", "content": "Its own."}]}
    message = {"type": "request-complete", "content": "The server's.", "endCallAfterSpokenEnabled": True}
    bench.replies("tool-calls", {"results": [{"toolCallId": "c1", "result": "x", "message": message}]})
    outcome = await one(bench.runner(tool), "book")
    assert outcome.message is not None
    assert (outcome.message.content, outcome.message.end_call_after_spoken_enabled) == ("The server's.", True)
    bench.replies("tool-calls", {"results": [{"toolCallId": "c1", "result": "x", "message": {"type": "?"}}]})
    outcome = await one(bench.runner(tool), "book")
    assert outcome.message is not None
    assert outcome.message.content == "Its own."


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


async def test_a_tool_can_be_refused_by_what_was_said(bench: Bench) -> None:
    plan = {"conditions": [{"type": "regex", "regex": "Ada"}]}
    outcome = await one(bench.runner({**BOOK, "rejectionPlan": plan}), "book")
    assert outcome.failed
    assert not bench.webhook.requests


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
    monkeypatch.setattr("ari_assistant.conversation.tool_runner.asyncio.sleep", sleep)
    outcome = await one(runner, "dtmf", '{"keys": "12w3W#"}')
    assert (bench.pressed, pauses, outcome.failed) == (["12", "3", "#"], [0.5, 1.0], False)
    assert (await one(runner, "dtmf", '{"keys": "call me"}')).failed


async def test_a_destination_is_chosen_by_its_address_or_asked_for(bench: Bench) -> None:
    destinations = [
        {"type": "sip", "sipUri": "sip:a@pbx"},
        {"type": "sip", "sipUri": "sip:b@pbx", "callerId": "{{first_name}}"},
    ]
    runner = bench.runner({"type": "transferCall", "destinations": destinations})
    chosen = await one(runner, "transferCall", '{"destination": "sip:b@pbx"}')
    assert chosen.transfer is not None
    assert (chosen.transfer.sip_uri, chosen.transfer.caller_id) == ("sip:b@pbx", "John")
    assert "must be one of: sip:a@pbx, sip:b@pbx" in (await one(runner, "transferCall")).result
    asked = bench.runner({"type": "transferCall", "destinations": []})
    message = {"type": "request-start", "content": "One moment."}
    bench.replies("transfer-destination-request", {"destination": destinations[0], "message": message})
    outcome = await one(asked, "transferCall")
    assert outcome.transfer is not None
    assert outcome.transfer.sip_uri == "sip:a@pbx"
    assert outcome.message is not None
    warm = destinations[0] | {"transferPlan": {"mode": "warm-transfer-say-message"}}
    for answer in ({"error": "Nobody is there."}, {"destination": {"type": "sip"}}, {"destination": warm}, {}):
        bench.replies("transfer-destination-request", answer)
        assert (await one(asked, "transferCall")).failed
    other = {"type": "assistant", "assistantName": "Sales"}
    assert (await one(bench.runner({"type": "transferCall", "destinations": [other]}), "transferCall")).failed


async def test_end_call_ends_the_call(bench: Bench) -> None:
    outcome = await one(bench.runner(), "endCall")
    assert (outcome.ends_call, outcome.message) == (True, None)


async def test_a_server_is_not_told_the_secrets_of_its_tool(bench: Bench) -> None:
    server = {"url": bench.webhook.url, "secret": "hidden", "headers": {"Authorization": "Bearer hidden"}}
    bench.replies("tool-calls", {"result": "x"})
    assert not (await one(bench.runner({**BOOK, "server": server}), "book")).failed
    (sent,) = bench.webhook.messages("tool-calls")
    assert sent["toolWithToolCallList"][0]["server"] == {"url": bench.webhook.url}
    assert "hidden" not in str(sent)


async def test_neither_caller_nor_model_choose_the_host_of_a_request_or_a_transfer(bench: Bench) -> None:
    bench.variables |= header_variables([("X-Host", "evil.example"), ("X-Ext", "evil@h;")], call_id="c")
    seen: list[str] = []

    async def receive(request: web.Request) -> web.Response:
        seen.append(request.raw_path)
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receive)
    async with served(app) as url:

        def api(address: str, **more: Any) -> JsonObject:
            return {"type": "apiRequest", "name": "api", "method": "GET", "url": address, **more}

        bench.variables["base"] = url  # the assistant's own, or a tool's result
        made = await one(bench.runner(api("{{base}}/{{ext}}/{{city}}?q={{city}}")), "api", '{"city": "a/../b&c"}')
        assert made.result == "ok"
        for address in ("http://{{host}}/", "{{url}}", "{{base}}{{host}}/", "{{fixed}}"):
            fixed = {"parameters": [{"key": "fixed", "value": "http://{{host}}/"}]}
            refused = await one(bench.runner(api(address, **fixed)), "api", '{"url": "http://evil.example/"}')
            assert refused.failed, address
        own = {"parameters": [{"key": "fixed", "value": "{{base}}/fixed"}]}
        assert (await one(bench.runner(api("{{fixed}}", **own)), "api")).result == "ok"
    assert seen == [
        "/evil@h;/a%2F..%2Fb&c?q=a/../b%26c&city=a/../b%26c",
        "/fixed?fixed=" + url + "/fixed",
    ]

    def transfer(uri: str) -> ToolRunner:
        return bench.runner({"type": "transferCall", "destinations": [{"type": "sip", "sipUri": uri}]})

    moved = await one(transfer("sip:{{ext}}@pbx.local"), "transferCall")
    assert moved.transfer is not None
    assert moved.transfer.sip_uri == "sip:evil%40h%3B@pbx.local"
    for uri in ("sip:1@{{host}}", "{{to}}", "sip:1@pbx.local;maddr={{host}}"):
        assert (await one(transfer(uri), "transferCall", '{"to": "sip:1@evil.example"}')).failed


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

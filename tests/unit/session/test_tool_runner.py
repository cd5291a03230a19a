"""What becomes of a tool's call: against a server that answers over a real socket."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from ari_assistant.reports.invite import header_variables
from ari_assistant.session.tool_runner import ToolRunner
from ari_assistant.vapi.base import JsonObject
from tests.support.serving import served
from tests.unit.session.tool_bench import BOOK, Bench, one


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


async def test_a_tool_can_be_refused_by_what_was_said(bench: Bench) -> None:
    plan = {"conditions": [{"type": "regex", "regex": "Ada"}]}
    outcome = await one(bench.runner({**BOOK, "rejectionPlan": plan}), "book")
    assert outcome.failed
    assert not bench.webhook.requests


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

"""Which model answers for an assistant."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from ari_assistant.assistants.model_providers import ChatEndpoint, ModelChoice
from ari_assistant.assistants.plans import metadata_fields
from ari_assistant.assistants.provider_access import ProviderAccess
from ari_assistant.providers.errors import ProviderError
from ari_assistant.providers.model import ChatMessage, ModelRequest, TextDelta, ToolCall
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.model import Model
from ari_assistant.webhooks.url_policy import UrlPolicy
from tests.support.chat_server import chat_server

HELLO = ModelRequest([ChatMessage("user", "Hello?")])


def assistant(**fields: Any) -> Assistant:
    return Assistant.model_validate(fields)


def plain(template: str, _: Any) -> str:
    return template


@pytest.mark.parametrize(
    ("model", "keys", "endpoint", "name"),
    [
        (None, {}, None, "built-in"),
        ({"provider": "built-in"}, {"openai": "k"}, "http://e", "built-in"),
        ({"provider": "openai", "model": "m"}, {}, None, "built-in"),
        ({"provider": "openai", "model": "m"}, {}, "http://e", "openai"),
        ({"provider": "anthropic", "model": "m"}, {"anthropic": "k"}, "http://e", "anthropic"),
        ({"provider": "tomorrow"}, {"tomorrow": "k"}, None, "built-in"),
        ({"provider": "custom-llm", "url": "http://h/v1", "model": "m"}, {}, None, "custom-llm"),
    ],
)
async def test_a_model_is_asked_where_there_is_a_key_or_a_url(
    model: Any, keys: dict[str, str], endpoint: str | None, name: str
) -> None:
    models = ModelChoice(ChatEndpoint(url=endpoint), UrlPolicy())
    given = assistant(model=model) if model is not None else assistant()
    assert models.choose(given, lambda text, _: text, ProviderAccess(keys)).name == name
    await models.aclose()


def test_what_a_custom_model_is_told_of_the_call() -> None:
    envelope = {
        "call": {"id": "c"},
        "phoneNumber": {"id": "n"},
        "customer": {"number": "1"},
        "assistant": {"x": 1},
    }
    common = {"call": {"id": "c"}, "phoneNumber": {"id": "n"}, "customer": {"number": "1"}}

    def fields(mode: str | None) -> Any:
        model = {"provider": "custom-llm", "url": "http://h", "model": "m"}
        given = model if mode is None else {**model, "metadataSendMode": mode}
        return metadata_fields(assistant(model=given, metadata={"a": 1, "messages": "no"}), envelope)

    assert fields("off") == {}
    assert fields(None) == fields("variable") == {"metadata": {"a": 1, "messages": "no"}, **common}
    assert fields("destructured") == {"a": 1, **common}


async def test_a_key_goes_to_its_providers_address_and_only_custom_llms_to_the_assistants_url(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor does the assistant's URL see what the environment holds for OpenAI's own client."""
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "of-the-machine")
    ask = ModelRequest([ChatMessage("user", "Hello?")])
    async with chat_server() as owners, chat_server() as elsewhere:
        access = ProviderAccess({"openai": "sk-openai", "custom-llm": "sk-mine"}, {"openai": owners.url})
        models = ModelChoice(ChatEndpoint(), UrlPolicy())
        unchecked = Model.model_construct(provider="openai", model="m", url=elsewhere.url, headers={"X-A": "k"})
        mine = Model(provider="custom-llm", url=elsewhere.url, model="m", headers={"X-A": "1"})
        for model in (unchecked, mine):
            chosen = models.remote(Assistant.model_construct(model=model), access)
            assert chosen is not None
            assert [event async for event in chosen.reply(ask)] == [TextDelta("Hello.")]
        await models.aclose()
    (told,), (sent,) = owners.headers, elsewhere.headers
    assert (told["Authorization"], "x-a" in told) == ("Bearer sk-openai", False)
    assert (sent["Authorization"], sent["x-a"]) == ("Bearer sk-mine", "1")
    assert "of-the-machine" not in str(sent)


async def test_the_built_in_dialogue_says_what_is_written_with_the_calls_own_variables() -> None:
    facts = [{"ask": ["where are you"], "say": "In {{city}}."}]
    given = assistant(model={"provider": "built-in", "facts": facts})
    models = ModelChoice(ChatEndpoint(), UrlPolicy())

    async def said(city: str) -> str:
        model = models.choose(given, lambda template, _: template.replace("{{city}}", city), ProviderAccess())
        asked = ModelRequest([ChatMessage("user", "Where are you?")])
        return "".join([event.text async for event in model.reply(asked) if isinstance(event, TextDelta)])

    assert await asyncio.gather(*map(said, ("Rome", "Oslo"))) == ["In Rome.", "In Oslo."]


async def test_the_built_in_dialogue_hangs_up_when_the_caller_takes_leave() -> None:
    model = ModelChoice(ChatEndpoint(), UrlPolicy()).choose(assistant(), plain, ProviderAccess())
    events = [event async for event in model.reply(ModelRequest([ChatMessage("user", "Goodbye.")]))]
    assert any(isinstance(event, ToolCall) and event.name == "endCall" for event in events)


async def test_fallback_models_are_asked_one_after_the_other(log_lines: list[dict[str, Any]]) -> None:
    async with chat_server() as server:

        async def only_the_second(request: Any, body: Any) -> Any:
            if body["model"] != "second":
                return web.Response(status=503)
            return await server.says("Hello.")(request, body)

        server.behaviour = only_the_second
        models = ModelChoice(ChatEndpoint(), UrlPolicy())
        given = {"provider": "openai", "model": "first", "fallbackModels": ["second"]}
        chosen = models.remote(assistant(model=given), ProviderAccess({"openai": "k"}, {"openai": server.url}))
        assert chosen is not None
        assert [event async for event in chosen.reply(HELLO)] == [TextDelta("Hello.")]
        await models.aclose()
    assert [body["model"] for body in server.requests] == ["first", "second"]
    assert [line["event"] for line in log_lines] == ["provider_fallback"]


async def test_no_request_goes_from_an_assistants_url_to_where_the_policy_forbids() -> None:
    models = ModelChoice(ChatEndpoint(), UrlPolicy(strict=True))
    given = {"provider": "custom-llm", "url": "http://127.0.0.1:9", "model": "m"}
    chosen = models.remote(assistant(model=given), ProviderAccess())
    assert chosen is not None
    with pytest.raises(ProviderError):
        [event async for event in chosen.reply(HELLO)]
    await models.aclose()


async def test_endpoints_that_have_rested_longest_are_closed() -> None:
    models = ModelChoice(ChatEndpoint(), UrlPolicy())

    def client(number: int) -> Any:
        given = {"provider": "custom-llm", "url": f"http://h{number}", "model": "m"}
        model: Any = models.remote(assistant(model=given), ProviderAccess())
        return model._client

    first, second = client(0), client(1)
    assert client(0) is first, "kept, and used again"
    others = [client(number) for number in range(2, 65)]
    await models.aclose()
    assert second.is_closed()
    assert client(0) is not first
    assert all(other.is_closed() for other in others)
    await models.aclose()

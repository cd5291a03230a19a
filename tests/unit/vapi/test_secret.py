"""No secret leaves: every field of every schema that is one is marked, and what is marked is shown to nobody."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Annotated, Any, Union, get_args, get_origin

import aiohttp
import pytest
from pydantic import BaseModel

from ari_assistant.conversation.result import Conversation
from ari_assistant.conversation.usage import Consumption
from ari_assistant.dialogue.history import History
from ari_assistant.dialogue.variables import Variables
from ari_assistant.reports.messages import CallMessages
from ari_assistant.reports.record import CallRecord, Dialled, Installation
from ari_assistant.vapi.assistant import Assistant, AssistantOverrides
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.call import CreateCall, Customer
from ari_assistant.vapi.credential import credential_union
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.phone_number import AnyPhoneNumber
from ari_assistant.vapi.secret import DATA, SECRET, looks_secret, with_secrets_of, without_secrets
from ari_assistant.vapi.server import Server
from ari_assistant.vapi.squad import Squad
from ari_assistant.vapi.structured_output import StructuredOutput
from ari_assistant.vapi.tool import Tool
from ari_assistant.webhooks.outbox import Outbox
from ari_assistant.webhooks.sender import WebhookSender

ROOTS: list[Any] = [
    Assistant, AssistantOverrides, Squad, AnyPhoneNumber, Tool, CreateCall, Destination, StructuredOutput,
    credential_union._type,
]  # fmt: skip
NO_SECRETS = {
    "sipHeaders": "what the far end of a transfer is told; those that look secret are left out one by one",
}
CANARY = "canary-7f3a"


def parts(annotation: Any) -> Iterator[Any]:
    """The annotation and everything in it: branches, elements, marks."""
    yield annotation
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        yield from marks
        yield from parts(inner)
    elif get_origin(annotation) in (Union, types.UnionType, list, dict):
        for branch in get_args(annotation):
            yield from parts(branch)


def is_model(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, BaseModel)


def models() -> set[type[BaseModel]]:
    found: set[type[BaseModel]] = set()
    waiting = [part for root in ROOTS for part in parts(root) if is_model(part)]
    while waiting:
        model = waiting.pop()
        if model not in found:
            found.add(model)
            waiting += [p for f in model.model_fields.values() for p in parts(f.annotation) if is_model(p)]
    return found


def marked(field: Any) -> list[Any]:
    return [part for part in [*field.metadata, *parts(field.annotation)] if part in (SECRET, DATA)]


def test_every_field_that_looks_secret_is_marked_where_it_is_declared() -> None:
    assert len(models()) > 50
    forgotten = {
        f"{model.__name__}.{name}"
        for model in models()
        for name, field in model.model_fields.items()
        if (looks_secret(name) or looks_secret(field.alias or name))
        and not marked(field)
        and field.alias not in NO_SECRETS
    }
    assert forgotten == set()


def secret_paths(annotation: Any, above: tuple[type[BaseModel], ...] = ()) -> Iterator[tuple[str, ...]]:
    """The way to every marked field; `[]` is an element of a list. A schema within itself is entered once more."""
    for part in parts(annotation):
        if get_origin(part) is list:
            for path in secret_paths(get_args(part)[0], above):
                yield ("[]", *path)
        if not is_model(part) or above.count(part) > 1 or len(above) > 7:
            continue
        for name, field in part.model_fields.items():
            alias = field.alias or name
            if SECRET in marked(field):
                yield (alias,)
            elif DATA not in marked(field):
                yield from ((alias, *path) for path in _within(field.annotation, (*above, part)))


def _within(annotation: Any, above: tuple[type[BaseModel], ...]) -> Iterator[tuple[str, ...]]:
    if get_origin(annotation) is Annotated:
        yield from _within(get_args(annotation)[0], above)
    elif get_origin(annotation) in (Union, types.UnionType):
        for branch in get_args(annotation):
            yield from _within(branch, above)
    elif get_origin(annotation) is list:
        yield from (("[]", *path) for path in _within(get_args(annotation)[0], above))
    elif is_model(annotation):
        yield from secret_paths(annotation, above)


def document(path: tuple[str, ...]) -> Any:
    """A document with a secret at `path`."""
    value: Any = CANARY
    for step in reversed(path):
        value = [value] if step == "[]" else {"type": "function", "provider": "openai", step: value}
    return value


def paths(root: Any) -> list[tuple[str, ...]]:
    return sorted(set(_within(root, ())))


@pytest.mark.parametrize("root", ROOTS, ids=lambda root: getattr(root, "__name__", "union"))
def test_a_secret_at_any_place_of_any_schema_is_left_out(root: Any) -> None:
    for path in paths(root):
        given = document(path)
        assert CANARY in json.dumps(given)
        assert CANARY not in json.dumps(without_secrets(given, root)), path


def test_the_walk_gets_everywhere() -> None:
    found = {".".join(path) for path in paths(Assistant)}
    assert found >= {
        "server.secret",
        "server.headers",
        "serverUrlSecret",
        "credentials",
        "model.headers",
        "model.tools.[].server.secret",
        "model.tools.[].headers",
        "model.knowledgeBase.server.secret",
        "voice.server.secret",
        "transcriber.server.headers",
        "hooks.[].do.[].tool.headers",
        "startSpeakingPlan.smartEndpointingPlan.server.secret",
    }


OPEN: list[JsonObject] = [
    {"voice": {"provider": "openai", "fallbackPlan": {"voices": [{"server": {"secret": CANARY}}]}}},
    {"transcriber": {"provider": "x", "fallbackPlan": {"transcribers": [{"server": {"headers": {"a": CANARY}}}]}}},
    {"hooks": [{"on": "x", "do": [{"type": "tool", "server": {"secret": CANARY}}]}]},
    {"hooks": [{"on": "x", "do": [{"type": "function", "function": {"serverUrlSecret": CANARY}}]}]},
    {"model": {"provider": "tomorrow", "apiKey": CANARY}},
    {"model": {"provider": "x", "functions": [{"name": "f", "serverUrlSecret": CANARY}]}},
    {"model": {"provider": "x", "tools": [{"type": "mcp", "server": {"secret": CANARY}}]}},
    {"model": {"provider": "x", "tools": [
        {"type": "apiRequest", "parameters": [{"key": "api_key", "value": CANARY}]}]}},
    {"model": {"provider": "x", "tools": [
        {"type": "apiRequest", "body": {"properties": {"token": {"const": CANARY}}}}]}},
    {"model": {"provider": "x", "tools": [{"type": "transferCall", "destinations": [
        {"type": "assistant", "assistant": {"server": {"secret": CANARY}}}]}]}},
    {"model": {"provider": "x", "tools": [{"type": "transferCall", "destinations": [
        {"type": "sip", "transferPlan": {"transferAssistant": {"model": {"headers": {"a": CANARY}}}}}]}]}},
    {"server": {"url": f"https://user:{CANARY}@h/x"}},
    {"artifactPlan": {"structuredOutputs": [{"model": {"apiKey": CANARY}}]}},
    {"observabilityPlan": {"provider": "langfuse", "secretKey": CANARY}},
]  # fmt: skip


@pytest.mark.parametrize("given", OPEN, ids=lambda given: json.dumps(given)[:60])
def test_where_the_contract_is_open_names_decide(given: JsonObject) -> None:
    assert CANARY not in json.dumps(without_secrets(given, Assistant))


def test_the_users_own_data_and_what_only_sounds_secret_is_shown() -> None:
    given = {
        "metadata": {"token": "mine"},
        "variableValues": {"password": "open sesame"},
        "credentialIds": ["c"],
        "model": {
            "provider": "openai",
            "maxTokens": 5,
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "f", "parameters": {"properties": {"password": {"type": "string"}}}},
                    "server": {"url": "http://h/x@y", "credentialId": "c"},
                }
            ],
        },
    }
    assert without_secrets(given, Assistant) == given


async def test_neither_messages_nor_records_nor_the_live_artifact_hold_a_secret() -> None:
    async with aiohttp.ClientSession() as session:
        sender = WebhookSender(session)
        for path in [*paths(Assistant), *(("open", str(number)) for number in range(len(OPEN)))]:
            assistant = OPEN[int(path[1])] if path[0] == "open" else document(path)
            assistant = {key: value for key, value in assistant.items() if key not in ("type", "provider")}
            number = {"id": "n", "server": {"secret": CANARY}, "authentication": {"password": CANARY}}
            customer = {"number": "1", "squadOverrides": {"server": {"secret": CANARY}}}
            record = CallRecord(Installation("o", "http://h"), number, Dialled(customer))
            record.assistant = assistant
            record.overrides = {**assistant, "variableValues": {"x": "1"}}
            outbox = Outbox(sender, call_id=record.id)
            messages = CallMessages(sender, record, outbox, number_server=Server(url="http://h"), org_server=None)
            conversation = Conversation(
                history=History(),
                openai_messages=[],
                times=[],
                speculation=None,  # type: ignore[arg-type]
                statistics={},
                used=Consumption(),
                provider_names={},
            )
            if "artifactPlan" not in assistant:
                live = SimpleNamespace(conversation=lambda conversation=conversation: conversation)
                record.follow(live, Variables({"x": "1"}, History(), log=None))
            told = json.dumps([messages.build("status-update"), record.wire(), record.live_artifact()])
            assert CANARY not in told, path


def test_what_was_hidden_is_not_lost_when_it_is_sent_back() -> None:
    schema = credential_union
    trunk = {"provider": "byo-sip-trunk", "outboundAuthenticationPlan": {"authUsername": "u", "authPassword": "p"}}
    back = without_secrets(trunk, schema)
    assert "authPassword" not in back["outboundAuthenticationPlan"]
    back["outboundAuthenticationPlan"]["authUsername"] = "v"
    assert with_secrets_of(trunk, back, schema)["outboundAuthenticationPlan"] == {
        "authUsername": "v",
        "authPassword": "p",
    }
    plan = {"provider": "webhook", "authenticationPlan": {"type": "bearer", "token": "t"}}
    assert with_secrets_of(plan, without_secrets(plan, schema), schema) == plan
    other = {"provider": "webhook", "authenticationPlan": {"type": "hmac", "algorithm": "sha1", "secretKey": "k"}}
    assert with_secrets_of(plan, other, schema) == other
    new = {"provider": "webhook", "authenticationPlan": {"type": "bearer", "token": "new"}}
    assert with_secrets_of(plan, new, schema) == new


SECRET_NAMES = [
    "apiKey",
    "api_key",
    "X-Api-Key",
    "Authorization",
    "x-auth-token",
    "clientSecret",
    "secretKey",
    "awsSecretAccessKey",
    "awsAccessKeyId",
    "authPassword",
    "privateKey",
    "sessionToken",
    "openAIKey",
    "Set-Cookie",
    "hmacSecret",
]
OTHER_NAMES = [
    "maxTokens",
    "promptTokens",
    "credentialId",
    "credentialIds",
    "secretIsBase64",
    "tokenizer",
    "publicKey",
    "key",
    "authenticationPlan",
    "signatureHeader",
    "headerName",
    "sipHeadersInReferToEnabled",
]


@pytest.mark.parametrize(
    ("name", "secret"), [*((name, True) for name in SECRET_NAMES), *((name, False) for name in OTHER_NAMES)]
)
def test_a_name_tells_whether_it_holds_a_secret(name: str, secret: bool) -> None:
    assert looks_secret(name) is secret


def test_a_callers_customer_is_shown() -> None:
    assert without_secrets({"number": "1", "name": "Ada"}, Customer) == {"number": "1", "name": "Ada"}

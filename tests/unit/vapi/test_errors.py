from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.error import error_body, validation_messages
from ari_assistant.vapi.phone_number import PhoneNumber

ONLY_CUSTOM = (
    ": only provider custom-llm is asked at a URL of its own;"
    " where another provider is asked the server's owner sets, by ARI_ASSISTANT_PROVIDER_URLS"
)


def messages(schema: type[BaseModel], body: Any) -> list[str]:
    with pytest.raises(ValidationError) as raised:
        schema.model_validate(body)
    return validation_messages(raised.value)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"foo": 1}, ["property foo should not exist"]),
        ({"server": {"foo": 1}}, ["server.property foo should not exist"]),
        ({"name": 5}, ["name must be a string"]),
        ({"name": "x" * 41}, ["name must be shorter than or equal to 40 characters"]),
        ({"maxDurationSeconds": 5}, ["maxDurationSeconds must not be less than 10"]),
        ({"maxDurationSeconds": "long"}, ["maxDurationSeconds must be a number"]),
        ({"endCallPhrases": ["x"]}, ["endCallPhrases.0 must be longer than or equal to 2 characters"]),
        ({"model": {}}, ["model.provider should not be null or undefined"]),
        ({"model": "gpt"}, ["model must be an object"]),
        ({"hooks": {}}, ["hooks must be an array"]),
        (
            {"firstMessageMode": "never"},
            [
                "firstMessageMode must be one of the following values: assistant-speaks-first,"
                " assistant-waits-for-user or assistant-speaks-first-with-model-generated-message"
            ],
        ),
        ({"model": {"provider": "openai", "foo": 1}}, ["model.property foo should not exist"]),
        ({"voice": {"provider": "11labs", "speeed": 1}}, ["voice.property speeed should not exist"]),
        ({"maxDurationSeconds": "60"}, ["maxDurationSeconds must be a number"]),
        ({"backchannelingEnabled": "yes"}, ["backchannelingEnabled must be a boolean value"]),
        ({"model": {"provider": "custom-llm", "model": "m"}}, ["model.url must be a string"]),
        ({"model": {"provider": "openai", "url": "http://h"}}, [f"model.url must be absent{ONLY_CUSTOM}"]),
        ({"model": {"provider": "tomorrow", "url": "http://h"}}, [f"model.url must be absent{ONLY_CUSTOM}"]),
        ({"model": {"provider": "openai", "headers": {}}}, [f"model.headers must be absent{ONLY_CUSTOM}"]),
        (
            {"voice": {"provider": "openai", "server": {"url": "http://h"}}},
            ["voice.server must be absent: only provider custom-voice is asked at a server of its own"],
        ),
        (
            {"transcriber": {"provider": "deepgram", "server": {"url": "ws://h"}}},
            [
                "transcriber.server must be absent: only provider custom-transcriber is asked at a server of its own"
            ],
        ),
        ({"voice": {"provider": "custom-voice"}}, ["voice.server.url must be a string"]),
        (
            {"model": {"provider": "openai", "tools": [{"type": "function", "server": {"url": 1}}]}},
            ["model.tools.0.server.url must be a string"],
        ),
        (
            {"compliancePlan": {"recordingConsentPlan": {"type": "verbal", "message": "May we record?"}}},
            [
                "compliancePlan.recordingConsentPlan must be left out: asking for consent does not exist here yet."
                " To record nothing, set artifactPlan.recordingEnabled to false"
            ],
        ),
        ({"foo": 1, "bar": 2}, ["property foo should not exist", "property bar should not exist"]),
    ],
)
def test_faults_are_told_in_the_contracts_words(body: Any, expected: list[str]) -> None:
    assert messages(Assistant, body) == expected


@pytest.mark.parametrize(
    "mode",
    [
        "warm-transfer-say-message",
        "warm-transfer-with-summary",
        "warm-transfer-experimental",
        "blind-transfer-add-summary-to-sip-header",
    ],
)
def test_a_transfer_that_would_be_done_another_way_is_refused_by_name(mode: str) -> None:
    destination = {"type": "sip", "sipUri": "sip:a@example.org", "transferPlan": {"mode": mode}}
    tool = {"type": "transferCall", "destinations": [destination]}
    refusal = f"transferPlan.mode must be blind-transfer: {mode} does not exist here yet"
    assert messages(Assistant, {"model": {"provider": "openai", "tools": [tool]}}) == [
        f"model.tools.0.destinations.0.{refusal}"
    ]
    assert messages(
        PhoneNumber, {"provider": "vapi", "sipUri": "sip:a@example.org", "fallbackDestination": destination}
    ) == [f"fallbackDestination.{refusal}"]


def test_a_transfer_plan_takes_no_mode_that_nobody_knows() -> None:
    hook = {"on": "call.ending", "do": [{"type": "transfer", "destination": {
        "type": "sip", "sipUri": "sip:a@example.org", "transferPlan": {"mode": "luke-warm"}}}]}  # fmt: skip
    assert messages(Assistant, {"hooks": [hook]}) == [
        "hooks.0.do.0.destination.transferPlan.mode must be one of the following values: blind-transfer"
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"voice": {"provider": "11labs", "voiceId": "x", "stability": 0.5}},
        {"voice": {"provider": "tomorrow", "anything": [1]}},
        {"model": {"provider": "openai", "model": "m", "reasoningEffort": "low", "temperature": 1}},
        {"transcriber": {"provider": "deepgram", "model": "nova-3", "smartFormat": True}},
        {"model": {"provider": "custom-llm", "url": "http://h/v1", "model": "m", "metadataSendMode": "off"}},
    ],
)
def test_a_vendors_own_properties_and_unknown_vendors_are_kept(body: dict[str, Any]) -> None:
    assert Assistant.model_validate(body).wire() == body


def test_numbers_that_this_server_cannot_provide_are_refused_with_the_reason() -> None:
    base = {"provider": "vapi", "sipUri": "sip:a@b"}
    assert "sells no numbers" in messages(PhoneNumber, base | {"numberDesiredAreaCode": "415"})[0]
    assert "SIP URI" in messages(PhoneNumber, base | {"sipUri": "john"})[0]


def test_the_error_body_has_nests_shape() -> None:
    assert error_body(404, "gone") == {"message": "gone", "error": "Not Found", "statusCode": 404}
    assert error_body(400, ["a", "b"])["message"] == ["a", "b"]

"""Which assistant answers, from what a program or a server names."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from ari_assistant.assistants.lookup import AssistantMissing, AssistantUnusable, choose_assistant
from ari_assistant.calls.assistant_request import Forward, NoAnswer, Speak, UseAssistant, interpret
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.store.database import migrate, open_database


@pytest.fixture
async def catalogue(tmp_path: Path) -> AsyncGenerator[Catalogue, None]:
    url = f"sqlite:///{tmp_path / 'c.db'}"
    await migrate(url)
    engine = open_database(url)
    catalogue = Catalogue(engine, org_id="o")
    model = {"provider": "openai", "model": "m", "temperature": 0.2}
    await catalogue.assistants.create("a1", {"name": "Stored", "firstMessage": "Hi.", "model": model})
    await catalogue.squads.create(
        "s1",
        {
            "members": [
                {"assistantId": "a1", "assistantOverrides": {"firstMessage": "Team.", "name": "Member"}},
                {"assistant": {"name": "Second"}},
            ],
            "membersOverrides": {"name": "All"},
        },
    )
    yield catalogue
    await engine.dispose()


async def test_a_stored_assistant_with_overrides_keeps_what_they_do_not_name(catalogue: Catalogue) -> None:
    overrides = {"model": {"provider": "openai", "model": "n"}, "variableValues": {"x": 1}}
    chosen = await choose_assistant(catalogue, {"assistantId": "a1", "assistantOverrides": overrides})
    assert chosen is not None
    assert chosen.assistant_id == "a1"
    assert chosen.document["model"] == {"provider": "openai", "model": "n", "temperature": 0.2}
    assert chosen.document["variableValues"] == {"x": 1}
    assert chosen.overrides == overrides


async def test_of_a_squad_the_first_member_answers_with_every_layer_of_overrides(catalogue: Catalogue) -> None:
    chosen = await choose_assistant(catalogue, {"squadId": "s1", "squadOverrides": {"endCallMessage": "Bye."}})
    assert chosen is not None
    assert (chosen.assistant_id, chosen.squad_id) == ("a1", "s1")
    assert chosen.document["firstMessage"] == "Team."
    assert (chosen.document["name"], chosen.document["endCallMessage"]) == ("All", "Bye.")
    transient = await choose_assistant(catalogue, {"squad": {"members": [{"assistant": {"name": "T"}}]}})
    assert transient is not None
    assert (transient.assistant_id, transient.document) == (None, {"name": "T"})


async def test_nothing_named_is_nobody(catalogue: Catalogue) -> None:
    assert await choose_assistant(catalogue, {"assistantId": None}) is None


@pytest.mark.parametrize(
    ("body", "fault", "text"),
    [
        ({"assistantId": "gone"}, AssistantMissing, "gone"),
        ({"squadId": "gone"}, AssistantMissing, "gone"),
        ({"assistant": {"foo": 1}}, AssistantUnusable, "property foo should not exist"),
        ({"assistant": "x"}, AssistantUnusable, "must be an object"),
        ({"squad": {"members": []}}, AssistantUnusable, "squad.members"),
        (
            {"assistantId": "a1", "assistantOverrides": {"foo": 1}},
            AssistantUnusable,
            "assistantOverrides.property foo",
        ),
        ({"assistantId": "a1", "assistantOverrides": [1]}, AssistantUnusable, "assistantOverrides"),
    ],
)
async def test_what_cannot_be_used_is_told(
    catalogue: Catalogue, body: Any, fault: type[Exception], text: str
) -> None:
    with pytest.raises(fault, match=text):
        await choose_assistant(catalogue, body)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"error": "Closed."}, Speak),
        ({"error": "Closed.", "assistantId": "a1"}, Speak),
        ({"error": {"code": 1}}, NoAnswer),
        ({"error": "x" * 1001}, NoAnswer),
        ({"destination": {"type": "sip", "sipUri": "sip:a@b"}, "assistantId": "a1"}, Forward),
        ({"destination": {"type": "sip"}}, NoAnswer),
        ({"destination": {"type": "assistant", "assistantName": "x"}}, NoAnswer),
        (
            {"destination": {"type": "sip", "sipUri": "sip:a@b", "transferPlan": {"mode": "warm-transfer-twiml"}}},
            NoAnswer,
        ),
        ({"assistantId": "a1"}, UseAssistant),
        ({"messageResponse": {"assistantId": "a1"}}, UseAssistant),
        ({"squadId": "s1"}, UseAssistant),
        ({"squad": {"members": [{"assistantId": "a1"}]}}, UseAssistant),
        ({"assistant": {"model": {"provider": "openai", "model": "m"}}}, UseAssistant),
        ({"assistant": {"model": {"provider": "openai", "nonsense": 1}}}, NoAnswer),
        ({"assistant": {"model": {"provider": "openai", "url": "http://elsewhere/v1"}}}, NoAnswer),
        (
            {"assistantId": "a1", "assistantOverrides": {"model": {"provider": "openai", "url": "http://x"}}},
            NoAnswer,
        ),
        ({"assistantId": "gone"}, NoAnswer),
        ({"workflowId": "w"}, NoAnswer),
        ({}, NoAnswer),
    ],
)
async def test_every_answer_of_an_assistant_request_is_read(
    catalogue: Catalogue, answer: Any, expected: type[Any]
) -> None:
    assert isinstance(await interpret(answer, catalogue), expected)


async def test_every_fault_has_the_contracts_reason(catalogue: Catalogue) -> None:
    reasons = {}
    answers: dict[str, dict[str, Any]] = {
        "nothing": {},
        "unknown": {"assistantId": "gone"},
        "invalid": {"assistant": {"foo": 1}},
        "unspeakable": {"error": 5},
    }
    for name, answer in answers.items():
        found = await interpret(answer, catalogue)
        assert isinstance(found, NoAnswer)
        reasons[name] = found.ending.reason
    assert reasons == {
        "nothing": "assistant-request-returned-no-assistant",
        "unknown": "assistant-not-found",
        "invalid": "assistant-request-returned-invalid-assistant",
        "unspeakable": "assistant-request-returned-unspeakable-error",
    }


async def test_headers_of_a_stored_model_do_not_go_to_the_url_of_an_override(catalogue: Catalogue) -> None:
    model = {"provider": "custom-llm", "url": "http://mine/v1", "model": "m", "headers": {"X-Key": "stored"}}
    await catalogue.assistants.create("a2", {"model": model})

    async def laid(**fields: Any) -> Any:
        body = {"assistantId": "a2", "assistantOverrides": {"model": {"provider": "custom-llm", **fields}}}
        chosen = await choose_assistant(catalogue, body)
        assert chosen is not None
        return chosen.document["model"]

    assert "headers" not in await laid(url="http://elsewhere/v1")
    assert (await laid(url="http://mine/v1", temperature=0.5))["headers"] == {"X-Key": "stored"}
    assert (await laid(url="http://elsewhere/v1", headers={"X-Key": "own"}))["headers"] == {"X-Key": "own"}

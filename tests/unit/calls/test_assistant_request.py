"""What a server's answer to an `assistant-request` means, or its silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ari_assistant.calls.assistant_request import Forward, NoAnswer, Speak, UseAssistant, ask, interpret
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.server import Server
from ari_assistant.webhooks.sender import WebhookFailed, WebhookRejected, WebhookUnreadable
from tests.support.telephony import Office

SERVER = Server(url="http://server.example")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path, {}, assistants={"a1": {"name": "Ada"}})


class Messages:
    """Asks, and gets `answer`."""

    def __init__(self, answer: JsonObject | Exception) -> None:
        self.answer = answer
        self.asked: list[tuple[str, float | None]] = []

    async def ask(self, server: Server, kind: str, *, timeout_seconds: float | None = None) -> JsonObject:
        self.asked.append((kind, timeout_seconds))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def asked(office: Office, answer: JsonObject | Exception) -> Any:
    messages: Any = Messages(answer)
    result = await ask(messages, SERVER, timeout_seconds=7.5, catalogue=office.services.catalogue)
    assert messages.asked == [("assistant-request", 7.5)]
    return result


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (WebhookRejected("500", status=500), "assistant-request-returned-error"),
        (WebhookUnreadable("no JSON"), "assistant-request-returned-no-assistant"),
        (WebhookFailed("timed out"), "assistant-request-failed"),
    ],
)
async def test_a_server_that_does_not_answer_is_nobody_and_says_why(
    office: Office, fault: Exception, reason: str
) -> None:
    answer = await asked(office, fault)
    assert isinstance(answer, NoAnswer)
    assert (answer.ending.reason, answer.ending.message) == (reason, str(fault))


async def test_an_error_beats_a_destination_which_beats_an_assistant(office: Office) -> None:
    everything = {
        "error": " Closed. ",
        "destination": {"type": "sip", "sipUri": "sip:a@b"},
        "assistantId": "a1",
    }
    assert await asked(office, everything) == Speak("Closed.")
    assert isinstance(await asked(office, {**everything, "error": None}), Forward)
    named = await asked(office, {"assistantId": "a1"})
    assert isinstance(named, UseAssistant)
    assert named.chosen.document == {"name": "Ada"}


async def test_an_answer_may_be_wrapped(office: Office) -> None:
    assert await asked(office, {"messageResponse": {"error": "Closed."}}) == Speak("Closed.")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"error": {"code": 1}}, "assistant-request-returned-unspeakable-error"),
        ({"error": "x" * 1_001}, "assistant-request-returned-unspeakable-error"),
        ({"destination": {"type": "sip"}}, "assistant-request-returned-invalid-assistant"),
        ({"assistant": {"silenceTimeoutSeconds": "x"}}, "assistant-request-returned-invalid-assistant"),
        ({"assistantId": "gone"}, "assistant-not-found"),
        ({}, "assistant-request-returned-no-assistant"),
    ],
)
async def test_what_cannot_be_used_is_nobody_and_is_shown_to_the_operator(
    office: Office, answer: JsonObject, reason: str
) -> None:
    found = await interpret(answer, office.services.catalogue)
    assert isinstance(found, NoAnswer)
    assert (found.ending.reason, found.response) == (reason, answer)

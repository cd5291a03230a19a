"""How an assistant begins."""

from __future__ import annotations

from typing import Any

import pytest

from ari_assistant.conversation.actions import Text
from ari_assistant.conversation.core import Greeting
from ari_assistant.dialogue.history import History
from ari_assistant.dialogue.variables import Variables
from ari_assistant.reports.invite import header_variables
from ari_assistant.session.greeting import first_message, greeting
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.assistant import Assistant

WAITS = "assistant-waits-for-user"
MODEL = "assistant-speaks-first-with-model-generated-message"


def said(text: str | None, mode: str | None = None, **variables: Any) -> str | None:
    log = get_logger("test")
    assistant = Assistant.model_validate({"firstMessage": text, "firstMessageMode": mode})
    return first_message(assistant, Variables(variables, History(), log=log), log=log)


@pytest.mark.parametrize(
    ("text", "mode", "expected"),
    [
        ("Hello {{name}}.", None, "Hello Ada."),
        ("Hello.", "assistant-speaks-first", "Hello."),
        ("Hello.", WAITS, None),
        ("Hello.", MODEL, None),
        ("{{nothing}}", None, None),
        (None, None, None),
        ("https://files.example/{{name}}.wav", None, "https://files.example/Ada.wav"),
    ],
)
def test_the_first_message_is_said_by_an_assistant_that_speaks_first(
    text: str | None, mode: str | None, expected: str | None
) -> None:
    assert said(text, mode, name="Ada") == expected


def test_a_caller_chooses_no_host_of_a_first_message(log_lines: list[dict[str, Any]]) -> None:
    given = header_variables([("X-Host", "evil.example")], call_id="c")
    assert said("https://{{host}}/hello.wav", **given) is None
    assert [line["event"] for line in log_lines] == ["first_message_audio_refused"]


def test_the_first_message_cannot_be_interrupted_unless_the_assistant_says_so() -> None:
    hello = (Text(("Hello.",), is_template=False),)
    assert greeting(Assistant(), "Hello.") == Greeting(hello, protected=True)
    talks = Assistant(first_message_interruptions_enabled=True)
    assert greeting(talks, "Hello.") == Greeting(hello, protected=False)


def test_without_one_the_caller_begins_or_the_model() -> None:
    assert greeting(Assistant(), None) == Greeting()
    assert greeting(Assistant.model_validate({"firstMessageMode": MODEL}), None) == Greeting(by_model=True)

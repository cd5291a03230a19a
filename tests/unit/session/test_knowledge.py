"""What a custom knowledge base answers, and what is made of it."""

from __future__ import annotations

from typing import Any

import pytest

from ari_assistant.dialogue.history import Entry, History
from ari_assistant.providers.model import ChatMessage
from ari_assistant.session.knowledge import ask_knowledge_base
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.server import Server
from tests.support.conversation import FakeMessages

ASKED = [ChatMessage("system", "You serve."), ChatMessage("user", "When?")]


async def said(answer: JsonObject | None) -> list[ChatMessage] | str:
    messages, history = FakeMessages(), History()
    history.add(Entry("user", "When?", 0.0, 1.0))
    if answer is not None:
        messages.answers["knowledge-base-request"] = answer
    found = await ask_knowledge_base(Server(url="http://h"), messages, history, ASKED)
    ((kind, fields),) = messages.asked
    assert kind == "knowledge-base-request"
    assert fields["messagesOpenAIFormatted"] == [message.wire() for message in ASKED]
    assert fields["messages"][0]["message"] == "When?"
    return found


async def test_documents_are_one_message_to_the_model() -> None:
    documents = [{"content": "From nine.", "similarity": 0.9}, {"content": "Till five."}, "x"]
    assert await said({"documents": documents}) == [
        ChatMessage("system", "Documents:\n\nFrom nine.\n\nTill five.")
    ]


async def test_a_message_is_said_instead_of_the_models_answer() -> None:
    assert await said({"message": {"role": "assistant", "content": "At nine."}, "documents": []}) == "At nine."


@pytest.mark.parametrize("answer", [{}, {"documents": []}, {"documents": "x"}, {"message": "x"}, {"message": {}}])
async def test_whatever_else_it_answers_is_nothing(answer: JsonObject) -> None:
    assert await said(answer) == []


async def test_a_base_that_fails_is_logged_and_says_nothing(log_lines: list[dict[str, Any]]) -> None:
    assert await said(None) == []
    assert [line["event"] for line in log_lines] == ["knowledge_base_failed"]

"""What an assistant's own endpointing server answers, and what counts of it."""

from __future__ import annotations

from typing import Any

import pytest

from ari_assistant.dialogue.history import Entry, History
from ari_assistant.dialogue.variables import Variables
from ari_assistant.session.endpointing_server import EndpointingServer
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.server import Server
from tests.support.conversation import FakeMessages


async def waits(answer: Any) -> tuple[float | None, FakeMessages]:
    messages, log = FakeMessages(), get_logger("test")
    if answer is not None:
        messages.answers["call.endpointing.request"] = answer
    variables = Variables({"name": "Ada"}, History(), log=log)
    variables.history.add(Entry("bot", "Your number?", 0.0, 1.0))
    assistant = Assistant.model_validate({"model": {"provider": "openai", "systemPrompt": "You serve {{name}}."}})
    server = EndpointingServer(Server(url="http://h"), assistant, messages, variables, log=log)
    return await server.wait_seconds("Five five"), messages


async def test_it_is_told_the_whole_conversation_and_says_how_long_to_wait() -> None:
    seconds, messages = await waits({"timeoutSeconds": 2})
    assert seconds == 2.0
    ((kind, fields),) = messages.asked
    assert kind == "call.endpointing.request"
    assert fields["messagesOpenAIFormatted"] == [
        {"role": "system", "content": "You serve Ada."},
        {"role": "assistant", "content": "Your number?"},
        {"role": "user", "content": "Five five"},
    ]


@pytest.mark.parametrize(
    "answer", [None, {}, *({"timeoutSeconds": seconds} for seconds in (-1, 16, True, "2", None))]
)
async def test_without_a_usable_answer_our_own_rules_count_and_the_log_says_so(
    answer: Any, log_lines: list[dict[str, Any]]
) -> None:
    assert (await waits(answer))[0] is None
    assert [line["event"] for line in log_lines] == ["endpointing_server_failed"]

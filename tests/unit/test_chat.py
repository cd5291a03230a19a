"""`ari-assistant chat`: an assistant without a telephone."""

from __future__ import annotations

from pathlib import Path

import pytest

from ari_assistant.chat import ChatFault, chat
from ari_assistant.config.settings import Settings
from tests.support.chat_server import chat_server, chunk, stream

FILE = """
assistants:
  - id: shop
    name: The shop
    firstMessage: "Hello {{first_name}}."
    model:
      provider: built-in
      facts: [{ask: ["where are you"], say: "In the market."}]
  - id: remote
    model: {provider: custom-llm, url: URL, tools: [{type: function, function: {name: look}}]}
phoneNumbers:
  - {provider: vapi, sipUri: "sip:hello@localhost", assistantId: shop}
"""


def settings(folder: Path, text: str = FILE) -> Settings:
    file = folder / "assistants.yaml"
    file.write_text(text)
    return Settings(assistants_file=file, data_dir=folder / "data")


async def talk(given: Settings, name: str, *lines: str, result: str = "") -> list[str]:
    shown: list[str] = []
    await chat(
        given,
        name,
        variables={"first_name": "Ada"},
        lines=lines,
        show=lambda who, text: shown.append(f"{who}: {text}"),
        ask=lambda question: result,
    )
    return [line for line in shown if not line.startswith("note: built-in")]


@pytest.mark.parametrize("name", ["shop", "The shop", "hello"])
async def test_it_greets_answers_and_hangs_up(tmp_path: Path, name: str) -> None:
    shown = await talk(settings(tmp_path), name, "Where are you?", "Goodbye.", "Hello?")
    assert shown == [
        "assistant: Hello Ada.",
        "assistant: In the market.",
        "assistant: Goodbye.",
        "tool: endCall({})",
        "note: the call would end here",
    ]


async def test_a_remote_model_gets_the_typed_result_of_its_tool(tmp_path: Path) -> None:
    async with chat_server() as server:

        async def behaviour(request, body):  # type: ignore[no-untyped-def]
            if body["messages"][-1]["role"] == "user":
                call = {
                    "index": 0,
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "look", "arguments": "{}"},
                }
                return await stream(request, [chunk(tool_calls=[call]), b"data: [DONE]\n\n"])
            return await stream(request, [chunk(content="Two left."), b"data: [DONE]\n\n"])

        server.behaviour = behaviour
        shown = await talk(settings(tmp_path, FILE.replace("URL", server.url)), "remote", "How many?", result="2")
    assert shown[1:] == ["tool: look({})", "assistant: Two left."]
    assert server.requests[-1]["messages"][-1]["content"] == "2"


async def test_an_unknown_assistant_is_told_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ChatFault, match="The shop"):
        await talk(settings(tmp_path), "nobody")

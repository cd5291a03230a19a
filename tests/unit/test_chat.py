"""`ari-assistant chat`: an assistant without a telephone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ari_assistant.chat import ChatFault, chat
from ari_assistant.config.settings import Settings
from tests.support.chat_server import ChatServer, chat_server, chunk, stream

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
  - id: guide
    firstMessageMode: assistant-waits-for-user
    firstMessage: "Nobody hears this."
    endCallMessage: "Goodbye, {{first_name}}."
    hooks:
      - {"on": call.ending, do: [{type: say, exact: "It was a pleasure."}]}
    model:
      provider: custom-llm
      url: URL
      toolIds: [nowhere]
      tools:
        - {type: endCall}
        - {type: transferCall, destinations: [{type: sip, sipUri: "sip:desk@pbx"}]}
        - type: function
          function: {name: book}
          messages: [{type: request-complete, content: "That is booked for {{first_name}}."}]
        - {type: apiRequest, name: weather, method: GET, url: "http://weather.example/{{first_name}}"}
  - id: polite
    firstMessage: "Have a nice day, whoever you are."
    endCallPhrases: ["have a nice day"]
    model: {provider: built-in}
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


async def guided(
    tmp_path: Path, tool: str, *lines: str, result: str = "", arguments: str = "{}"
) -> tuple[list[str], ChatServer]:
    """What is shown when the guide's model calls `tool` first, and says `Done.` when it has a result."""
    async with chat_server() as server:

        async def behaviour(request: Any, body: Any) -> Any:
            if body["messages"][-1]["role"] != "user":
                return await server.says("Done.")(request, body)
            call = {"name": tool, "arguments": arguments}
            delta = [{"index": 0, "id": "c1", "type": "function", "function": call}]
            return await stream(request, [chunk(tool_calls=delta), b"data: [DONE]\n\n"])

        server.behaviour = behaviour
        shown = await talk(settings(tmp_path, FILE.replace("URL", server.url)), "guide", *lines, result=result)
    return shown[1:], server


async def test_who_waits_for_the_caller_says_nothing_first_and_hangs_up_with_its_last_words(
    tmp_path: Path,
) -> None:
    shown, _ = await guided(tmp_path, "endCall", "That was all.", "Hello?")
    assert shown == [
        "tool: endCall({})",
        "assistant: It was a pleasure. Goodbye, Ada.",
        "note: the call would end here",
    ]


async def test_handing_over_ends_the_chat(tmp_path: Path) -> None:
    shown, _ = await guided(tmp_path, "transferCall", "A person, please.", "Hello?")
    assert shown == [
        "tool: transferCall({})",
        "assistant: Transferring the call now.",
        "note: … be handed over here",
    ]


async def test_a_tools_own_sentence_stands_where_a_call_has_it(tmp_path: Path) -> None:
    shown, server = await guided(tmp_path, "book", "Book me in.", result="ok")
    assert shown == ["tool: book({})", "assistant: That is booked for Ada."]
    assert len(server.requests) == 1


async def test_no_request_is_made_its_answer_is_typed(tmp_path: Path) -> None:
    shown, server = await guided(tmp_path, "weather", "How is the weather?", result="Sunny.")
    assert shown == ["tool: weather({})", "assistant: Done."]
    assert server.requests[-1]["messages"][-1]["content"] == "Sunny."


async def test_a_tool_that_brings_nothing_is_told_to_the_model_as_in_a_call(tmp_path: Path) -> None:
    _, server = await guided(tmp_path, "look", "Look.")
    assert server.requests[-1]["messages"][-1]["content"] == "There is no tool named look."


async def test_an_end_call_phrase_ends_the_chat(tmp_path: Path) -> None:
    shown = await talk(settings(tmp_path), "polite", "Hello?")
    assert shown == ["assistant: Have a nice day, whoever you are.", "note: the call would end here"]


async def test_a_model_that_fails_is_told_and_given_up_as_in_a_call(tmp_path: Path) -> None:
    given = settings(tmp_path, FILE.replace("URL", "http://127.0.0.1:9"))
    shown = await talk(given, "remote", "One.", "Two.", "Three.", "Four.")
    assert [line.partition(":")[0] for line in shown] == ["note"] * 5
    assert all("the model failed" in line for line in shown[1:4])
    assert shown[4] == "note: the call would end here"


async def test_an_unknown_assistant_is_told_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ChatFault, match="The shop"):
        await talk(settings(tmp_path), "nobody")

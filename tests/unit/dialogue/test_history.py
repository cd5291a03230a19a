from __future__ import annotations

from ari_assistant.dialogue.history import Entry, History, ToolsCalled, ToolsResult
from ari_assistant.dialogue.prompt import chat_messages, system_messages
from ari_assistant.providers.model import ChatMessage, ToolCall
from ari_assistant.vapi.model import Model


def history() -> History:
    result = History(started_ms=1_000_000)
    result.add(Entry("bot", "Hello.", 0.0, 1.5))
    result.add(Entry("user", "When are", 2.0, 3.0))
    result.add(Entry("user", "you open?", 3.5, 4.0))
    result.add(Entry("bot", "   ", 4.0, 4.0))
    result.add(Entry("bot", "From nine", 5.0, 6.25, interrupted=True))
    return result


def test_messages_have_vapis_form() -> None:
    first = history().messages()[0]
    assert first == {
        "role": "bot",
        "message": "Hello.",
        "time": 1_000_000,
        "endTime": 1_001_500,
        "secondsFromStart": 0.0,
        "duration": 1500,
        "source": "",
    }


def test_the_transcript_joins_one_sides_utterances_and_ends_every_line() -> None:
    assert history().transcript() == "AI: Hello.\nUser: When are you open?\nAI: From nine\n"
    assert history().transcript(assistant_name="Bot", user_name="Caller").startswith("Bot: Hello.\nCaller: ")


def test_the_model_is_asked_with_alternating_roles() -> None:
    system = [ChatMessage("system", "Be brief.")]
    messages = chat_messages(system, history(), "Go on.")
    assert [(m.role, m.content) for m in messages] == [
        ("system", "Be brief."),
        ("assistant", "Hello."),
        ("user", "When are you open?"),
        ("assistant", "From nine"),
        ("user", "Go on."),
    ]


def test_system_messages_are_templates() -> None:
    model = Model.model_validate(
        {
            "provider": "openai",
            "messages": [{"role": "system", "content": "Hi {{x}}"}],
            "systemPrompt": "Old {{x}}",
        }
    )
    rendered = system_messages(model, lambda text: text.replace("{{x}}", "John"))
    assert [m.content for m in rendered] == ["Old John", "Hi John"]


def test_a_tools_result_stands_behind_its_call_and_a_missing_one_is_pending() -> None:
    history = History(started_ms=1_000)
    calls = (ToolCall("1", "book", '{"day": "Mon"}'), ToolCall("2", "look", "{}"))
    history.add(Entry("user", "Book Monday.", 1.0, 2.0))
    history.add(ToolsCalled(calls, 2.5))
    history.add(Entry("bot", "One moment.", 3.0, 4.0))
    history.add(ToolsResult(calls[0], "Booked.", 5.0))
    assert [message.wire() for message in history.chat_messages()] == [
        {"role": "user", "content": "Book Monday."},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "book", "arguments": '{"day": "Mon"}'}},
                {"id": "2", "type": "function", "function": {"name": "look", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "content": "Booked.", "tool_call_id": "1"},
        {
            "role": "tool",
            "content": "Tool Result Still Pending But Proceed Further If Possible.",
            "tool_call_id": "2",
        },
        {"role": "assistant", "content": "One moment."},
    ]
    roles = [message["role"] for message in history.messages()]
    assert roles == ["user", "tool_calls", "bot", "tool_call_result"]
    assert history.messages()[1]["toolCalls"][0]["function"]["arguments"] == '{"day": "Mon"}'
    assert history.messages()[3]["toolCallId"] == "1"


def test_consecutive_pieces_of_one_side_are_one_message() -> None:
    history = History()
    history.add(Entry("bot", "Hello.", 0.0, 1.0))
    history.add(Entry("bot", "Are you there?", 5.0, 6.0))
    assert [(m["message"], m["duration"]) for m in history.messages()] == [("Hello. Are you there?", 6000)]

from __future__ import annotations

from ari_assistant.dialogue.history import History
from ari_assistant.dialogue.prompt import chat_messages, system_messages
from ari_assistant.providers.model import ChatMessage, ToolCall
from ari_assistant.vapi.model import Model


def model(**fields: object) -> Model:
    return Model.model_validate({"provider": "openai", "model": "m", **fields})


def test_an_assistants_messages_are_filled_and_a_developers_are_the_systems() -> None:
    messages = [
        {"role": "developer", "content": "be {{mood}}"},
        {"role": "assistant", "content": "hi"},
        {"role": "tool", "content": "left out"},
    ]
    made = system_messages(model(messages=messages), lambda text: text.replace("{{mood}}", "kind"))
    assert made == [ChatMessage("system", "be kind"), ChatMessage("assistant", "hi")]


def test_the_older_system_prompt_comes_first() -> None:
    made = system_messages(
        model(systemPrompt="old", messages=[{"role": "system", "content": "new"}]), lambda text: text
    )
    assert [message.content for message in made] == ["old", "new"]


def test_who_has_no_model_says_nothing() -> None:
    assert system_messages(None, lambda text: text) == []


def test_what_one_side_said_in_pieces_is_one_message() -> None:
    further = [ChatMessage("user", "please"), ChatMessage("assistant", "yes")]
    made = chat_messages([ChatMessage("system", "s")], History(), "open?", further)
    assert [(message.role, message.content) for message in made] == [
        ("system", "s"),
        ("user", "open? please"),
        ("assistant", "yes"),
    ]


def test_a_message_with_tool_calls_is_not_joined() -> None:
    call = ChatMessage("assistant", "", tool_calls=(ToolCall("1", "t", "{}"),))
    made = chat_messages([], History(), None, [ChatMessage("assistant", "wait"), call])
    assert len(made) == 2

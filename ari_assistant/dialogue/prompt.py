"""The messages that a model is asked with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ari_assistant.dialogue.history import History
from ari_assistant.dialogue.variables import Variables
from ari_assistant.providers.model import ChatMessage
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.model import Model

__all__ = ["chat_messages", "system_messages", "system_prompt"]

Render = Callable[[str], str]


def system_messages(model: Model | None, render: Render) -> list[ChatMessage]:
    """The assistant's own messages with their templates filled: `model.messages`, or the older `systemPrompt`."""
    if model is None:
        return []
    result = []
    if model.system_prompt:
        result.append(ChatMessage("system", render(model.system_prompt)))
    for message in model.messages or ():
        role = "system" if message.role in ("system", "developer") else message.role
        if role in ("system", "user", "assistant") and message.content:
            result.append(ChatMessage(role, render(message.content)))
    return result


def system_prompt(assistant: Assistant, variables: Variables) -> list[ChatMessage]:
    """An assistant's own messages as they are now: a tool may have brought new variables."""
    return system_messages(assistant.model, lambda template: variables.fill(template, {}))


def chat_messages(
    system: Sequence[ChatMessage], history: History, caller: str | None = None, further: Sequence[ChatMessage] = ()
) -> list[ChatMessage]:
    """`system`, then the conversation as it was heard, then what the caller has just said, then `further`.

    What was said in several pieces is one message: models are trained on alternating roles.
    """
    result = list(system)
    said = history.chat_messages()
    if caller is not None:
        said.append(ChatMessage("user", caller))
    for message in [*said, *further]:
        _append(result, message)
    return result


def _append(messages: list[ChatMessage], message: ChatMessage) -> None:
    last = messages[-1] if messages else None
    joins = (
        last is not None
        and last.role == message.role
        and message.role in ("user", "assistant")
        and not last.tool_calls
        and not message.tool_calls
    )
    if joins and last is not None:
        messages[-1] = ChatMessage(message.role, f"{last.content} {message.content}")
    else:
        messages.append(message)

"""A custom knowledge base: the user's server is asked for what the model should know (contract §7.7)."""

from __future__ import annotations

from collections.abc import Sequence

from ari_assistant.dialogue.history import History
from ari_assistant.providers.model import ChatMessage
from ari_assistant.session.interfaces import ServerMessages
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.server import Server, ServerFailed

__all__ = ["ask_knowledge_base"]

log = get_logger("session.knowledge")


async def ask_knowledge_base(
    server: Server, server_messages: ServerMessages, history: History, asked: Sequence[ChatMessage]
) -> list[ChatMessage] | str:
    """Documents as a system message, or a sentence to speak instead of the model's. `asked` are the messages that the
    model is about to get. A base that fails is logged, and has nothing to say."""
    try:
        answer = await server_messages.ask(
            server,
            "knowledge-base-request",
            messages=history.messages(),
            messagesOpenAIFormatted=[message.wire() for message in asked],
        )
    except ServerFailed as fault:
        log.warning("knowledge_base_failed", reason=str(fault))
        return []
    message = answer.get("message")
    if isinstance(message, dict) and isinstance(message.get("content"), str):
        return str(message["content"])
    documents = answer.get("documents")
    texts = (
        [str(document.get("content")) for document in documents if isinstance(document, dict)]
        if isinstance(documents, list)
        else []
    )
    return [ChatMessage("system", "Documents:\n\n" + "\n\n".join(texts))] if texts else []

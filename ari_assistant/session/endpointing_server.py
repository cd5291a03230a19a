"""The assistant's own endpointing server: how long must a pause last (`call.endpointing.request`, §10.1)?"""

from __future__ import annotations

from typing import Any

from ari_assistant.dialogue.prompt import chat_messages, system_prompt
from ari_assistant.dialogue.variables import Variables
from ari_assistant.session.interfaces import ServerMessages
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.server import Server, ServerFailed

__all__ = ["EndpointingServer"]

_SECONDS = 1.5
"""It has so long to answer."""
_LONGEST_WAIT = 15


class EndpointingServer:
    """Of one assistant in one call."""

    def __init__(
        self, server: Server, assistant: Assistant, messages: ServerMessages, variables: Variables, *, log: Any
    ) -> None:
        self._server = server
        self._assistant = assistant
        self._messages = messages
        self._variables = variables
        self._log = log

    async def wait_seconds(self, words: str) -> float | None:
        """How long after the caller's voice their turn is over, when `words` were recognised of it; None when there is
        no usable answer. Never raises."""
        history = self._variables.history
        formatted = chat_messages(system_prompt(self._assistant, self._variables), history, words)
        try:
            answer = await self._messages.ask(
                self._server,
                "call.endpointing.request",
                timeout_seconds=_SECONDS,
                messages=history.messages(),
                messagesOpenAIFormatted=[message.wire() for message in formatted],
            )
        except ServerFailed as fault:
            self._failed(str(fault))
            return None
        seconds = answer.get("timeoutSeconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _LONGEST_WAIT:
            self._failed(f"timeoutSeconds is {seconds!r}")
            return None
        return float(seconds)

    def _failed(self, reason: str) -> None:
        self._log.warning("endpointing_server_failed", reason=reason, instead="our own")

"""What was said, written down: the history, and what the user's server is told of it (contract §7.4)."""

from __future__ import annotations

from typing import Any

from ari_assistant.assistants.resolved import ResolvedAssistant
from ari_assistant.audio.playout import Spoken
from ari_assistant.dialogue.history import Entry, History
from ari_assistant.dialogue.prompt import system_prompt
from ari_assistant.dialogue.variables import Variables
from ari_assistant.session.interfaces import ServerMessages
from ari_assistant.telemetry import Private
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject

__all__ = ["Transcript"]


class Transcript:
    """Grows by what was heard, and tells of it at once. `turn` is the number of the turn that is on."""

    def __init__(self, messages: ServerMessages, variables: Variables, *, log: Any) -> None:
        """`log` is the call's."""
        self._messages = messages
        self._variables = variables
        self._log = log
        self._assistant = Assistant()
        """Whose system prompt stands before what was said; at first one without."""
        self._caller_speaks = False

    @property
    def history(self) -> History:
        """What was said so far."""
        return self._variables.history

    def use(self, resolved: ResolvedAssistant) -> None:
        """From now on this one is the assistant."""
        self._assistant = resolved.assistant

    def openai_messages(self) -> list[JsonObject]:
        """The conversation in OpenAI's form, the system prompt first."""
        prompt = system_prompt(self._assistant, self._variables)
        return [*(message.wire() for message in prompt), *self.history.openai_messages()]

    def caller_speaks(self, speaks: bool, *, turn: int) -> None:
        """`speech-update` of the caller, once a change."""
        if speaks is not self._caller_speaks:
            self._caller_speaks = speaks
            self._speech("user", "started" if speaks else "stopped", turn)

    def assistant_speaks(self, *, turn: int) -> None:
        """`speech-update`: a reply begins to be heard."""
        self._speech("assistant", "started", turn)

    def caller_said(self, words: Entry, *, turn: int) -> None:
        """The caller's words are taken for good."""
        self._log.info("caller_said", turn=turn, text=Private(words.text))
        self.history.add(words)
        self._messages.send_transcript("user", words.text, final=True)
        self._tell_conversation()

    def assistant_said(self, spoken: Spoken, *, turn: int, at: float, until: float, whole: str | None) -> None:
        """A reply is over. `at` and `until` are seconds since the answer; `whole` is what the model wrote, where the
        history is to hold that instead of what was heard (`modelOutputInMessagesEnabled`)."""
        text = whole or spoken.text
        self.history.add(Entry("bot", text, max(0.0, at), max(0.0, until), interrupted=not spoken.complete))
        self._speech("assistant", "stopped", turn)
        self._messages.send_transcript("assistant", spoken.text, final=True)
        self._tell_conversation()

    def _speech(self, role: str, status: str, turn: int) -> None:
        self._messages.send("speech-update", status=status, role=role, turn=turn)

    def _tell_conversation(self) -> None:
        if self._messages.wants("conversation-update"):
            formatted = self.openai_messages()
            self._messages.send(
                "conversation-update",
                messages=self.history.messages(),
                messagesOpenAIFormatted=formatted,
                conversation=formatted,
            )

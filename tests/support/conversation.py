"""What a conversation is held in, without a telephone, a database or a server: it notes what is asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from ari_assistant.assistants.resolved import ResolvedAssistant
from ari_assistant.conversation.ending import Ending
from ari_assistant.dialogue.tools import offered_tools
from ari_assistant.providers.model import ModelEvent, ModelRequest
from ari_assistant.session.interfaces import Surroundings
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.server import Server, ServerFailed

__all__ = ["FakeControl", "FakeMessages", "ScriptedModel", "fake_surroundings", "resolved_assistant"]


class FakeMessages:
    """A server that wants everything. `answers` holds what it answers to each kind; whom nothing is answered fails."""

    def __init__(self, **answers: Any) -> None:
        self.server: Server | None = Server(url="http://server.example")
        self.answers: dict[str, Any] = {kind.replace("_", "-"): answer for kind, answer in answers.items()}
        self.sent: list[tuple[str, JsonObject]] = []
        self.asked: list[tuple[str, JsonObject]] = []

    @property
    def kinds(self) -> list[str]:
        """What was sent, by kind."""
        return [kind for kind, _ in self.sent]

    def send(self, kind: str, **fields: Any) -> None:
        self.sent.append((kind, fields))

    def send_transcript(self, role: str, text: str, *, final: bool) -> None:
        self.sent.append(("transcript", {"role": role, "text": text, "final": final}))

    def wants(self, kind: str) -> bool:
        return True

    def common(self) -> JsonObject:
        return {"call": {"id": "call"}, "phoneNumber": {"id": "number"}}

    async def ask(
        self, server: Server, kind: str, *, timeout_seconds: float | None = None, **fields: Any
    ) -> JsonObject:
        self.asked.append((kind, fields))
        if kind not in self.answers:
            raise ServerFailed("nobody answers")
        answer = self.answers[kind]
        given: JsonObject = await answer() if callable(answer) else answer
        return given


class FakeControl:
    """A call that notes what is done to it."""

    def __init__(self) -> None:
        self.endings: list[Ending] = []
        self.transfers: list[Destination] = []
        self.pressed: list[str] = []

    def end(self, ending: Ending) -> None:
        self.endings.append(ending)

    async def transfer(self, destination: Destination) -> None:
        self.transfers.append(destination)

    async def press(self, digits: str) -> None:
        self.pressed.append(digits)


class _Background:
    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[Any]] = []

    def spawn(self, work: Any, name: str) -> object:
        self.tasks.append(asyncio.create_task(work, name=name))
        return None


def fake_surroundings(**given: Any) -> Surroundings:
    """`given` are the fields that a test looks at; what is left out and used all the same fails the test."""
    fields = {
        "messages": FakeMessages(),
        "control": FakeControl(),
        "requests": None,
        "stored_tools": None,
        "voice_activity": None,
        "end_of_turn": None,
        "background": _Background(),
        **given,
    }
    return Surroundings(**fields)


class ScriptedModel:
    """Answers each request with the next of `rounds`, and with the last of them for ever."""

    name = "scripted"

    def __init__(self, *rounds: Sequence[ModelEvent] | Callable[[ModelRequest], Sequence[ModelEvent]]) -> None:
        self._rounds = list(rounds)
        self.requests: list[ModelRequest] = []

    async def reply(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        self.requests.append(request)
        this = self._rounds.pop(0) if len(self._rounds) > 1 else self._rounds[0]
        for event in this(request) if callable(this) else this:
            yield event


def resolved_assistant(scripted: Any = None, /, **document: Any) -> ResolvedAssistant:
    """An assistant whose tools are those of its `model`, and whose voice and transcriber nobody asks."""
    assistant = Assistant.model_validate(document)
    nobody: Any = None
    return ResolvedAssistant(
        assistant=assistant,
        model=scripted,
        analyst=None,
        voice=nobody,
        transcriber=nobody,
        stream=None,
        tools=offered_tools(assistant.model, may_end_call=True),
    )

"""What callers say to the front desk that ships (`tests/captures/front_desk_sentences.yaml`), and how it does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ari_assistant.dialogue.rules.config import RulesConfig
from ari_assistant.dialogue.rules.model import RulesModel
from ari_assistant.dialogue.template import render
from ari_assistant.providers.model import ChatMessage, ModelRequest, TextDelta, ToolCall

__all__ = ["HANGS_UP", "Judged", "converse", "judged"]

_ROOT = Path(__file__).parents[2]
_SENTENCES = _ROOT / "tests" / "captures" / "front_desk_sentences.yaml"
_MONDAY = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
HANGS_UP = "[hangs up]"
"""Stands at the end of a reply after which the call is over."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A sentence and what came of it."""

    said: str
    after: str | None
    wanted: tuple[str, ...]
    reply: str
    happened: tuple[str, ...]
    """The outcomes that the reply shows."""

    @property
    def right(self) -> bool:
        """What should happen has happened."""
        return any(want in self.happened for want in self.wanted)

    @property
    def hung_up_wrongly(self) -> bool:
        """The caller did not take leave, and the call is over."""
        return self.reply.endswith(HANGS_UP) and "goodbye" not in self.wanted


@cache
def _file() -> dict[str, Any]:
    return dict(yaml.safe_load(_SENTENCES.read_text(encoding="utf-8")))


@cache
def _front_desk() -> tuple[str, RulesConfig]:
    """The assistant that greets every newcomer: its first message, its dialogue."""
    assistants = yaml.safe_load((_ROOT / "assistants.yaml").read_text(encoding="utf-8"))["assistants"]
    found = next(assistant for assistant in assistants if assistant["id"] == "front-desk")
    model = {key: value for key, value in found["model"].items() if key != "provider"}
    return render(found["firstMessage"], {}).text, RulesConfig.model_validate(model)


async def converse(*said: str) -> list[str]:
    """What the front desk says: its greeting, and a reply to each utterance."""
    greeting, config = _front_desk()
    model = RulesModel(config, lambda text, slots: render(text, dict(slots)).text, now=lambda: _MONDAY)
    messages = [ChatMessage("assistant", greeting)]
    for text in said:
        messages.append(ChatMessage("user", text))
        reply = ""
        async for event in model.reply(ModelRequest(messages)):
            if isinstance(event, TextDelta):
                reply += event.text
            elif isinstance(event, ToolCall) and event.name == "endCall":
                reply += f" {HANGS_UP}"
        messages.append(ChatMessage("assistant", reply))
    return [message.content for message in messages if message.role == "assistant"]


async def judged(half: str) -> list[Judged]:
    """All sentences of a half: `tuned` or `unseen`."""
    return [
        await _judge(line[0], line[1].split("|"), line[2] if len(line) > 2 else None) for line in _file()[half]
    ]


async def _judge(said: str, wanted: Sequence[str], after: str | None) -> Judged:
    patterns: dict[str, str] = _file()["outcomes"]
    replies = await converse(*(_file()["before"][after] if after is not None else ()), said)
    reply, before = replies[-1], replies[-2]
    happened = {name for name, pattern in patterns.items() if re.search(pattern, reply)}
    happened |= {want for want in wanted if want not in patterns and re.search(want, reply)}
    if reply.endswith(HANGS_UP):
        happened = {"goodbye"}
    elif reply == before:
        happened.add("repeat")
    return Judged(said, after, tuple(wanted), reply, tuple(sorted(happened)))

"""The conversation as it was heard (contract §7.8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ari_assistant.vapi.base import JsonObject

__all__ = ["Entry", "History"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One message. `at` and `until` are seconds since the call was answered."""

    role: Literal["system", "user", "bot"]
    text: str
    at: float
    until: float
    interrupted: bool = False


class History:
    """Grows only by what was really said: the caller's recognised words, the assistant's words that were heard."""

    def __init__(self, *, started_ms: int = 0) -> None:
        """`started_ms` is when the call was answered, in epoch milliseconds."""
        self._started_ms = started_ms
        self._entries: list[Entry] = []

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All messages so far, in order."""
        return tuple(self._entries)

    def add(self, entry: Entry) -> None:
        """Append a message; one without words is left out."""
        if entry.text.strip():
            self._entries.append(entry)

    def messages(self) -> list[JsonObject]:
        """Vapi's form: `role`, `message`, `time`, `endTime` (epoch ms), `secondsFromStart`, `duration` (ms)."""
        result = []
        for entry in self._entries:
            item: JsonObject = {
                "role": entry.role,
                "message": entry.text,
                "time": self._started_ms + round(entry.at * 1000),
                "secondsFromStart": round(entry.at, 3),
            }
            if entry.role != "system":
                item["endTime"] = self._started_ms + round(entry.until * 1000)
                item["duration"] = round((entry.until - entry.at) * 1000)
            if entry.role == "bot":
                item["source"] = ""
            result.append(item)
        return result

    def openai_messages(self) -> list[JsonObject]:
        """OpenAI's form: `role` system, user or assistant, and `content`."""
        return [
            {"role": "assistant" if entry.role == "bot" else entry.role, "content": entry.text}
            for entry in self._entries
        ]

    def transcript(self, *, assistant_name: str = "AI", user_name: str = "User") -> str:
        """`AI: …` and `User: …`, a line each, every line ended by a newline; one side's consecutive messages
        are one line."""
        lines: list[tuple[str, str]] = []
        for entry in self._entries:
            if entry.role == "system":
                continue
            name = assistant_name if entry.role == "bot" else user_name
            if lines and lines[-1][0] == name:
                lines[-1] = (name, f"{lines[-1][1]} {entry.text}")
            else:
                lines.append((name, entry.text))
        return "".join(f"{name}: {text}\n" for name, text in lines)

"""The conversation as it was heard (contract §7.8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ari_assistant.providers.model import ChatMessage, ToolCall
from ari_assistant.vapi.base import JsonObject

__all__ = ["Entry", "History", "ToolsCalled", "ToolsResult"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One message. `at` and `until` are seconds since the call was answered."""

    role: Literal["system", "user", "bot"]
    text: str
    at: float
    until: float
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class ToolsCalled:
    """The assistant called tools."""

    calls: tuple[ToolCall, ...]
    at: float


@dataclass(frozen=True, slots=True)
class ToolsResult:
    """What one of them brought."""

    call: ToolCall
    result: str
    at: float


PENDING = "Tool Result Still Pending But Proceed Further If Possible."
"""What a model is told of a tool that has not answered yet (§7.6)."""

Item = Entry | ToolsCalled | ToolsResult


class History:
    """Grows only by what was really said and done: the caller's recognised words, the assistant's words that were
    heard, the tools that were called."""

    def __init__(self, *, started_ms: int = 0) -> None:
        """`started_ms` is when the call was answered, in epoch milliseconds."""
        self.started_ms = started_ms
        self._items: list[Item] = []

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What was said so far, in order."""
        return tuple(item for item in self._items if isinstance(item, Entry))

    def add(self, item: Item) -> None:
        """Append a message; a text without words is left out."""
        if not isinstance(item, Entry) or item.text.strip():
            self._items.append(item)

    def messages(self) -> list[JsonObject]:
        """Vapi's form: `role`, `message`, `time`, `endTime` (epoch ms), `secondsFromStart`, `duration` (ms).
        Consecutive pieces of one side are one message."""
        result: list[JsonObject] = []
        for item in self._items:
            message: JsonObject = {
                "time": self.started_ms + round(item.at * 1000),
                "secondsFromStart": round(item.at, 3),
            }
            match item:
                case Entry():
                    end = self.started_ms + round(item.until * 1000)
                    if result and item.role != "system" and result[-1]["role"] == item.role:
                        last = result[-1]
                        last["message"] += f" {item.text}"
                        last["endTime"], last["duration"] = end, end - last["time"]
                        continue
                    message |= {"role": item.role, "message": item.text}
                    if item.role != "system":
                        message |= {"endTime": end, "duration": round((item.until - item.at) * 1000)}
                    if item.role == "bot":
                        message["source"] = ""
                case ToolsCalled():
                    message |= {
                        "role": "tool_calls",
                        "message": "",
                        "toolCalls": [call.wire() for call in item.calls],
                    }
                case ToolsResult():
                    message |= {
                        "role": "tool_call_result",
                        "toolCallId": item.call.id,
                        "name": item.call.name,
                        "result": item.result,
                    }
            result.append(message)
        return result

    def chat_messages(self) -> list[ChatMessage]:
        """What a model is told, system messages left out. A tool's result stands right behind its call, as the chat
        contract wants it; one that has not come yet is told as pending."""
        results = {item.call.id: item.result for item in self._items if isinstance(item, ToolsResult)}
        found: list[ChatMessage] = []
        for item in self._items:
            if isinstance(item, Entry) and item.role != "system":
                found.append(ChatMessage("assistant" if item.role == "bot" else "user", item.text))
            elif isinstance(item, ToolsCalled):
                found.append(ChatMessage("assistant", "", tool_calls=item.calls))
                found += [
                    ChatMessage("tool", results.get(call.id, PENDING), tool_call_id=call.id) for call in item.calls
                ]
        return found

    def openai_messages(self) -> list[JsonObject]:
        """OpenAI's form: `role` system, user, assistant or tool, and `content`."""
        system = [
            {"role": "system", "content": item.text}
            for item in self._items
            if isinstance(item, Entry) and item.role == "system"
        ]
        return system + [message.wire() for message in self.chat_messages()]

    def transcript(self, *, assistant_name: str = "AI", user_name: str = "User") -> str:
        """`AI: …` and `User: …`, a line each, every line ended by a newline; one side's consecutive messages
        are one line."""
        lines: list[tuple[str, str]] = []
        for entry in self.entries:
            if entry.role == "system":
                continue
            name = assistant_name if entry.role == "bot" else user_name
            if lines and lines[-1][0] == name:
                lines[-1] = (name, f"{lines[-1][1]} {entry.text}")
            else:
                lines.append((name, entry.text))
        return "".join(f"{name}: {text}\n" for name, text in lines)

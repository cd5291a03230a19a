"""Server messages (§7): the envelope, which are sent by default, and the answers to `assistant-request`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ari_assistant.vapi.base import JsonObject

__all__ = ["DEFAULT_SERVER_MESSAGES", "FINAL_TRANSCRIPT", "envelope", "transcript_type", "wants"]

FINAL_TRANSCRIPT = 'transcript[transcriptType="final"]'
"""Also the `type` of the messages that it selects (§7.3)."""

DEFAULT_SERVER_MESSAGES: tuple[str, ...] = (
    "conversation-update",
    "end-of-call-report",
    "function-call",
    "hang",
    "speech-update",
    "status-update",
    "tool-calls",
    "transfer-destination-request",
    "handoff-destination-request",
    "user-interrupted",
    "assistant.started",
)
"""What a server gets when `serverMessages` is not set (§7.3)."""


def wants(server_messages: Sequence[str] | None, kind: str) -> bool:
    """Whether a server that set `serverMessages` gets messages of type `kind`."""
    return kind in (DEFAULT_SERVER_MESSAGES if server_messages is None else server_messages)


def transcript_type(server_messages: Sequence[str] | None, *, final: bool) -> str | None:
    """The `type` under which a transcript is sent, or None when it is not wanted."""
    if wants(server_messages, "transcript"):
        return "transcript"
    return FINAL_TRANSCRIPT if final and wants(server_messages, FINAL_TRANSCRIPT) else None


def envelope(kind: str, *, timestamp_ms: int, **fields: Any) -> JsonObject:
    """`{"message": {"type", "timestamp", …}}` (§7.2). Fields that are None are left out."""
    body = {key: value for key, value in fields.items() if value is not None}
    return {"message": {"timestamp": timestamp_ms, "type": kind, **body}}

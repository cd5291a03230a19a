"""What of a document others may see."""

from __future__ import annotations

from ari_assistant.vapi.base import JsonObject

__all__ = ["without_secrets"]

_SECRET = frozenset({"serverUrlSecret", "authentication", "credentials"})


def without_secrets(document: JsonObject) -> JsonObject:
    """A copy of an assistant or a phone number for webhooks and call records: a receiver need not learn the
    secrets of others."""
    copy = {key: value for key, value in document.items() if key not in _SECRET}
    if isinstance(copy.get("server"), dict):
        copy["server"] = {k: v for k, v in copy["server"].items() if k not in ("secret", "headers")}
    for part in ("model", "voice", "transcriber"):
        if isinstance(copy.get(part), dict):
            kept = {k: v for k, v in copy[part].items() if k != "headers"}
            if isinstance(kept.get("server"), dict):
                kept["server"] = {k: v for k, v in kept["server"].items() if k not in ("secret", "headers")}
            copy[part] = kept
    return copy

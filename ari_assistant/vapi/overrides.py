"""Laying `assistantOverrides` over an assistant (§2)."""

from __future__ import annotations

from typing import Any

from ari_assistant.vapi.base import JsonObject

__all__ = ["merge_overrides"]

_NAMED_KEYS_ONLY = frozenset({"model", "voice", "transcriber"})


def merge_overrides(assistant: JsonObject, overrides: JsonObject | None) -> JsonObject:
    """The assistant's document with the overrides laid over it; neither argument is changed.

    Shallow per top-level field. `model`, `voice` and `transcriber` of the same (or no) provider replace only
    the keys that they name. `variableValues` are joined, the overrides' values winning. `tools:append` adds
    to `model.tools`. A null in the overrides clears the field. A model's `headers` do not go along to another `url`.
    """
    result: JsonObject = dict(assistant)
    for key, value in (overrides or {}).items():
        if key == "tools:append":
            continue
        current: Any = result.get(key)
        if isinstance(value, dict) and isinstance(current, dict):
            same_provider = value.get("provider", current.get("provider")) == current.get("provider")
            if key == "variableValues" or (key in _NAMED_KEYS_ONLY and same_provider):
                value = _at_its_own_url(current, value) | value
        result[key] = value
    appended = (overrides or {}).get("tools:append")
    if appended:
        model = dict(result.get("model") or {})
        model["tools"] = [*(model.get("tools") or []), *appended]
        result["model"] = model
    return result


def _at_its_own_url(current: JsonObject, laid: JsonObject) -> JsonObject:
    """`current` without its headers where `laid` names another URL: they may hold a key, which is the first one's."""
    if "url" in laid and laid["url"] != current.get("url"):
        return {key: value for key, value in current.items() if key != "headers"}
    return current

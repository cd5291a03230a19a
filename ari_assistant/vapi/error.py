"""Error bodies in the contract's shape (§1.1), and validation faults in its words."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError

from ari_assistant.vapi.base import JsonObject

__all__ = ["INVALID_KEY", "error_body", "fault_message", "validation_messages"]

INVALID_KEY = "Invalid Key. Hot tip, you may be using the private key instead of the public key, or vice versa."


def error_body(status: int, message: str | Sequence[str]) -> JsonObject:
    """`{"message", "error", "statusCode"}`: a string for a single fault, a list for validation faults."""
    text = message if isinstance(message, str) else list(message)
    return {"message": text, "error": HTTPStatus(status).phrase, "statusCode": status}


_MAX_FAULTS = 1_000
_MUST_BE = {
    "string_type": "a string",
    "bool_type": "a boolean value",
    "bool_parsing": "a boolean value",
    "int_type": "an integer number",
    "int_parsing": "an integer number",
    "int_from_float": "an integer number",
    "float_type": "a number",
    "float_parsing": "a number",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


def _path(location: Sequence[int | str]) -> str:
    """`("hooks", 0, "do")` → `hooks.0.do`; the names of a union's branches are left out."""
    parts = [str(part) for part in location if isinstance(part, int) or not (part[:1].isupper() or "[" in part)]
    return ".".join(parts)


def fault_message(fault: Any) -> str:
    """One of pydantic's faults (`ValidationError.errors()`) in the contract's words."""
    location: tuple[int | str, ...] = fault["loc"]
    kind: str = fault["type"]
    context: JsonObject = fault.get("ctx", {})
    path = _path(location)
    if kind == "extra_forbidden":
        *parent, name = location
        prefix = _path(parent)
        return f"{prefix}.property {name} should not exist" if prefix else f"property {name} should not exist"
    if kind == "one_of":
        return f"{path}.{fault['msg']}" if path else str(fault["msg"])
    if kind == "missing":
        return f"{path} should not be null or undefined"
    if kind in _MUST_BE:
        return f"{path or 'body'} must be {_MUST_BE[kind]}"
    if kind == "literal_error":
        return f"{path} must be one of the following values: {context['expected'].replace(chr(39), '')}"
    if kind == "too_long":
        return f"{path} must contain no more than {context['max_length']} elements"
    if kind == "string_too_long":
        return f"{path} must be shorter than or equal to {context['max_length']} characters"
    if kind == "string_too_short":
        return f"{path} must be longer than or equal to {context['min_length']} characters"
    if kind == "less_than_equal":
        return f"{path} must not be greater than {context['le']:g}"
    if kind == "greater_than_equal":
        return f"{path} must not be less than {context['ge']:g}"
    text = fault["msg"].removeprefix("Value error, ")
    if kind == "value_error" and " must be " in text:
        return f"{path}.{text}" if path and not text.startswith(path) else text
    return f"{path} must be valid: {text}" if path else text


def validation_messages(fault: ValidationError) -> list[str]:
    """One sentence a fault, for example `property foo should not exist` or `name must be a string`."""
    if fault.error_count() > _MAX_FAULTS:
        return [f"body has {fault.error_count()} faults, more than are told one by one"]
    return list(dict.fromkeys(fault_message(item) for item in fault.errors(include_url=False)))

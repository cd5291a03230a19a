"""Tools whose work is done from here: HTTP requests of an assistant's author, keys of the telephone (§5)."""

from __future__ import annotations

import asyncio

from ari_assistant.dialogue.address import AddressRefused, filled_url, one_line
from ari_assistant.dialogue.callers_text import from_caller
from ari_assistant.dialogue.template import TemplateRenderer
from ari_assistant.dialogue.tools import filled, static_arguments
from ari_assistant.dialogue.variables import Variables
from ari_assistant.providers.model import ToolCall
from ari_assistant.session.interfaces import ToolSurroundings
from ari_assistant.session.tool_outcome import Outcome
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.server import Server, ServerFailed
from ari_assistant.vapi.tool import ApiRequestTool

__all__ = ["OwnTools"]

log = get_logger("session.own_tools")

_KEYS = frozenset("0123456789*#ABCDabcdwW,")
_MAX_RESULT = 64 << 10
_PAUSES = {"w": 0.5, ",": 0.5, "W": 1.0}


class OwnTools:
    """Never raises for what a server or the telephone system does."""

    def __init__(self, variables: Variables, surroundings: ToolSurroundings, *, call_id: str) -> None:
        self._variables = variables
        self._requests = surroundings.requests
        self._control = surroundings.control
        self._call_id = call_id

    async def api_request(self, call: ToolCall, tool: ApiRequestTool, arguments: JsonObject) -> Outcome:
        """Make the request that the assistant's author described."""
        # What the model says it may have from the caller.
        fill = self._variables.fill
        said = from_caller(arguments)
        body = static_arguments(tool.parameters, fill, _defaults(tool.body, fill, said) | said)
        headers = {key: one_line(str(value)) for key, value in _defaults(tool.headers, fill, said).items()}
        try:
            url = filled_url(tool.url, {**self._variables.values, **body})
        except AddressRefused as fault:
            log.warning("tool_address_refused", call_id=self._call_id, tools=[call.name], reason=str(fault))
            return Outcome(call, "The request was not made: it has no usable address.", failed=True)
        server = Server(
            url=url,
            timeout_seconds=tool.timeout_seconds,
            headers=headers or None,
            credential_id=tool.credential_id,
            backoff_plan=tool.backoff_plan,
        )
        sent = body if tool.body is not None or body else None
        try:
            status, text = await self._requests.request(server, tool.method, sent, call_id=self._call_id)
        except ServerFailed as fault:
            log.warning("tool_failed", call_id=self._call_id, tools=[call.name], reason=str(fault))
            return Outcome(call, "The request failed.", failed=True)
        text = text[:_MAX_RESULT]
        if not 200 <= status < 300:
            return Outcome(call, f"The request failed with status {status}: {text[:500]}", failed=True)
        return Outcome(call, text or "Success.")

    async def dtmf(self, call: ToolCall, arguments: JsonObject) -> Outcome:
        """Press the keys, with their pauses."""
        keys = str(arguments.get("keys") or arguments.get("digits") or arguments.get("dtmf") or "")
        if not keys or not set(keys) <= _KEYS:
            return Outcome(call, "keys must be made of 0-9, *, #, w and W.", failed=True)
        try:
            for part in _segments(keys):
                if part in _PAUSES:
                    await asyncio.sleep(_PAUSES[part])
                else:
                    await self._control.press(part)
        except Exception as fault:  # whatever Asterisk says, the conversation goes on
            log.warning("dtmf_failed", call_id=self._call_id, reason=str(fault))
            return Outcome(call, "The keys could not be sent.", failed=True)
        return Outcome(call, "Success.")


def _defaults(schema: JsonObject | None, fill: TemplateRenderer, arguments: JsonObject) -> JsonObject:
    """The values that a schema fixes itself: `value`, `const` or `default` of a property, templates filled."""
    properties = (schema or {}).get("properties")
    found: JsonObject = {}
    for key, part in properties.items() if isinstance(properties, dict) else ():
        if isinstance(part, dict):
            for name in ("value", "const", "default"):
                if name in part:
                    found[key] = filled(part[name], fill, arguments)
                    break
    return found


def _segments(keys: str) -> list[str]:
    """`"12w3"` → `["12", "w", "3"]`."""
    parts: list[str] = []
    for key in keys:
        if key in _PAUSES or not parts or parts[-1] in _PAUSES:
            parts.append(key)
        else:
            parts[-1] += key
    return parts

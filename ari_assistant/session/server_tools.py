"""Tools whose work the user's server does: `tool-calls`, `function-call`, `transfer-destination-request` (§7.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ari_assistant.dialogue.tools import NO_RESULT, Offered, result_text
from ari_assistant.providers.model import ToolCall
from ari_assistant.session.interfaces import ServerMessages, TaskOwner
from ari_assistant.session.tool_outcome import Outcome
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.destination import AnyDestination
from ari_assistant.vapi.error import validation_messages
from ari_assistant.vapi.secret import without_secrets
from ari_assistant.vapi.server import Server, ServerFailed, first_server
from ari_assistant.vapi.tool import FunctionTool, Tool, ToolMessage, TransferCallTool

__all__ = ["Asked", "ServerTools", "WhereTo"]

log = get_logger("session.server_tools")

_destination_schema: TypeAdapter[AnyDestination] = TypeAdapter(AnyDestination)
_message_schema = TypeAdapter(ToolMessage)

Asked = tuple[ToolCall, Offered, JsonObject]
"""A call of a function, the tool that is meant, and its arguments."""


@dataclass(frozen=True, slots=True)
class WhereTo:
    """The server's answer to a `transfer-destination-request`."""

    destination: AnyDestination
    message: ToolMessage | None


class ServerTools:
    """Never raises for what a server answers."""

    def __init__(self, messages: ServerMessages, tasks: TaskOwner, *, call_id: str) -> None:
        """`tasks` owns the requests whose answers nobody waits for."""
        self._messages = messages
        self._tasks = tasks
        self._call_id = call_id

    def server_of(self, tool: FunctionTool | TransferCallTool) -> Server | None:
        """Who is asked: the tool's own server, else whoever gets the call's messages."""
        return first_server(tool.server, self._messages.server)

    async def functions(self, server: Server, asked: Sequence[Asked]) -> list[Outcome]:
        """Calls of one server's functions, in one message. Either all are async, or none is."""
        listed = [
            {
                "id": call.id,
                "type": "function",
                "name": call.name,
                "arguments": arguments,
                "parameters": arguments,
                "function": {"name": call.name, "arguments": arguments},
            }
            for call, _, arguments in asked
        ]
        with_tools = [
            {
                **without_secrets(offered.tool.wire(), Tool),
                "toolCall": {key: item[key] for key in ("id", "type", "function")},
            }
            for (_, offered, _), item in zip(asked, listed, strict=True)
        ]
        fields: JsonObject = {"toolCalls": listed, "toolCallList": listed, "toolWithToolCallList": with_tools}
        first, offered, _ = asked[0]
        if isinstance(offered.tool, FunctionTool) and offered.tool.is_async:
            self._tasks.spawn(self._tell(server, "tool-calls", fields), f"tool-{first.id}")
            return [Outcome(call, "The request was sent.") for call, _, _ in asked]
        try:
            answer = await self._messages.ask(server, "tool-calls", **fields)
        except ServerFailed as fault:
            self._failed([call.name for call, _, _ in asked], fault)
            return [Outcome(call, NO_RESULT, failed=True) for call, _, _ in asked]
        return [_from_answer(call, answer, alone=len(asked) == 1) for call, _, _ in asked]

    async def legacy_function(
        self, server: Server, call: ToolCall, tool: FunctionTool, arguments: JsonObject
    ) -> Outcome:
        """A call of one of `model.functions`."""
        request = {"name": call.name, "parameters": arguments}
        if tool.is_async:
            self._tasks.spawn(self._tell(server, "function-call", {"functionCall": request}), f"tool-{call.id}")
            return Outcome(call, "The request was sent.")
        try:
            answer = await self._messages.ask(server, "function-call", functionCall=request)
        except ServerFailed as fault:
            self._failed([call.name], fault)
            return Outcome(call, NO_RESULT, failed=True)
        if answer.get("error"):
            return Outcome(call, result_text(answer["error"]), failed=True)
        if answer.get("result") is None:
            return Outcome(call, NO_RESULT, failed=True)
        return Outcome(call, result_text(answer["result"]))

    async def where_to(self, call: ToolCall, tool: TransferCallTool, arguments: JsonObject) -> WhereTo | Outcome:
        """Ask the server where a caller is to be sent, for a tool that names no destination; else what failed."""
        server = self.server_of(tool)
        if server is None:
            return Outcome(call, "There is nobody to ask where to.", failed=True)
        request = {"name": call.name, "parameters": arguments}
        try:
            answer = await self._messages.ask(server, "transfer-destination-request", functionCall=request)
            if answer.get("error"):
                return Outcome(call, result_text(answer["error"]), failed=True)
            destination = _destination_schema.validate_python(answer.get("destination"))
            return WhereTo(destination, _tool_message(answer.get("message")))
        except ServerFailed as fault:
            log.warning("transfer_unanswered", call_id=self._call_id, reason=str(fault)[:500])
            return Outcome(call, "Nobody said where to.", failed=True)
        except ValidationError as fault:
            reason = "; ".join(validation_messages(fault))
            log.warning("transfer_destination_unusable", call_id=self._call_id, reason=reason[:500])
            return Outcome(call, "The destination is not usable.", failed=True)

    async def _tell(self, server: Server, kind: str, fields: JsonObject) -> None:
        """An async tool: its answer does not matter."""
        try:
            await self._messages.ask(server, kind, **fields)
        except ServerFailed as fault:
            log.warning("tool_failed", call_id=self._call_id, reason=str(fault))

    def _failed(self, tools: list[str], fault: ServerFailed) -> None:
        log.warning("tool_failed", call_id=self._call_id, tools=tools, reason=str(fault))


def _tool_message(given: Any) -> ToolMessage | None:
    if given is None:
        return None
    if isinstance(given, list):
        given = given[0] if given else None
    try:
        return _message_schema.validate_python(given) if given is not None else None
    except ValidationError:
        return None


def _from_answer(call: ToolCall, answer: JsonObject, *, alone: bool) -> Outcome:
    """Read `{"results": [{"toolCallId", "result" | "error", "message"}]}`. `name` may be missing; a single call
    takes a single result under whatever id."""
    results = answer.get("results")
    listed = [item for item in results if isinstance(item, dict)] if isinstance(results, list) else []
    mine = next((item for item in listed if item.get("toolCallId") == call.id), None)
    if mine is None and alone and len(listed) == 1:
        mine = listed[0]
    if mine is None:
        if answer.get("error"):
            return Outcome(call, result_text(answer["error"]), failed=True)
        if alone and answer.get("result") is not None:
            return Outcome(call, result_text(answer["result"]))
        return Outcome(call, NO_RESULT, failed=True)
    message = _tool_message(mine.get("message"))
    if mine.get("error"):
        return Outcome(call, result_text(mine["error"]), failed=True, message=message)
    if mine.get("result") is None:
        return Outcome(call, NO_RESULT, failed=True, message=message)
    return Outcome(call, result_text(mine["result"]), message=message)

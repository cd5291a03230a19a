"""Doing what the model asks for: requests to the user's servers, HTTP calls of our own, keys, transfers (§5, §7.6)."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ari_assistant.conversation.interfaces import Requests, ServerMessages
from ari_assistant.dialogue.address import AddressRefused, filled_url, one_line
from ari_assistant.dialogue.callers_text import from_caller
from ari_assistant.dialogue.destination import filled_destination
from ari_assistant.dialogue.history import History
from ari_assistant.dialogue.template import TemplateRenderer
from ari_assistant.dialogue.tools import (
    NO_RESULT,
    Offered,
    address_of,
    extracted_variables,
    filled,
    is_refused,
    pick_message,
    result_text,
    static_arguments,
)
from ari_assistant.providers.model import ToolCall
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.destination import AnyDestination, AssistantDestination, Destination
from ari_assistant.vapi.error import validation_messages
from ari_assistant.vapi.json_text import read_json
from ari_assistant.vapi.secret import without_secrets
from ari_assistant.vapi.server import Server, ServerFailed, first_server
from ari_assistant.vapi.tool import (
    ApiRequestTool,
    DtmfTool,
    EndCallTool,
    FunctionTool,
    Tool,
    ToolMessage,
    TransferCallTool,
)

__all__ = ["Outcome", "ToolRunner", "arguments_of"]

log = get_logger("conversation.tool_runner")

_destination_schema: TypeAdapter[AnyDestination] = TypeAdapter(AnyDestination)
_message_schema = TypeAdapter(ToolMessage)
_KEYS = frozenset("0123456789*#ABCDabcdwW,")
_MAX_RESULT = 64 << 10
_PAUSES = {"w": 0.5, ",": 0.5, "W": 1.0}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one call of a tool."""

    call: ToolCall
    result: str
    """For the model and the history."""
    failed: bool = False
    message: ToolMessage | None = None
    """What is said, or hinted to the model, about it."""
    ends_call: bool = False
    transfer: Destination | None = None
    silent: bool = False
    """The model need not be asked again because of it."""


def arguments_of(call: ToolCall) -> JsonObject:
    """The arguments as an object; a model that writes no JSON object gives none."""
    try:
        given = read_json(call.arguments or "{}")
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}


class ToolRunner:
    """Runs the tools of one call. It never raises for what a server or a model does."""

    def __init__(
        self,
        offered: Mapping[str, Offered],
        *,
        messages: ServerMessages,
        sender: Requests,
        call_id: str,
        fill: TemplateRenderer,
        variables: JsonObject,
        history: Callable[[], History],
        press: Callable[[str], Awaitable[None]],
        spawn: Callable[[Coroutine[Any, Any, Any], str], object],
    ) -> None:
        """`variables` is the call's own bag, to which tools add. `press(digits)` sends DTMF. `spawn` starts a task
        that the call owns."""
        self._offered = offered
        self._messages = messages
        self._sender = sender
        self._call_id = call_id
        self.fill = fill
        self._variables = variables
        self._history = history
        self._press = press
        self._spawn = spawn

    def tool(self, call: ToolCall) -> Offered | None:
        """The tool that is meant."""
        return self._offered.get(call.name)

    def message(self, call: ToolCall, kind: str) -> ToolMessage | None:
        """The sentence of a kind for this call."""
        offered = self.tool(call)
        if offered is None:
            return None
        return pick_message(offered.tool.messages, kind, arguments_of(call), random.choice)

    async def run(self, calls: Sequence[ToolCall]) -> list[Outcome]:
        """Run them at the same time; those that go to one server go in one message. The outcomes are in order."""
        outcomes: dict[str, Outcome] = {}
        batches: dict[str, tuple[Server, list[tuple[ToolCall, Offered, JsonObject]]]] = {}
        jobs: list[Coroutine[Any, Any, list[Outcome]]] = []
        for call in calls:
            offered = self.tool(call)
            if offered is None:
                outcomes[call.id] = Outcome(call, f"There is no tool named {call.name}.", failed=True)
                continue
            tool = offered.tool
            # In a thread: the plan's expressions and templates are its author's.
            if tool.rejection_plan is not None and await asyncio.to_thread(
                is_refused, tool.rejection_plan, self._history().openai_messages(), self.fill
            ):
                outcomes[call.id] = Outcome(call, "The tool was refused: its conditions are not met.", failed=True)
                continue
            arguments = arguments_of(call)
            match tool:
                case FunctionTool():
                    arguments = static_arguments(tool.parameters, self.fill, arguments)
                    server = first_server(tool.server, self._messages.server)
                    if server is None:
                        outcomes[call.id] = Outcome(call, "The tool has no server.", failed=True)
                    elif offered.legacy:
                        jobs.append(self._legacy(call, tool, server, arguments))
                    else:
                        key = json.dumps([server.wire(), bool(tool.is_async)], sort_keys=True)
                        batches.setdefault(key, (server, []))[1].append((call, offered, arguments))
                case ApiRequestTool():
                    jobs.append(self._api_request(call, tool, arguments))
                case EndCallTool():
                    outcomes[call.id] = Outcome(call, "Success.", ends_call=True, silent=True)
                case DtmfTool():
                    jobs.append(self._dtmf(call, arguments))
                case TransferCallTool():
                    jobs.append(self._transfer(call, tool, arguments))
        jobs += [self._function(server, batch) for server, batch in batches.values()]
        for found in await asyncio.gather(*jobs):
            outcomes |= {outcome.call.id: outcome for outcome in found}
        return [self._with_message(outcomes[call.id]) for call in calls]

    def _with_message(self, outcome: Outcome) -> Outcome:
        """Add the tool's own sentence where the server gave none, and take the variables out of the result."""
        offered = self.tool(outcome.call)
        if offered is None:
            return outcome
        plan = getattr(offered.tool, "variable_extraction_plan", None)
        if not outcome.failed:
            self._variables.update(extracted_variables(plan, outcome.result, self.fill))
        if outcome.message is None and not outcome.ends_call and outcome.transfer is None:
            kind = "request-failed" if outcome.failed else "request-complete"
            return replace(outcome, message=self.message(outcome.call, kind))
        return outcome

    # -- the user's server ----------------------------------------------------------------------------------

    async def _function(
        self, server: Server, batch: Sequence[tuple[ToolCall, Offered, JsonObject]]
    ) -> list[Outcome]:
        listed = [
            {
                "id": call.id,
                "type": "function",
                "name": call.name,
                "arguments": arguments,
                "parameters": arguments,
                "function": {"name": call.name, "arguments": arguments},
            }
            for call, _, arguments in batch
        ]
        with_tools = [
            {**_tool_wire(offered), "toolCall": {k: item[k] for k in ("id", "type", "function")}}
            for (_, offered, _), item in zip(batch, listed, strict=True)
        ]
        fields: JsonObject = {"toolCalls": listed, "toolCallList": listed, "toolWithToolCallList": with_tools}
        is_async = isinstance(batch[0][1].tool, FunctionTool) and bool(batch[0][1].tool.is_async)
        if is_async:
            self._spawn(self._tell(server, "tool-calls", fields), f"tool-{batch[0][0].id}")
            return [Outcome(call, "The request was sent.") for call, _, _ in batch]
        try:
            answer = await self._messages.ask(server, "tool-calls", **fields)
        except ServerFailed as fault:
            log.warning(
                "tool_failed", call_id=self._call_id, tools=[c.name for c, _, _ in batch], reason=str(fault)
            )
            return [Outcome(call, NO_RESULT, failed=True) for call, _, _ in batch]
        return [_from_answer(call, answer, alone=len(batch) == 1) for call, _, _ in batch]

    async def _tell(self, server: Server, kind: str, fields: JsonObject) -> None:
        """An async tool: its answer does not matter."""
        try:
            await self._messages.ask(server, kind, **fields)
        except ServerFailed as fault:
            log.warning("tool_failed", call_id=self._call_id, reason=str(fault))

    async def _legacy(
        self, call: ToolCall, tool: FunctionTool, server: Server, arguments: JsonObject
    ) -> list[Outcome]:
        request = {"name": call.name, "parameters": arguments}
        if tool.is_async:
            self._spawn(self._tell(server, "function-call", {"functionCall": request}), f"tool-{call.id}")
            return [Outcome(call, "The request was sent.")]
        try:
            answer = await self._messages.ask(server, "function-call", functionCall=request)
        except ServerFailed as fault:
            log.warning("tool_failed", call_id=self._call_id, tools=[call.name], reason=str(fault))
            return [Outcome(call, NO_RESULT, failed=True)]
        if answer.get("error"):
            return [Outcome(call, result_text(answer["error"]), failed=True)]
        if answer.get("result") is None:
            return [Outcome(call, NO_RESULT, failed=True)]
        return [Outcome(call, result_text(answer["result"]))]

    # -- what we do ourselves -------------------------------------------------------------------------------

    async def _api_request(self, call: ToolCall, tool: ApiRequestTool, arguments: JsonObject) -> list[Outcome]:
        # What the model says it may have from the caller.
        said = from_caller(arguments)
        body = static_arguments(tool.parameters, self.fill, _defaults(tool.body, self.fill, said) | said)
        headers = {k: one_line(str(v)) for k, v in _defaults(tool.headers, self.fill, said).items()}
        try:
            url = filled_url(tool.url, {**self._variables, **body})
        except AddressRefused as fault:
            log.warning("tool_address_refused", call_id=self._call_id, tools=[call.name], reason=str(fault))
            return [Outcome(call, "The request was not made: it has no usable address.", failed=True)]
        server = Server(
            url=url,
            timeout_seconds=tool.timeout_seconds,
            headers=headers or None,
            credential_id=tool.credential_id,
            backoff_plan=tool.backoff_plan,
        )
        try:
            status, text = await self._sender.request(
                server, tool.method, body if tool.body is not None or body else None, call_id=self._call_id
            )
        except ServerFailed as fault:
            log.warning("tool_failed", call_id=self._call_id, tools=[call.name], reason=str(fault))
            return [Outcome(call, "The request failed.", failed=True)]
        text = text[:_MAX_RESULT]
        if not 200 <= status < 300:
            return [Outcome(call, f"The request failed with status {status}: {text[:500]}", failed=True)]
        return [Outcome(call, text or "Success.")]

    async def _dtmf(self, call: ToolCall, arguments: JsonObject) -> list[Outcome]:
        keys = str(arguments.get("keys") or arguments.get("digits") or arguments.get("dtmf") or "")
        if not keys or not set(keys) <= _KEYS:
            return [Outcome(call, "keys must be made of 0-9, *, #, w and W.", failed=True)]
        try:
            for part in _segments(keys):
                if part in _PAUSES:
                    await asyncio.sleep(_PAUSES[part])
                else:
                    await self._press(part)
        except Exception as fault:  # whatever Asterisk says, the conversation goes on
            log.warning("dtmf_failed", call_id=self._call_id, reason=str(fault))
            return [Outcome(call, "The keys could not be sent.", failed=True)]
        return [Outcome(call, "Success.")]

    async def _transfer(self, call: ToolCall, tool: TransferCallTool, arguments: JsonObject) -> list[Outcome]:
        wanted = str(arguments.get("destination") or "")
        destination: Any = next((d for d in tool.destinations or () if address_of(d) == wanted), None)
        if destination is None and tool.destinations and len(tool.destinations) == 1:
            destination = tool.destinations[0]
        message: ToolMessage | None = None
        if destination is None and not tool.destinations:
            server = first_server(tool.server, self._messages.server)
            if server is None:
                return [Outcome(call, "There is nobody to ask where to.", failed=True)]
            try:
                answer = await self._messages.ask(
                    server,
                    "transfer-destination-request",
                    functionCall={"name": call.name, "parameters": arguments},
                )
                if answer.get("error"):
                    return [Outcome(call, result_text(answer["error"]), failed=True)]
                destination = _destination_schema.validate_python(answer.get("destination"))
                message = _tool_message(answer.get("message"))
            except ServerFailed as fault:
                log.warning("transfer_unanswered", call_id=self._call_id, reason=str(fault)[:500])
                return [Outcome(call, "Nobody said where to.", failed=True)]
            except ValidationError as fault:
                reason = "; ".join(validation_messages(fault))
                log.warning("transfer_destination_unusable", call_id=self._call_id, reason=reason[:500])
                return [Outcome(call, "The destination is not usable.", failed=True)]
        if destination is None:
            known = ", ".join(address_of(d) for d in tool.destinations or ())
            return [Outcome(call, f"destination must be one of: {known}", failed=True)]
        if isinstance(destination, AssistantDestination):
            return [Outcome(call, "Handing over to another assistant is not possible here.", failed=True)]
        try:
            target = filled_destination(destination, self.fill, self._variables, arguments)
        except AddressRefused as fault:
            log.warning("destination_refused", call_id=self._call_id, reason=str(fault))
            return [Outcome(call, "The destination is not usable.", failed=True)]
        return [Outcome(call, "Transfer initiated.", transfer=target, message=message, silent=True)]


def _tool_wire(offered: Offered) -> JsonObject:
    return without_secrets(offered.tool.wire(), Tool)


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


def _defaults(schema: JsonObject | None, fill: Callable[..., str], arguments: JsonObject) -> JsonObject:
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

"""Doing what the model asks for: which tool is meant, who does its work, and what is made of the outcome (§5, §7.6)."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from ari_assistant.dialogue.address import AddressRefused
from ari_assistant.dialogue.destination import filled_destination
from ari_assistant.dialogue.tools import (
    Offered,
    address_of,
    arguments_of,
    extracted_variables,
    is_refused,
    pick_message,
    static_arguments,
)
from ari_assistant.dialogue.variables import Variables
from ari_assistant.providers.model import ToolCall
from ari_assistant.session.interfaces import TaskOwner, ToolSurroundings
from ari_assistant.session.own_tools import OwnTools
from ari_assistant.session.server_tools import Asked, ServerTools
from ari_assistant.session.tool_outcome import Outcome
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.destination import AssistantDestination
from ari_assistant.vapi.server import Server
from ari_assistant.vapi.tool import (
    ApiRequestTool,
    DtmfTool,
    EndCallTool,
    FunctionTool,
    ToolMessage,
    TransferCallTool,
)

__all__ = ["ToolRunner"]

log = get_logger("session.tool_runner")


class ToolRunner:
    """Runs the tools of one call. It never raises for what a server or a model does."""

    def __init__(
        self,
        tools: Mapping[str, Offered],
        variables: Variables,
        surroundings: ToolSurroundings,
        tasks: TaskOwner,
        *,
        call_id: str,
    ) -> None:
        """`tools` by the names under which the model calls them. They add to `variables`. `tasks` owns what nobody
        waits for."""
        self._tools = tools
        self._variables = variables
        self._server = ServerTools(surroundings.messages, tasks, call_id=call_id)
        self._own = OwnTools(variables, surroundings, call_id=call_id)
        self._call_id = call_id

    def tool(self, call: ToolCall) -> Offered | None:
        """The tool that is meant."""
        return self._tools.get(call.name)

    def message(self, call: ToolCall, kind: str) -> ToolMessage | None:
        """The sentence of a kind for this call."""
        offered = self.tool(call)
        if offered is None:
            return None
        return pick_message(offered.tool.messages, kind, arguments_of(call), random.choice)

    async def run(self, calls: Sequence[ToolCall]) -> list[Outcome]:
        """Run them at the same time; those that go to one server go in one message. The outcomes are in order."""
        alone: list[Awaitable[Outcome]] = []
        batches: dict[str, tuple[Server, list[Asked]]] = {}
        outcomes: list[Outcome] = []
        for call in calls:
            offered = self.tool(call)
            if offered is None:
                outcomes.append(Outcome(call, f"There is no tool named {call.name}.", failed=True))
            elif await self._is_refused(offered):
                outcomes.append(Outcome(call, "The tool was refused: its conditions are not met.", failed=True))
            elif not isinstance(tool := offered.tool, FunctionTool):
                alone.append(self._without_server(call, offered))
            elif (server := self._server.server_of(tool)) is None:
                outcomes.append(Outcome(call, "The tool has no server.", failed=True))
            else:
                arguments = static_arguments(tool.parameters, self._variables.fill, arguments_of(call))
                if offered.legacy:
                    alone.append(self._server.legacy_function(server, call, tool, arguments))
                else:
                    key = json.dumps([server.wire(), bool(tool.is_async)], sort_keys=True)
                    batches.setdefault(key, (server, []))[1].append((call, offered, arguments))
        together = [self._server.functions(server, asked) for server, asked in batches.values()]
        single, several = await asyncio.gather(asyncio.gather(*alone), asyncio.gather(*together))
        found = {outcome.call.id: outcome for outcome in chain(outcomes, single, *several)}
        return [self._finished(found[call.id]) for call in calls]

    async def _is_refused(self, offered: Offered) -> bool:
        plan = offered.tool.rejection_plan
        if plan is None:
            return False
        # In a thread: the plan's expressions and templates are its author's.
        said = self._variables.history.openai_messages()
        return await asyncio.to_thread(is_refused, plan, said, self._variables.fill)

    async def _without_server(self, call: ToolCall, offered: Offered) -> Outcome:
        arguments = arguments_of(call)
        match offered.tool:
            case ApiRequestTool() as tool:
                return await self._own.api_request(call, tool, arguments)
            case DtmfTool():
                return await self._own.dtmf(call, arguments)
            case TransferCallTool() as tool:
                return await self._transfer(call, tool, arguments)
            case EndCallTool():
                return Outcome(call, "Success.", ends_call=True, silent=True)
        raise AssertionError(f"{offered.tool.type} is offered to no model")

    async def _transfer(self, call: ToolCall, tool: TransferCallTool, arguments: JsonObject) -> Outcome:
        known = tool.destinations or []
        wanted = str(arguments.get("destination") or "")
        message: ToolMessage | None = None
        chosen = next((one for one in known if address_of(one) == wanted), known[0] if len(known) == 1 else None)
        if not known:
            answer = await self._server.where_to(call, tool, arguments)
            if isinstance(answer, Outcome):
                return answer
            chosen, message = answer.destination, answer.message
        if chosen is None:
            addresses = ", ".join(address_of(one) for one in known)
            return Outcome(call, f"destination must be one of: {addresses}", failed=True)
        if isinstance(chosen, AssistantDestination):
            return Outcome(call, "Handing over to another assistant is not possible here.", failed=True)
        try:
            target = filled_destination(chosen, self._variables.fill, self._variables.values, arguments)
        except AddressRefused as fault:
            log.warning("destination_refused", call_id=self._call_id, reason=str(fault))
            return Outcome(call, "The destination is not usable.", failed=True)
        return Outcome(call, "Transfer initiated.", transfer=target, message=message, silent=True)

    def _finished(self, outcome: Outcome) -> Outcome:
        """Take the variables out of the result, and add the tool's own sentence where the server gave none."""
        offered = self.tool(outcome.call)
        if offered is None:
            return outcome
        plan = getattr(offered.tool, "variable_extraction_plan", None)
        if not outcome.failed:
            self._variables.values.update(extracted_variables(plan, outcome.result, self._variables.fill))
        if outcome.message is None and not outcome.ends_call and outcome.transfer is None:
            kind = "request-failed" if outcome.failed else "request-complete"
            return replace(outcome, message=self.message(outcome.call, kind))
        return outcome

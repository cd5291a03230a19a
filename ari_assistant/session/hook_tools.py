"""The tools of hooks (contract §10.5)."""

from __future__ import annotations

from ari_assistant.dialogue.tools import Offered, offered_tools
from ari_assistant.dialogue.variables import Variables
from ari_assistant.providers.model import ToolCall
from ari_assistant.session.interfaces import StoredTools, TaskOwner, ToolSurroundings
from ari_assistant.session.tool_outcome import Outcome
from ari_assistant.session.tool_runner import ToolRunner
from ari_assistant.telemetry import Private, get_logger
from ari_assistant.vapi.base import new_id
from ari_assistant.vapi.hook import HookAction
from ari_assistant.vapi.model import Model

__all__ = ["HookTools"]

log = get_logger("session.hook_tools")


class HookTools:
    """Runs the tools that hooks of one call name. None of them ever fails the call."""

    def __init__(
        self, stored_tools: StoredTools, variables: Variables, surroundings: ToolSurroundings, *, call_id: str
    ) -> None:
        self._stored_tools = stored_tools
        self._variables = variables
        self._surroundings = surroundings
        self._call_id = call_id
        self._log = log.bind(call_id=call_id)

    async def run(self, action: HookAction, tasks: TaskOwner) -> list[Outcome]:
        """What became of an action's tool. Its result goes into the log; its sentences are not said. `tasks` owns what
        the tool does not wait for. Never raises."""
        try:
            return await self._run(action, tasks)
        except Exception:
            self._log.exception("hook_failed", action=action.type)
            return []

    async def _run(self, action: HookAction, tasks: TaskOwner) -> list[Outcome]:
        tools = await self._tools(action)
        if not tools:
            self._log.warning("hook_tool_missing", id=action.tool_id)
            return []
        runner = ToolRunner(tools, self._variables, self._surroundings, tasks, call_id=self._call_id)
        outcomes = await runner.run([ToolCall(new_id(), name) for name in tools])
        for outcome in outcomes:
            result = Private(outcome.result[:200])
            self._log.info("hook_tool", tool=outcome.call.name, failed=outcome.failed, result=result)
        return outcomes

    async def _tools(self, action: HookAction) -> dict[str, Offered]:
        """A stored tool stands before the one that the hook describes itself."""
        if action.type == "function":
            return offered_tools(Model.model_validate({"provider": "hook", "functions": [action.function or {}]}))
        stored = await self._stored_tools.get(action.tool_id) if action.tool_id else None
        document = stored.document if stored is not None else None
        if document is None and action.tool is not None:
            document = action.tool.wire()
        documents = [document] if document is not None else []
        return offered_tools(Model.model_validate({"provider": "hook", "tools": documents}))

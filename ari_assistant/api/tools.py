"""`/tool` (contract §5): stored, validated, used by calls."""

from __future__ import annotations

from ari_assistant.api.crud import Crud, stored
from ari_assistant.vapi.tool import (
    ApiRequestTool,
    DtmfTool,
    EndCallTool,
    FunctionTool,
    OtherTool,
    TransferCallTool,
    tool_schema,
)

__all__ = ["endpoints"]

_TOOLS = (FunctionTool, EndCallTool, TransferCallTool, DtmfTool, ApiRequestTool, OtherTool)

endpoints = Crud(
    path="/tool",
    noun="Tool",
    schema=tool_schema,
    body=tool_schema,
    patch={"type": "object", "title": "ToolPatch"},
    answer=stored("StoredTool", *_TOOLS),
    resources=lambda context: context.store.catalogue.tools,
).endpoints

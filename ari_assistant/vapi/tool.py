"""Tools (§5): what a model may do beside speaking."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, Tag, TypeAdapter

from ari_assistant.vapi.base import Contract, JsonObject, OpenContract, chosen_by
from ari_assistant.vapi.destination import AnyDestination
from ari_assistant.vapi.secret import DATA, SECRET
from ari_assistant.vapi.server import BackoffPlan, Server

__all__ = [
    "MAX_TOOLS",
    "ApiRequestTool",
    "Condition",
    "DtmfTool",
    "EndCallTool",
    "Function",
    "FunctionTool",
    "OtherTool",
    "Tool",
    "ToolMessage",
    "ToolParameter",
    "ToolRejectionPlan",
    "TransferCallTool",
    "VariableExtractionPlan",
    "tool_schema",
]

MAX_TOOLS = 200
"""Of one assistant."""
_MAX_CONDITIONS = 20
Short = Annotated[str, Field(max_length=1_000)]


class Condition(Contract):
    """A condition on an argument: the message is for calls that fulfil it (§5.1)."""

    operator: Literal["eq", "neq", "gt", "gte", "lt", "lte"]
    param: Short
    value: str | int | float | bool


class ToolMessage(Contract):
    """What is said around a tool's call (§5.1)."""

    type: Literal["request-start", "request-response-delayed", "request-complete", "request-failed"]
    content: Short | None = None
    contents: list[JsonObject] | None = None
    conditions: list[Condition] | None = None
    blocking: bool | None = None
    timing_milliseconds: Annotated[float, Field(ge=100, le=120_000)] | None = None
    role: Literal["assistant", "system"] | None = None
    end_call_after_spoken_enabled: bool | None = None


class Function(Contract):
    """The function as the model sees it."""

    name: Annotated[str, Field(max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]
    description: str | None = None
    parameters: Annotated[JsonObject, DATA] | None = None
    """JSON Schema of an object."""
    strict: bool | None = None


class ToolParameter(Contract):
    """A static argument, unseen by the model; its templates are filled (§5.2)."""

    key: str
    value: Any


class VariableExtractionAlias(Contract):
    """A variable made from the result by a Liquid template."""

    key: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-zA-Z][a-zA-Z0-9_]*$")]
    value: Annotated[str, Field(max_length=10_000)]


class VariableExtractionPlan(Contract):
    """Which parts of a JSON result become variables (§5.2)."""

    json_schema: Annotated[JsonObject, DATA] | None = Field(default=None, alias="schema")
    aliases: Annotated[list[VariableExtractionAlias], Field(max_length=100)] | None = None


class RejectionTarget(Contract):
    """Which message of the history a condition looks at; `position` counts from the end when negative."""

    role: Literal["user", "assistant"] | None = None
    position: int | None = None


class RegexCondition(Contract):
    """The message contains a match."""

    type: Literal["regex"]
    regex: str
    target: RejectionTarget | None = None
    negate: bool | None = None


class LiquidCondition(Contract):
    """The template renders `true`."""

    type: Literal["liquid"]
    liquid: str


class GroupCondition(Contract):
    """Several conditions, joined."""

    type: Literal["group"]
    operator: Literal["AND", "OR"]
    conditions: Annotated[
        list[RegexCondition | LiquidCondition | GroupCondition], Field(max_length=_MAX_CONDITIONS)
    ]


class ToolRejectionPlan(Contract):
    """When all conditions hold, the tool is refused (§5.2)."""

    conditions: (
        Annotated[list[RegexCondition | LiquidCondition | GroupCondition], Field(max_length=_MAX_CONDITIONS)]
        | None
    ) = None


class _Tool(Contract):
    messages: Annotated[list[ToolMessage], Field(max_length=100)] | None = None
    rejection_plan: ToolRejectionPlan | None = None
    function: Function | None = None


class FunctionTool(_Tool):
    """The user's server does it (`tool-calls`)."""

    type: Literal["function"]
    is_async: bool | None = Field(default=None, alias="async")
    server: Server | None = None
    parameters: Annotated[list[ToolParameter], Field(max_length=200)] | None = None
    variable_extraction_plan: VariableExtractionPlan | None = None


class EndCallTool(_Tool):
    """The model hangs up."""

    type: Literal["endCall"]


class TransferCallTool(_Tool):
    """The model sends the caller on; without destinations the server is asked where to."""

    type: Literal["transferCall"]
    destinations: list[AnyDestination] | None = None
    server: Server | None = None


class DtmfTool(_Tool):
    """The model presses keys."""

    type: Literal["dtmf"]
    sip_info_dtmf_enabled: bool | None = None


class ApiRequestTool(_Tool):
    """An HTTP request that the platform makes itself."""

    type: Literal["apiRequest"]
    name: Annotated[str, Field(max_length=40)] | None = None
    description: str | None = None
    url: str
    method: Literal["POST", "GET", "PUT", "PATCH", "DELETE"]
    timeout_seconds: Annotated[float, Field(ge=1, le=300)] | None = None
    credential_id: str | None = None
    encrypted_paths: list[str] | None = None
    parameters: list[ToolParameter] | None = None
    body: JsonObject | None = None
    """JSON Schema of the body; the model fills it in."""
    headers: Annotated[JsonObject, SECRET] | None = None
    """JSON Schema of the headers."""
    backoff_plan: BackoffPlan | None = None
    variable_extraction_plan: VariableExtractionPlan | None = None


class OtherTool(_Tool, OpenContract):
    """A tool that Vapi has and this server only stores: it is not offered to the model."""

    type: Literal[
        "sipRequest",
        "voicemail",
        "query",
        "sms",
        "mcp",
        "handoff",
        "code",
        "bash",
        "computer",
        "textEditor",
        "make",
        "ghl",
        "output",
        "slack.message.send",
        "google.calendar.event.create",
        "google.calendar.availability.check",
        "google.sheets.row.append",
        "gohighlevel.calendar.availability.check",
        "gohighlevel.calendar.event.create",
        "gohighlevel.contact.create",
        "gohighlevel.contact.get",
    ]


_KINDS = ("function", "endCall", "transferCall", "dtmf", "apiRequest")

Tool = Annotated[
    Annotated[FunctionTool, Tag("[function]")]
    | Annotated[EndCallTool, Tag("[endCall]")]
    | Annotated[TransferCallTool, Tag("[transferCall]")]
    | Annotated[DtmfTool, Tag("[dtmf]")]
    | Annotated[ApiRequestTool, Tag("[apiRequest]")]
    | Annotated[OtherTool, Tag("[other]")],
    chosen_by("type", _KINDS, otherwise="other"),
]

tool_schema: TypeAdapter[Tool] = TypeAdapter(Tool)
"""Validates one tool."""

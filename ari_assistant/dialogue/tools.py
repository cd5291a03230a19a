"""What tools mean for the conversation: names, arguments, sentences around them, refusals, variables (contract §5).

No I/O: `session.tool_runner` does what a tool asks for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ari_assistant.dialogue.template import TemplateRenderer
from ari_assistant.providers.model import ToolCall, ToolSpec
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.json_text import read_json
from ari_assistant.vapi.model import Model
from ari_assistant.vapi.pattern import BadPattern, Pattern
from ari_assistant.vapi.tool import (
    ApiRequestTool,
    Condition,
    DtmfTool,
    EndCallTool,
    Function,
    FunctionTool,
    GroupCondition,
    LiquidCondition,
    OtherTool,
    RegexCondition,
    Tool,
    ToolMessage,
    ToolParameter,
    ToolRejectionPlan,
    TransferCallTool,
    VariableExtractionPlan,
)

__all__ = [
    "NO_RESULT",
    "Offered",
    "address_of",
    "arguments_of",
    "delayed_messages",
    "extracted_variables",
    "filled",
    "is_refused",
    "message_text",
    "offered_tools",
    "pick_message",
    "result_text",
    "static_arguments",
]

NO_RESULT = "No result returned. The tool may have failed; do not invent a result."

_ROOT = "whole_result"
_TAG_MARKS = re.compile(r"({[{%]|[}%]})")
_DOLLAR = re.compile(r"""("[^"]*"|'[^']*')|(?<![\w.$])\$(?![\w$])""")
"""`$` as a name, not in a text."""

Choose = Callable[[Sequence[ToolMessage]], ToolMessage]
_NO_PARAMETERS: JsonObject = {"type": "object", "properties": {}}


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool under the name by which the model calls it."""

    name: str
    tool: Tool
    spec: ToolSpec
    legacy: bool = False
    """From `model.functions`: the server is asked by `function-call`."""


def offered_tools(
    model: Model | None, stored: Iterable[Tool] = (), *, may_end_call: bool = False
) -> dict[str, Offered]:
    """The tools of a model: `tools`, those stored under its `toolIds`, the older `functions`.

    The first of a name counts. A type that this server only stores is left out. `may_end_call` adds `endCall`.
    """
    found: dict[str, Offered] = {}
    tools: list[Tool] = [*((model.tools or ()) if model else ()), *stored]
    if may_end_call and not any(isinstance(tool, EndCallTool) for tool in tools):
        tools.append(EndCallTool(type="endCall"))
    for tool in tools:
        if isinstance(tool, OtherTool):
            continue
        offered = _offered(tool)
        if offered is not None:
            found.setdefault(offered.name, offered)
    for function in (model.functions or ()) if model else ():
        given = function if isinstance(function, dict) else function.wire()
        name = str(given.get("name") or "")
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name):
            continue
        parameters = given.get("parameters") if isinstance(given.get("parameters"), dict) else None
        server = {"url": given["serverUrl"]} if isinstance(given.get("serverUrl"), str) else None
        tool = FunctionTool.model_validate(
            {
                "type": "function",
                "async": bool(given.get("async")),
                "function": {"name": name, "description": str(given.get("description") or "")},
                **({"server": server} if server else {}),
            }
        )
        spec = ToolSpec(name, str(given.get("description") or ""), parameters or _NO_PARAMETERS)
        found.setdefault(name, Offered(name, tool, spec, legacy=True))
    return found


def _offered(tool: Tool) -> Offered | None:
    function = tool.function
    match tool:
        case FunctionTool():
            if function is None:
                return None
            spec = _spec(function, function.name, "", _NO_PARAMETERS)
        case EndCallTool():
            spec = _spec(function, "endCall", "Hang up, after your reply has been spoken.", _NO_PARAMETERS)
        case TransferCallTool():
            spec = _spec(function, "transferCall", *_transfer(tool))
        case DtmfTool():
            parameters = {
                "type": "object",
                "properties": {
                    "keys": {
                        "type": "string",
                        "description": "Digits 0-9, * and #; w waits half a second, W one second.",
                    }
                },
                "required": ["keys"],
            }
            spec = _spec(function, "dtmf", "Press keys of the telephone.", parameters)
        case ApiRequestTool():
            parameters = tool.body or _NO_PARAMETERS
            name = tool.name if tool.name and re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool.name) else "apiRequest"
            spec = _spec(function, name, tool.description or "", parameters)
        case _:
            return None
    return Offered(spec.name, tool, spec)


def _spec(function: Function | None, name: str, description: str, parameters: JsonObject) -> ToolSpec:
    if function is None:
        return ToolSpec(name, description, parameters)
    return ToolSpec(
        function.name, function.description or description, function.parameters or parameters, function.strict
    )


def _transfer(tool: TransferCallTool) -> tuple[str, JsonObject]:
    lines = ["Send the caller on to somebody else."]
    addresses = []
    for destination in tool.destinations or ():
        address = address_of(destination)
        addresses.append(address)
        if destination.description:
            lines.append(f"{address}: {destination.description}")
    if not addresses:
        return lines[0], _NO_PARAMETERS
    enum = {"type": "string", "enum": addresses, "description": "Where to."}
    return "\n".join(lines), {
        "type": "object",
        "properties": {"destination": enum},
        "required": ["destination"],
    }


def address_of(destination: Any) -> str:
    """What names a destination to the model: its SIP URI, number or assistant."""
    if isinstance(destination, Destination):
        return destination.sip_uri or destination.number or ""
    return getattr(destination, "assistant_name", None) or getattr(destination, "assistant_id", None) or ""


def arguments_of(call: ToolCall) -> JsonObject:
    """The arguments as an object; a model that writes no JSON object gives none."""
    try:
        given = read_json(call.arguments or "{}")
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}


def filled(value: Any, fill: TemplateRenderer, variables: Mapping[str, Any]) -> Any:
    """`value` with the templates in its texts filled, however deep they stand."""
    if isinstance(value, str):
        return fill(value, variables)
    if isinstance(value, dict):
        return {key: filled(item, fill, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, fill, variables) for item in value]
    return value


def static_arguments(
    parameters: Sequence[ToolParameter] | None, fill: TemplateRenderer, arguments: JsonObject
) -> JsonObject:
    """The model's arguments with the static ones laid over them (§5.2)."""
    return arguments | {p.key: filled(p.value, fill, arguments) for p in parameters or ()}


def message_text(message: ToolMessage) -> str:
    """Its `content`, else the first of `contents`, English before others."""
    if message.content is not None:
        return message.content
    texts = [c for c in message.contents or () if isinstance(c.get("text"), str)]
    texts.sort(key=lambda c: not str(c.get("language", "")).startswith("en"))
    return str(texts[0]["text"]) if texts else ""


def pick_message(
    messages: Sequence[ToolMessage] | None, kind: str, arguments: JsonObject, choose: Choose
) -> ToolMessage | None:
    """The message of a kind whose conditions the arguments fulfil; one with conditions beats one without, and
    `choose` picks among equals. None: there is none."""
    fitting = [m for m in messages or () if m.type == kind and _fulfilled(m.conditions, arguments)]
    special = [m for m in fitting if m.conditions]
    return choose(special or fitting) if fitting else None


def delayed_messages(
    messages: Sequence[ToolMessage] | None, arguments: JsonObject, choose: Choose
) -> list[tuple[float, ToolMessage]]:
    """The `request-response-delayed` messages: after how many seconds, and which, the soonest first."""
    stages: dict[float, list[ToolMessage]] = {}
    for message in messages or ():
        if message.type == "request-response-delayed" and _fulfilled(message.conditions, arguments):
            stages.setdefault((message.timing_milliseconds or 1000) / 1000, []).append(message)
    return [(seconds, choose(stages[seconds])) for seconds in sorted(stages)]


def _fulfilled(conditions: Sequence[Condition] | None, arguments: JsonObject) -> bool:
    return all(_holds(condition, arguments) for condition in conditions or ())


def _holds(condition: Condition, arguments: JsonObject) -> bool:
    actual: Any = arguments
    for part in condition.param.split("."):
        actual = actual.get(part) if isinstance(actual, dict) else None
    if condition.operator in ("eq", "neq"):
        same = actual == condition.value or _plain(actual) == _plain(condition.value)
        return same is (condition.operator == "eq")
    try:
        left, right = float(actual), float(condition.value)
    except (TypeError, ValueError, OverflowError):
        return False
    return {"gt": left > right, "gte": left >= right, "lt": left < right, "lte": left <= right}[condition.operator]


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def is_refused(plan: ToolRejectionPlan | None, messages: Sequence[JsonObject], fill: TemplateRenderer) -> bool:
    """Do all conditions of the plan hold? `messages` in OpenAI's form, the newest last. A plan without
    conditions refuses nothing; a broken condition does not hold."""
    conditions = plan.conditions if plan is not None else None
    return bool(conditions) and all(_condition(c, messages, fill) for c in conditions or ())


def _condition(
    condition: RegexCondition | LiquidCondition | GroupCondition,
    messages: Sequence[JsonObject],
    fill: TemplateRenderer,
) -> bool:
    match condition:
        case RegexCondition():
            target = condition.target
            role = target.role if target else None
            seen = [m for m in messages if role is None or m["role"] == role]
            position = target.position if target is not None and target.position is not None else -1
            try:
                text = str(seen[position].get("content") or "")
                found = Pattern(condition.regex).test(text)
            except (IndexError, BadPattern):
                return False
            return found is not bool(condition.negate)
        case LiquidCondition():
            return fill(condition.liquid, {"messages": list(messages)}).strip() == "true"
        case GroupCondition():
            held = [_condition(c, messages, fill) for c in condition.conditions]
            return all(held) if condition.operator == "AND" else any(held)


def extracted_variables(plan: VariableExtractionPlan | None, result: str, fill: TemplateRenderer) -> JsonObject:
    """The variables that a tool's JSON result brings (§5.2): the schema's properties as globals, an array under
    its title, then the aliases, which may use them. A result that is no JSON brings only aliases."""
    if plan is None:
        return {}
    try:
        value = read_json(result)
    except ValueError:
        value = None
    found: JsonObject = {}
    schema = plan.json_schema or {}
    if isinstance(value, dict) and isinstance(schema.get("properties"), dict):
        found = {key: value[key] for key in schema["properties"] if key in value}
    elif value is not None and (name := schema.get("title") or schema.get("name")):
        found = {str(name): value}
    for alias in plan.aliases or ():
        found[alias.key] = fill(_rooted(alias.value), {**found, _ROOT: value, "result": value})
    return found


def _rooted(template: str) -> str:
    """`{{ $.data.id }}`, where `$` is the whole result, in Liquid, whose names begin with a letter."""
    within = False
    parts = _TAG_MARKS.split(template)
    for place, part in enumerate(parts):
        if _TAG_MARKS.fullmatch(part):
            within = part[0] == "{"
        elif within:
            parts[place] = _DOLLAR.sub(lambda match: match[1] or _ROOT, part)
    return "".join(parts)


def result_text(result: Any) -> str:
    """A tool's result as the model reads it: a text as it is, anything else as JSON."""
    if isinstance(result, str):
        return result
    return json.dumps(result, ensure_ascii=False, default=str)

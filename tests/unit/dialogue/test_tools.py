from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from ari_assistant.dialogue.template import render
from ari_assistant.dialogue.tools import (
    delayed_messages,
    extracted_variables,
    is_refused,
    message_text,
    offered_tools,
    pick_message,
    result_text,
    static_arguments,
)
from ari_assistant.vapi.model import Model
from ari_assistant.vapi.tool import (
    Tool,
    ToolMessage,
    ToolParameter,
    ToolRejectionPlan,
    VariableExtractionPlan,
    tool_schema,
)

HISTORY = [{"role": "user", "content": "my name is Ada"}, {"role": "assistant", "content": "Hello Ada."}]


def fill(template: str, extra: Mapping[str, Any]) -> str:
    return render(template, {"city": "Rome", **extra}).text


def model(**fields: Any) -> Model:
    return Model.model_validate({"provider": "openai", **fields})


def tool(**fields: Any) -> Tool:
    return tool_schema.validate_python(fields)


def messages(*given: dict[str, Any]) -> list[ToolMessage]:
    return [ToolMessage.model_validate(one) for one in given]


def test_tools_have_the_names_that_the_contract_gives_them() -> None:
    offered = offered_tools(
        model(
            tools=[
                {"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}},
                {
                    "type": "transferCall",
                    "destinations": [{"type": "sip", "sipUri": "sip:op@pbx", "description": "A human"}],
                },
                {"type": "dtmf"},
                {"type": "apiRequest", "name": "weather", "method": "GET", "url": "http://h"},
                {"type": "sms"},
            ],
            functions=[{"name": "old", "description": "Older form", "parameters": {"type": "object"}}],
        ),
        [tool(type="function", function={"name": "stored"}), tool(type="function", function={"name": "book"})],
        may_end_call=True,
    )
    assert list(offered) == ["book", "transferCall", "dtmf", "weather", "stored", "endCall", "old"]
    transfer = offered["transferCall"].spec
    assert transfer.parameters["properties"]["destination"]["enum"] == ["sip:op@pbx"]
    assert "sip:op@pbx: A human" in transfer.description
    assert offered["old"].legacy


def test_static_parameters_win_over_the_models_and_their_templates_are_filled() -> None:
    static = [ToolParameter(key="where", value={"city": "{{city}}", "list": ["{{day}}", 5]})]
    assert static_arguments(static, fill, {"day": "Mon", "where": "nowhere"}) == {
        "day": "Mon",
        "where": {"city": "Rome", "list": ["Mon", 5]},
    }


def test_a_message_whose_conditions_hold_beats_one_without() -> None:
    given = messages(
        {"type": "request-start", "content": "One moment."},
        {
            "type": "request-start",
            "content": "That is a lot.",
            "conditions": [{"param": "count", "operator": "gt", "value": 5}],
        },
        {"type": "request-complete", "content": "Done."},
    )
    first = list.__getitem__

    def text(arguments: dict[str, Any]) -> str:
        found = pick_message(given, "request-start", arguments, lambda fitting: first(list(fitting), 0))
        return message_text(found) if found is not None else ""

    assert text({"count": 9}) == "That is a lot."
    assert text({"count": 2}) == "One moment."
    assert text({"count": "many"}) == "One moment."
    assert pick_message(given, "request-failed", {}, lambda fitting: fitting[0]) is None


@pytest.mark.parametrize(
    ("operator", "value", "actual", "holds"),
    [
        ("eq", "Mon", "Mon", True),
        ("eq", "5", 5, True),
        ("eq", "true", True, True),
        ("neq", "Mon", "Tue", True),
        ("gte", 5, 5, True),
        ("lt", 5, 5, False),
        ("lte", "5", 4.5, True),
        ("gt", 1, None, False),
    ],
)
def test_conditions_compare_numbers_as_numbers(operator: str, value: Any, actual: Any, holds: bool) -> None:
    given = messages(
        {
            "type": "request-complete",
            "content": "x",
            "conditions": [{"param": "a.b", "operator": operator, "value": value}],
        }
    )
    found = pick_message(given, "request-complete", {"a": {"b": actual}}, lambda fitting: fitting[0])
    assert (found is not None) is holds


def test_delayed_messages_come_in_stages() -> None:
    given = messages(
        {"type": "request-response-delayed", "content": "Still busy.", "timingMilliseconds": 5000},
        {"type": "request-response-delayed", "content": "Nearly.", "timingMilliseconds": 1000},
    )
    stages = delayed_messages(given, {}, lambda fitting: fitting[0])
    assert [(seconds, message_text(m)) for seconds, m in stages] == [(1.0, "Nearly."), (5.0, "Still busy.")]


@pytest.mark.parametrize(
    ("conditions", "refused"),
    [
        ([], False),
        ([{"type": "regex", "regex": "Ada"}], True),
        ([{"type": "regex", "regex": "Bob"}], False),
        ([{"type": "regex", "regex": "Bob", "negate": True}], True),
        ([{"type": "regex", "regex": "my name", "target": {"role": "user", "position": 0}}], True),
        ([{"type": "regex", "regex": "my name", "target": {"position": 9}}], False),
        ([{"type": "regex", "regex": "("}], False),
        ([{"type": "liquid", "liquid": "{% if messages.size == 2 %}true{% else %}false{% endif %}"}], True),
        ([{"type": "liquid", "liquid": "{{ city }}"}], False),
        (
            [
                {
                    "type": "group",
                    "operator": "OR",
                    "conditions": [{"type": "regex", "regex": "Bob"}, {"type": "regex", "regex": "Ada"}],
                }
            ],
            True,
        ),
        ([{"type": "regex", "regex": "Ada"}, {"type": "regex", "regex": "Bob"}], False),
    ],
)
def test_a_tool_is_refused_when_all_conditions_hold(conditions: list[Any], refused: bool) -> None:
    plan = ToolRejectionPlan.model_validate({"conditions": conditions})
    assert is_refused(plan, HISTORY, fill) is refused


def test_variables_are_taken_out_of_a_json_result() -> None:
    plan = VariableExtractionPlan.model_validate(
        {
            "schema": {"type": "object", "properties": {"name": {"type": "object"}, "age": {"type": "number"}}},
            "aliases": [{"key": "greeting", "value": "Hello {{name.first}} from {{city}}"}],
        }
    )
    result = json.dumps({"name": {"first": "Ada"}, "age": 36, "other": 1})
    assert extracted_variables(plan, result, fill) == {
        "name": {"first": "Ada"},
        "age": 36,
        "greeting": "Hello Ada from Rome",
    }
    listed = VariableExtractionPlan.model_validate({"schema": {"type": "array", "title": "codes"}})
    assert extracted_variables(listed, "[1, 2]", fill) == {"codes": [1, 2]}
    assert extracted_variables(listed, "no json", fill) == {}
    assert extracted_variables(None, "{}", fill) == {}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ $.data.id }}", "7"),
        ("{{$.data.tags[0] | upcase}}-{{ $['data'].id }}", "A-7"),
        ("{% if $.data.id == 7 %}seven for $5{% endif %}", "seven for $5"),
        ("{{ '$.data.id' }}", "$.data.id"),
        ("$.data.id", "$.data.id"),
        ("{{ result.data.id }}", "7"),
    ],
)
def test_an_alias_reaches_into_the_whole_result_by_dollar(template: str, text: str) -> None:
    plan = VariableExtractionPlan.model_validate({"aliases": [{"key": "a", "value": template}]})
    result = json.dumps({"data": {"id": 7, "tags": ["a"]}})
    assert extracted_variables(plan, result, fill) == {"a": text}


def test_a_result_that_is_no_text_becomes_json() -> None:
    assert result_text("Booked.") == "Booked."
    assert result_text({"ok": True}) == '{"ok": true}'

"""`docs/vapi-compatibility.md` cannot lie by omission: its tables are those of the code."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any, get_args

from ari_assistant.api.app import ENDPOINTS
from ari_assistant.api.openapi import documentation_endpoints
from ari_assistant.assistants import speech_providers as speech
from ari_assistant.providers.openai import CHAT_PROVIDERS
from ari_assistant.vapi.assistant import Assistant, ServerMessageType
from ari_assistant.vapi.model import BUILT_IN
from ari_assistant.vapi.tool import OtherTool, Tool

ROOT = Path(__file__).resolve().parents[2]
STATES = {"works", "differs", "stored", "not yet"}


def tables() -> dict[str, dict[str, str]]:
    """Heading → what stands in the first column → state."""
    found: dict[str, dict[str, str]] = {}
    heading = ""
    for line in (ROOT / "docs/vapi-compatibility.md").read_text().splitlines():
        if line.startswith("## "):
            heading = line[3:]
        match = re.match(r"\| `(.+?)`(?:, `.+?`)? \| ([a-z ]+) \|", line)
        if match is not None:
            assert match[1] not in found.setdefault(heading, {}), f"{match[1]} stands twice"
            found[heading][match[1]] = match[2]
    return found


TABLES = tables()
SOURCES = "\n".join(
    path.read_text() for path in (ROOT / "ari_assistant").rglob("*.py") if "vapi" not in path.parts
)


def test_every_state_is_one_of_the_four() -> None:
    assert {state for table in TABLES.values() for state in table.values()} <= STATES


def test_every_endpoint_is_listed_and_nothing_else() -> None:
    groups = (*ENDPOINTS, documentation_endpoints(ENDPOINTS))
    served = {f"{endpoint.method} {endpoint.path}" for group in groups for endpoint in group.items}
    assert set(TABLES["Endpoints"]) == served


def test_every_field_of_an_assistant_is_listed() -> None:
    fields = {field.alias or name for name, field in Assistant.model_fields.items()}
    assert set(TABLES["Assistant"]) == fields


def test_every_tool_is_listed_and_what_is_only_stored_is_stored() -> None:
    def types(schema: Any) -> set[str]:
        return set(get_args(schema.model_fields["type"].annotation))

    schemas = [get_args(member)[0] for member in get_args(get_args(Tool)[0])]
    table = TABLES["Tools"]
    assert set(table) == set().union(*(types(schema) for schema in schemas))
    assert {name for name, state in table.items() if state == "stored"} == types(OtherTool)


def test_every_server_message_is_listed_and_only_what_is_sent_is_said_to_be() -> None:
    table = TABLES["Server messages"]
    assert set(get_args(ServerMessageType)) <= set(table)
    for kind, state in table.items():
        if not kind.startswith("transcript"):
            sent = f'"{kind}"' in SOURCES
            assert sent is (state in ("works", "differs")), f"{kind}: {state}, in the code: {sent}"


def test_every_provider_that_is_listed_is_there() -> None:
    assert set(TABLES["Models"]) == {*CHAT_PROVIDERS, "custom-llm", BUILT_IN}
    choice = inspect.getsource(speech)
    for heading in ("Voices", "Transcribers"):
        for provider in TABLES[heading]:
            assert f'"{provider}"' in choice, provider

"""Structured outputs: what is extracted from a call after its end."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ari_assistant.vapi.base import Contract, JsonObject
from ari_assistant.vapi.secret import DATA

__all__ = ["StructuredOutput"]


class StructuredOutput(Contract):
    """`CreateStructuredOutputDTO`."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    json_schema: Annotated[JsonObject, DATA] = Field(alias="schema")
    type: Literal["ai", "regex"] | None = None
    regex: Annotated[str, Field(min_length=1, max_length=1_000)] | None = None
    model: JsonObject | None = None
    description: str | None = None
    compliance_plan: JsonObject | None = None
    conditions: list[JsonObject] | None = None
    assistant_ids: list[str] | None = None
    workflow_ids: list[str] | None = None

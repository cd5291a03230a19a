"""Squads: several assistants in one call. The first member answers; handing over is not there yet."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from ari_assistant.vapi.assistant import Assistant, AssistantOverrides
from ari_assistant.vapi.base import Contract, JsonObject

__all__ = ["Squad", "SquadMember"]


class SquadMember(Contract):
    """One assistant of a squad: stored, or defined here."""

    assistant_id: str | None = None
    assistant: Assistant | None = None
    assistant_overrides: AssistantOverrides | None = None
    assistant_destinations: list[JsonObject] | None = None
    assistant_version: str | None = None

    @model_validator(mode="after")
    def _has_assistant(self) -> SquadMember:
        if self.assistant_id is None and self.assistant is None:
            raise ValueError("assistantId must be a string, or assistant must be an object")
        return self


class Squad(Contract):
    """`CreateSquadDTO`."""

    name: str | None = None
    members: Annotated[list[SquadMember], Field(min_length=1)]
    members_overrides: AssistantOverrides | None = None

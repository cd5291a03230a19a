"""Where a call is sent on (§3.4)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, Tag, model_validator

from ari_assistant.vapi.base import Contract, JsonObject, chosen_by
from ari_assistant.vapi.plans import SummaryPlan
from ari_assistant.vapi.sip_uri import SipUri

__all__ = ["AnyDestination", "CustomMessage", "Destination", "TransferPlan"]


_NOT_YET = ("warm-transfer-", "blind-transfer-add-summary-to-sip-header")
"""Modes of the contract that would be done blind, or without their summary: refused rather than pretended."""


class CustomMessage(Contract):
    """A sentence in several languages, or one."""

    type: Literal["custom-message"]
    content: Annotated[str, Field(max_length=1_000)] | None = None
    contents: list[JsonObject] | None = None


class TransferFallbackPlan(Contract):
    """What is said when a transfer fails."""

    message: str | CustomMessage
    end_call_enabled: bool | None = None


class TransferPlan(Contract):
    """How a call is sent on (§8.5). Times in seconds."""

    mode: Literal["blind-transfer"] = "blind-transfer"
    message: str | CustomMessage | None = None
    timeout: Annotated[float, Field(ge=1, le=600)] | None = None
    sip_verb: Literal["refer", "bye", "dial"] | None = None
    dial_timeout: Annotated[float, Field(ge=1, le=600)] | None = None
    hold_audio_url: str | None = None
    transfer_complete_audio_url: str | None = None
    context_engineering_plan: JsonObject | None = None
    twiml: Annotated[str, Field(max_length=4_096)] | None = None
    summary_plan: SummaryPlan | None = None
    sip_headers_in_refer_to_enabled: bool | None = None
    fallback_plan: TransferFallbackPlan | None = None
    transfer_assistant: JsonObject | None = None

    @model_validator(mode="before")
    @classmethod
    def _exists(cls, given: Any) -> Any:
        mode = given.get("mode") if isinstance(given, dict) else None
        if isinstance(mode, str) and mode.startswith(_NOT_YET):
            raise ValueError(f"mode must be blind-transfer: {mode} does not exist here yet")
        return given


class Destination(Contract):
    """A SIP URI, or a number, which needs a trunk."""

    type: Literal["sip", "number"]
    sip_uri: str | None = None
    sip_headers: dict[str, Any] | None = None
    number: Annotated[str, Field(min_length=3, max_length=40)] | None = None
    number_e164_check_enabled: bool | None = Field(default=None, alias="numberE164CheckEnabled")
    extension: Annotated[str, Field(min_length=1, max_length=10)] | None = None
    message: str | CustomMessage | None = None
    caller_id: Annotated[str, Field(max_length=40)] | None = None
    transfer_plan: TransferPlan | None = None
    description: str | None = None

    @model_validator(mode="after")
    def _has_address(self) -> Destination:
        if self.type == "sip":
            if self.sip_uri is None:
                raise ValueError("sipUri must be a string")
            if "{{" not in self.sip_uri:
                SipUri.parse(self.sip_uri)
        if self.type == "number" and self.number is None:
            raise ValueError("number must be a string")
        return self


class AssistantDestination(Contract):
    """Another assistant of the squad."""

    type: Literal["assistant"]
    assistant_name: str | None = None
    assistant_id: str | None = None
    assistant: JsonObject | None = None
    assistant_overrides: JsonObject | None = None
    message: str | CustomMessage | None = None
    transfer_mode: str | None = None
    context_engineering_plan: JsonObject | None = None
    variable_extraction_plan: JsonObject | None = None
    description: str | None = None


AnyDestination = Annotated[
    Annotated[Destination, Tag("[sip]")]
    | Annotated[Destination, Tag("[number]")]
    | Annotated[AssistantDestination, Tag("[assistant]")],
    chosen_by("type", ("sip", "number", "assistant")),
]
"""What a `transferCall` tool or a `transfer-destination-request` may name."""

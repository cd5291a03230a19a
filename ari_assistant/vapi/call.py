"""Calls (§4): what `POST /call` takes, and the Call object as this server stores and returns it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ari_assistant.vapi.assistant import Assistant, AssistantOverrides
from ari_assistant.vapi.base import Contract, JsonObject
from ari_assistant.vapi.secret import DATA
from ari_assistant.vapi.sip_uri import SipUri
from ari_assistant.vapi.squad import Squad

__all__ = ["Call", "CallPatch", "CallStatus", "CreateCall", "Customer", "DeleteCalls"]

CallStatus = Literal["scheduled", "queued", "ringing", "in-progress", "forwarding", "ended"]
CustomerName = Annotated[str, Field(max_length=40)]


class Customer(Contract):
    """Who is called (§4.1)."""

    number: Annotated[str, Field(min_length=3, max_length=40)] | None = None
    number_e164_check_enabled: bool | None = Field(default=None, alias="numberE164CheckEnabled")
    sip_uri: str | None = None
    name: CustomerName | None = None
    email: CustomerName | None = None
    external_id: CustomerName | None = None
    extension: Annotated[str, Field(max_length=10)] | None = None
    assistant_overrides: AssistantOverrides | None = None
    squad_overrides: AssistantOverrides | None = None

    @model_validator(mode="after")
    def _valid_uri(self) -> Customer:
        if self.sip_uri is not None:
            SipUri.parse(self.sip_uri)
        return self


class SchedulePlan(Contract):
    """When a call may be placed. ISO 8601."""

    earliest_at: str
    latest_at: str | None = None


class CreateCall(Contract):
    """`CreateCallDTO`."""

    name: CustomerName | None = None
    assistant_id: str | None = None
    assistant: Assistant | None = None
    assistant_overrides: AssistantOverrides | None = None
    assistant_version: str | None = None
    squad_id: str | None = None
    squad: Squad | None = None
    squad_overrides: AssistantOverrides | None = None
    workflow_id: str | None = None
    workflow: JsonObject | None = None
    workflow_overrides: JsonObject | None = None
    phone_number_id: str | None = None
    phone_number: JsonObject | None = None
    customer_id: str | None = None
    customer: Customer | None = None
    customers: list[Customer] | None = None
    schedule_plan: SchedulePlan | None = None
    transport: JsonObject | None = None
    metadata: Annotated[JsonObject, DATA] | None = None
    type: str | None = None


class CallPatch(Contract):
    """`UpdateCallDTO`: a call can only be given a name."""

    name: CustomerName | None = None


class DeleteCalls(Contract):
    """`DeleteCallDTO`: further calls to erase. The SDKs always send this body, empty or not."""

    ids: list[str] | None = None


class Call(Contract):
    """One call. Times are ISO 8601 in UTC. Fields beside the contract's own are the legacy duplicates (§4.2)."""

    id: str
    org_id: str
    type: Literal["inboundPhoneCall", "outboundPhoneCall"] = "inboundPhoneCall"
    status: CallStatus
    name: str | None = None
    created_at: str
    updated_at: str
    started_at: str | None = None
    ended_at: str | None = None
    ended_reason: str | None = None
    ended_message: str | None = None
    assistant_id: str | None = None
    assistant: JsonObject | None = None
    assistant_overrides: JsonObject | None = None
    squad_id: str | None = None
    squad: JsonObject | None = None
    phone_number_id: str | None = None
    customer_id: str | None = None
    customer: JsonObject | None = None
    destination: JsonObject | None = None
    phone_call_provider: str = "vapi"
    phone_call_transport: str = "sip"
    phone_call_provider_id: str | None = None
    phone_call_provider_details: JsonObject | None = None
    transport: JsonObject | None = None
    monitor: JsonObject | None = None
    artifact_plan: JsonObject | None = None
    artifact: JsonObject | None = None
    analysis: JsonObject | None = None
    messages: list[Any] | None = None
    transcript: str | None = None
    summary: str | None = None
    recording_url: str | None = None
    stereo_recording_url: str | None = None
    cost: float = 0
    cost_breakdown: JsonObject | None = None
    costs: list[JsonObject] = Field(default_factory=list)

    def wire(self) -> JsonObject:
        """The object with every field, unset ones as null, as the contract's payloads show it."""
        return self.model_dump(mode="json", by_alias=True)

"""The Call object (§4.2), as this server stores and returns it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ari_assistant.vapi.base import Contract, JsonObject

__all__ = ["Call", "CallStatus"]

CallStatus = Literal["scheduled", "queued", "ringing", "in-progress", "forwarding", "ended"]


class Call(Contract):
    """One call. Times are ISO 8601 in UTC. Fields beside the contract's own are the legacy duplicates (§4.2)."""

    id: str
    org_id: str
    type: Literal["inboundPhoneCall", "outboundPhoneCall"] = "inboundPhoneCall"
    status: CallStatus
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
    phone_number_id: str | None = None
    customer_id: str | None = None
    customer: JsonObject | None = None
    destination: JsonObject | None = None
    phone_call_provider: str = "vapi"
    phone_call_transport: str = "sip"
    phone_call_provider_id: str | None = None
    phone_call_provider_details: JsonObject | None = None
    transport: JsonObject | None = None
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

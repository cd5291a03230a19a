"""The Call object of a running and of an ended call (contract §4.2, §12)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ari_assistant.conversation.ending import Ending
from ari_assistant.conversation.result import Conversation
from ari_assistant.conversation.timings import performance_metrics
from ari_assistant.reports.call_state import CallEvent, CallState, after
from ari_assistant.reports.costs import cost_breakdown, costs
from ari_assistant.reports.invite import Invite
from ari_assistant.vapi.assistant import Assistant, AssistantOverrides
from ari_assistant.vapi.base import JsonObject, call_id, iso
from ari_assistant.vapi.call import Call, Customer
from ari_assistant.vapi.phone_number import AnyPhoneNumber
from ari_assistant.vapi.plans import ArtifactPlan
from ari_assistant.vapi.secret import without_secrets

__all__ = ["CallRecord"]

CallType = Literal["inboundPhoneCall", "outboundPhoneCall"]


class CallRecord:
    """Collects what is known of one call, and renders it."""

    def __init__(
        self,
        *,
        org_id: str,
        phone_number: JsonObject,
        public_url: str,
        customer: JsonObject,
        variables: JsonObject,
        invite: Invite | None = None,
        name: str | None = None,
    ) -> None:
        """`invite` is the caller's INVITE; without one the call is outbound."""
        created = datetime.now(UTC)
        self.id = call_id(created)
        self.invite = invite
        self.customer = without_secrets(customer, Customer)
        self.phone_number = phone_number
        self.type: CallType = "inboundPhoneCall" if invite is not None else "outboundPhoneCall"
        self.state = CallState.RINGING if invite is not None else CallState.QUEUED
        self.assistant_id: str | None = None
        self.assistant: JsonObject | None = None
        self.squad_id: str | None = None
        self.overrides: JsonObject = {"variableValues": variables}
        self.destination: JsonObject | None = None
        self.transfers: list[JsonObject] = []
        self.started: datetime | None = None
        self.ended: datetime | None = None
        self.ending: Ending | None = None
        self.line_quality: JsonObject = {}
        """See `reports.line_quality`."""
        self.recording_path: Path | None = None
        self.log_kept = False
        self.analysis: JsonObject | None = None
        self.structured_outputs: JsonObject = {}
        self.sip_call_id: str | None = invite.call_id if invite is not None else None
        self._name = name
        self._created = created
        self._updated = created
        self._org_id = org_id
        self._public_url = public_url.rstrip("/")
        self._results: JsonObject = {}
        self._shown: dict[str, tuple[JsonObject, JsonObject]] = {}
        self._costs: list[JsonObject] = []
        self._cost_breakdown: JsonObject | None = None

    def happened(self, event: CallEvent) -> bool:
        """Move to the next state; False when the event changes nothing."""
        following = after(self.state, event)
        if following is None:
            return False
        self.state = following
        self.touch()
        if event is CallEvent.ANSWERED:
            self.started = self._updated
        elif event is CallEvent.ENDED:
            self.ended = self._updated
        return True

    def touch(self) -> None:
        """Something of it has changed."""
        self._updated = datetime.now(UTC)

    @property
    def seconds(self) -> float:
        """From the answer to the end."""
        return (self.ended - self.started).total_seconds() if self.started and self.ended else 0.0

    def live_artifact(self, conversation: Conversation, variables: JsonObject) -> JsonObject:
        """The artifact as it is now: the conversation and the variables (§7.2)."""
        history = conversation.history
        plan = ArtifactPlan.model_validate((self.assistant or {}).get("artifactPlan") or {})
        names = plan.transcript_plan
        artifact: JsonObject = {
            "messages": history.messages(),
            "messagesOpenAIFormatted": conversation.openai_messages,
            "variableValues": variables,
            "variables": variables,
        }
        if names is None or names.enabled is not False:
            artifact["transcript"] = history.transcript(
                assistant_name=(names.assistant_name if names else None) or "AI",
                user_name=(names.user_name if names else None) or "User",
            )
        return artifact

    def take_results(self, conversation: Conversation, variables: JsonObject) -> None:
        """Keep the conversation and the measurements of a conversation that is over."""
        artifact = self.live_artifact(conversation, variables) | {
            "performanceMetrics": performance_metrics(conversation.times, conversation.speculation),
            "mediaStatistics": {**conversation.statistics, **self.line_quality},
        }
        url = f"{self._public_url}/call/{self.id}"
        if self.recording_path is not None:
            artifact |= {
                "recordingUrl": f"{url}/mono-recording",
                "stereoRecordingUrl": f"{url}/stereo-recording",
                "recordingPath": str(self.recording_path),
                "recording": {
                    "stereoUrl": f"{url}/stereo-recording",
                    "mono": {
                        "combinedUrl": f"{url}/mono-recording",
                        "assistantUrl": f"{url}/assistant-recording",
                        "customerUrl": f"{url}/customer-recording",
                    },
                },
            }
        if self.log_kept:
            artifact["logUrl"] = f"{url}/call-logs"
        if self.transfers:
            artifact["transfers"] = self.transfers
        if self.structured_outputs:
            artifact["structuredOutputs"] = self.structured_outputs
        self._results = artifact
        self._cost_breakdown = cost_breakdown(conversation.used)
        self._costs = costs(
            conversation.used,
            seconds=self.seconds,
            assistant=self.assistant or {},
            names=conversation.provider_names,
        )

    @property
    def transport(self) -> JsonObject:
        """`transport` of a SIP call."""
        transport: JsonObject = {"provider": "vapi.sip", "conversationType": "voice", "callSid": self.id}
        if self.sip_call_id is not None:
            transport["sbcCallSid"] = self.sip_call_id
        return transport

    @property
    def artifact(self) -> JsonObject:
        """The call's artifact; empty while it runs."""
        return self._results

    @property
    def costs(self) -> list[JsonObject]:
        """See `reports.costs`."""
        return self._costs

    @property
    def shown_assistant(self) -> JsonObject | None:
        """The assistant without its secrets."""
        return self._without_secrets("assistant", self.assistant, Assistant)

    @property
    def shown_number(self) -> JsonObject:
        """The phone number without its secrets."""
        return self._without_secrets("number", self.phone_number, AnyPhoneNumber) or {}

    def _without_secrets(self, part: str, given: JsonObject | None, schema: Any) -> JsonObject | None:
        """Every message has the same assistant in it: a long one is walked once."""
        known = self._shown.get(part)
        if given is not None and (known is None or known[0] is not given):
            self._shown[part] = known = (given, without_secrets(given, schema))
        return known[1] if given is not None and known is not None else None

    def wire(self) -> JsonObject:
        """The Call object as it is now."""
        artifact = self._results or None
        analysis = self.analysis if self.analysis is not None else ({} if artifact else None)
        details: JsonObject | None = {"sbcCallId": self.sip_call_id} if self.sip_call_id is not None else None
        if self.invite is not None:
            details = {"sbcCallId": self.invite.call_id, "sip": self.invite.details}
        return Call(
            id=self.id,
            org_id=self._org_id,
            type=self.type,
            status=self.state.value,
            name=self._name,
            created_at=iso(self._created),
            updated_at=iso(self._updated),
            started_at=iso(self.started) if self.started else None,
            ended_at=iso(self.ended) if self.ended else None,
            ended_reason=self.ending.reason if self.ending else None,
            ended_message=self.ending.message if self.ending else None,
            assistant_id=self.assistant_id,
            # One that is stored is looked up by its id.
            assistant=(self.shown_assistant or None) if self.assistant_id is None else None,
            assistant_overrides=self._without_secrets("overrides", self.overrides, AssistantOverrides),
            squad_id=self.squad_id,
            phone_number_id=self.phone_number["id"],
            customer=self.customer,
            destination=self.destination,
            phone_call_provider_id=self.id,
            phone_call_provider_details=details,
            transport=self.transport,
            artifact=artifact,
            analysis=analysis,
            messages=artifact["messages"] if artifact else None,
            transcript=artifact.get("transcript") if artifact else None,
            summary=(analysis or {}).get("summary"),
            recording_url=artifact.get("recordingUrl") if artifact else None,
            stereo_recording_url=artifact.get("stereoRecordingUrl") if artifact else None,
            cost_breakdown=self._cost_breakdown,
            costs=self._costs,
        ).wire()

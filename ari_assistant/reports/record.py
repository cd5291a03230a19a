"""The Call object of a running and of an ended call (contract §4.2, §12)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from ari_assistant.assistants.lookup import Chosen
from ari_assistant.conversation.ending import Ending
from ari_assistant.conversation.result import Conversation
from ari_assistant.conversation.timings import performance_metrics
from ari_assistant.dialogue.variables import Variables
from ari_assistant.reports.call_state import CallEvent, CallState, after
from ari_assistant.reports.costs import cost_breakdown, costs
from ari_assistant.reports.invite import Invite
from ari_assistant.vapi.assistant import Assistant, AssistantOverrides
from ari_assistant.vapi.base import JsonObject, call_id, iso
from ari_assistant.vapi.call import Call, Customer
from ari_assistant.vapi.phone_number import AnyPhoneNumber
from ari_assistant.vapi.plans import ArtifactPlan
from ari_assistant.vapi.secret import without_secrets

__all__ = ["CallRecord", "Dialled", "Installation", "LiveConversation"]

CallType = Literal["inboundPhoneCall", "outboundPhoneCall"]


@dataclass(frozen=True, slots=True)
class Installation:
    """Whose calls these are, and where what is kept of them can be fetched."""

    org_id: str
    public_url: str
    """The API's base URL, for the links to recordings."""


@dataclass(frozen=True, slots=True)
class Dialled:
    """What began an outbound call: somebody wanted a customer dialled. (An inbound one begins with an `Invite`.)"""

    customer: JsonObject
    name: str | None = None
    """What the call is to be called."""


class LiveConversation(Protocol):
    """A conversation that goes on, or has gone on until now. `session.session` implements it."""

    def conversation(self) -> Conversation:
        """What it has come to so far."""


class CallRecord:
    """Collects what is known of one call, and renders it."""

    def __init__(self, installation: Installation, phone_number: JsonObject, origin: Invite | Dialled) -> None:
        created = datetime.now(UTC)
        self.id = call_id(created)
        self.origin = origin
        match origin:
            case Invite():
                self.type: CallType = "inboundPhoneCall"
                self.state = CallState.RINGING
                customer, variables = origin.customer, origin.variables
                self.sip_call_id: str | None = origin.call_id
            case Dialled():
                self.type = "outboundPhoneCall"
                self.state = CallState.QUEUED
                customer, variables = origin.customer, {}
                self.sip_call_id = None
        self.customer = without_secrets(customer, Customer)
        self.phone_number = phone_number
        self.assistant_id: str | None = None
        self.assistant: JsonObject | None = None
        """Who answers, as it was written."""
        self.answering = Assistant()
        """The same, read."""
        self.squad_id: str | None = None
        self.overrides: JsonObject = {"variableValues": variables}
        self.destination: JsonObject | None = None
        self.transfers: list[JsonObject] = []
        self.started: datetime | None = None
        self.ended: datetime | None = None
        self.ending: Ending | None = None
        self.debugging: JsonObject | None = None
        """Why nobody could answer, for the operator (`inboundPhoneCallDebuggingArtifacts`, §7.5)."""
        self.line_quality: JsonObject = {}
        """What Asterisk measured of the caller's leg (`reports.line_quality`)."""
        self.recording_path: Path | None = None
        self.log_kept = False
        self.analysis: JsonObject | None = None
        self.structured_outputs: JsonObject = {}
        self._created = created
        self._updated = created
        self._installation = installation
        self._conversation: tuple[LiveConversation, Variables] | None = None
        self._results: JsonObject = {}
        self._shown: dict[str, tuple[JsonObject, JsonObject]] = {}
        self._costs: list[JsonObject] = []
        self._cost_breakdown: JsonObject | None = None

    def take_assistant(self, assistant: Assistant, chosen: Chosen) -> None:
        """This assistant answers; `assistant` is what `chosen.document` says."""
        document, overrides = chosen.document, chosen.overrides
        self.answering = assistant
        self.assistant_id = chosen.assistant_id
        self.assistant = document
        given = {**(document.get("variableValues") or {}), **(overrides.get("variableValues") or {})}
        self.overrides = {**overrides, "variableValues": {**self.overrides["variableValues"], **given}}

    def follow(self, conversation: LiveConversation, variables: Variables) -> None:
        """There is a conversation: from now on the artifact is what it has come to."""
        self._conversation = conversation, variables

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

    def live_artifact(self) -> JsonObject | None:
        """The artifact as it is now (§7.2): the conversation and the variables; None in a call without one."""
        if self._conversation is None:
            return None
        live, variables = self._conversation
        return self._artifact_of(live.conversation(), variables.values)

    def _artifact_of(self, conversation: Conversation, variables: JsonObject) -> JsonObject:
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

    def take_results(self) -> None:
        """Keep what a conversation that is over has come to, and its measurements; where there was none, nothing."""
        if self._conversation is None:
            return
        live, variables = self._conversation
        conversation = live.conversation()
        artifact = self._artifact_of(conversation, variables.values) | {
            "performanceMetrics": performance_metrics(conversation.times, conversation.speculation),
            "mediaStatistics": {**conversation.statistics, **self.line_quality},
        }
        url = f"{self._installation.public_url.rstrip('/')}/call/{self.id}"
        if self.recording_path is not None:
            artifact |= _recording_links(url, self.recording_path)
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
        """`costs` (§12.4); none while the call runs."""
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
        match self.origin:
            case Invite() as invite:
                name = None
                details: JsonObject | None = {"sbcCallId": invite.call_id, "sip": invite.details}
            case Dialled() as wanted:
                name, details = wanted.name, None
        return Call(
            id=self.id,
            org_id=self._installation.org_id,
            type=self.type,
            status=self.state.value,
            name=name,
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


def _recording_links(url: str, path: Path) -> JsonObject:
    """Where the recording of the call at `url` is, in the ways that the artifact has it (§12.1)."""
    return {
        "recordingUrl": f"{url}/mono-recording",
        "stereoRecordingUrl": f"{url}/stereo-recording",
        "recordingPath": str(path),
        "recording": {
            "stereoUrl": f"{url}/stereo-recording",
            "mono": {
                "combinedUrl": f"{url}/mono-recording",
                "assistantUrl": f"{url}/assistant-recording",
                "customerUrl": f"{url}/customer-recording",
            },
        },
    }

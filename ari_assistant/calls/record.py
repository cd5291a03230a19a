"""The Call object of a running and of an ended call (contract §4.2, §12)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ari_assistant.calls.ending import Ending
from ari_assistant.calls.invite import Invite
from ari_assistant.calls.metrics import performance_metrics
from ari_assistant.calls.session import Session
from ari_assistant.calls.state import CallEvent, CallState, after
from ari_assistant.vapi.base import JsonObject, call_id, iso
from ari_assistant.vapi.call import Call

__all__ = ["CallRecord"]


class CallRecord:
    """Collects what is known of one call, and renders it."""

    def __init__(self, invite: Invite, *, org_id: str, phone_number: JsonObject, public_url: str) -> None:
        created = datetime.now(UTC)
        self.id = call_id(created)
        self.invite = invite
        self.phone_number = phone_number
        self.state = CallState.RINGING
        self.assistant_id: str | None = None
        self.assistant: JsonObject | None = None
        self.overrides: JsonObject = {"variableValues": invite.variables}
        self.destination: JsonObject | None = None
        self.started: datetime | None = None
        self.ended: datetime | None = None
        self.ending: Ending | None = None
        self.recording_path: Path | None = None
        self._created = created
        self._updated = created
        self._org_id = org_id
        self._public_url = public_url.rstrip("/")
        self._results: JsonObject = {}

    def happened(self, event: CallEvent) -> bool:
        """Move to the next state; False when the event changes nothing."""
        following = after(self.state, event)
        if following is None:
            return False
        self.state = following
        self._updated = datetime.now(UTC)
        if event is CallEvent.ANSWERED:
            self.started = self._updated
        elif event is CallEvent.ENDED:
            self.ended = self._updated
        return True

    def take_results(self, session: Session, variables: JsonObject) -> None:
        """Keep the conversation and the measurements of a session that is over."""
        history = session.history
        plan = (self.assistant or {}).get("artifactPlan") or {}
        names = plan.get("transcriptPlan") or {}
        transcript = history.transcript(
            assistant_name=names.get("assistantName") or "AI", user_name=names.get("userName") or "User"
        )
        artifact: JsonObject = {
            "messages": history.messages(),
            "messagesOpenAIFormatted": history.openai_messages(),
            "transcript": transcript,
            "variableValues": variables,
            "variables": variables,
            "performanceMetrics": performance_metrics(session.times),
            "mediaStatistics": session.statistics(),
        }
        if self.recording_path is not None:
            url = f"{self._public_url}/call/{self.id}"
            artifact |= {
                "recordingUrl": f"{url}/mono-recording",
                "stereoRecordingUrl": f"{url}/stereo-recording",
                "recordingPath": str(self.recording_path),
                "recording": {
                    "stereoUrl": f"{url}/stereo-recording",
                    "mono": {"combinedUrl": f"{url}/mono-recording"},
                },
            }
        self._results = artifact

    @property
    def transport(self) -> JsonObject:
        """`transport` of an inbound SIP call."""
        return {
            "provider": "vapi.sip",
            "conversationType": "voice",
            "callSid": self.id,
            "sbcCallSid": self.invite.call_id,
        }

    @property
    def artifact(self) -> JsonObject:
        """The call's artifact; empty while it runs."""
        return self._results

    def wire(self) -> JsonObject:
        """The Call object as it is now."""
        invite = self.invite
        sip: JsonObject = {
            "method": "INVITE",
            "version": "2.0",
            "uri": invite.request_uri,
            "headers": {
                "from": f'"{invite.from_name}" <{invite.from_uri}>'
                if invite.from_name
                else f"<{invite.from_uri}>",
                "to": invite.to,
                "call-id": invite.call_id,
                **dict(invite.headers),
            },
        }
        artifact = self._results or None
        return Call(
            id=self.id,
            org_id=self._org_id,
            status=self.state.value,
            created_at=iso(self._created),
            updated_at=iso(self._updated),
            started_at=iso(self.started) if self.started else None,
            ended_at=iso(self.ended) if self.ended else None,
            ended_reason=self.ending.reason if self.ending else None,
            ended_message=self.ending.message if self.ending else None,
            assistant_id=self.assistant_id,
            assistant=self.assistant if self.assistant_id is None else None,
            assistant_overrides=self.overrides,
            phone_number_id=self.phone_number["id"],
            customer=invite.customer,
            destination=self.destination,
            phone_call_provider_id=self.id,
            phone_call_provider_details={"sbcCallId": invite.call_id, "sip": sip},
            transport=self.transport,
            artifact=artifact,
            analysis={} if artifact else None,
            messages=artifact["messages"] if artifact else None,
            transcript=artifact["transcript"] if artifact else None,
            recording_url=artifact.get("recordingUrl") if artifact else None,
            stereo_recording_url=artifact.get("stereoRecordingUrl") if artifact else None,
        ).wire()

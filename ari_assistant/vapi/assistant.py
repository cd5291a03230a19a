"""Assistants (§2) and what they are made of (§10, §11)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ari_assistant.vapi.base import Contract, JsonObject
from ari_assistant.vapi.hook import AssistantHook
from ari_assistant.vapi.model import Model
from ari_assistant.vapi.plans import (
    AnalysisPlan,
    ArtifactPlan,
    BackgroundSpeechDenoisingPlan,
    CompliancePlan,
    KeypadInputPlan,
    MessagePlan,
    MonitorPlan,
    StartSpeakingPlan,
    StopSpeakingPlan,
)
from ari_assistant.vapi.secret import DATA, SECRET, Secret
from ari_assistant.vapi.server import Server
from ari_assistant.vapi.tool import MAX_TOOLS, Tool
from ari_assistant.vapi.transcriber import Transcriber
from ari_assistant.vapi.voice import Voice

__all__ = ["Assistant", "AssistantOverrides", "ServerMessageType"]

ServerMessageType = Literal[
    "assistant.started",
    "assistant.speechStarted",
    "call.artifact.upload",
    "call.delete.failed",
    "call.deleted",
    "chat.created",
    "chat.deleted",
    "conversation-update",
    "end-of-call-report",
    "function-call",
    "handoff-destination-request",
    "hang",
    "language-change-detected",
    "language-changed",
    "model-output",
    "phone-call-control",
    "session.created",
    "session.deleted",
    "session.updated",
    "speech-update",
    "status-update",
    "tool-calls",
    "tool.completed",
    "transcript",
    'transcript[transcriptType="final"]',
    "transfer-destination-request",
    "transfer-update",
    "user-interrupted",
    "voice-input",
]
"""What a server may choose (§7.3)."""


class Assistant(Contract):
    """`CreateAssistantDTO`: a bag of options, every one of them optional (§2)."""

    name: Annotated[str, Field(max_length=40)] | None = None
    first_message: Annotated[str, Field(max_length=10_000)] | None = None
    first_message_mode: (
        Literal[
            "assistant-speaks-first",
            "assistant-waits-for-user",
            "assistant-speaks-first-with-model-generated-message",
        ]
        | None
    ) = None
    first_message_interruptions_enabled: bool | None = None
    model: Model | None = None
    voice: Voice | None = None
    transcriber: Transcriber | None = None
    server: Server | None = None
    server_url: str | None = None
    server_url_secret: Secret | None = None
    server_messages: list[ServerMessageType] | None = None
    client_messages: list[str] | None = None
    max_duration_seconds: Annotated[float, Field(ge=10, le=43_200)] | None = None
    silence_timeout_seconds: Annotated[float, Field(ge=5, le=3_600)] | None = None
    end_call_message: Annotated[str, Field(max_length=1_000)] | None = None
    end_call_phrases: (
        Annotated[list[Annotated[str, Field(min_length=2, max_length=140)]], Field(max_length=200)] | None
    ) = None
    end_call_function_enabled: bool | None = None
    voicemail_message: Annotated[str, Field(max_length=1_000)] | None = None
    voicemail_detection: str | JsonObject | None = None
    start_speaking_plan: StartSpeakingPlan | None = None
    stop_speaking_plan: StopSpeakingPlan | None = None
    message_plan: MessagePlan | None = None
    background_sound: str | None = None
    background_denoising_enabled: bool | None = None
    background_speech_denoising_plan: BackgroundSpeechDenoisingPlan | None = None
    backchanneling_enabled: bool | None = None
    model_output_in_messages_enabled: bool | None = None
    recording_enabled: bool | None = None
    hipaa_enabled: bool | None = None
    keypad_input_plan: KeypadInputPlan | None = None
    transport_configurations: list[JsonObject] | None = None
    observability_plan: JsonObject | None = None
    hooks: Annotated[list[AssistantHook], Field(max_length=100)] | None = None
    artifact_plan: ArtifactPlan | None = None
    analysis_plan: AnalysisPlan | None = None
    monitor_plan: MonitorPlan | None = None
    compliance_plan: CompliancePlan | None = None
    metadata: Annotated[JsonObject, DATA] | None = None
    credentials: Annotated[list[JsonObject], SECRET] | None = None
    credential_ids: list[str] | None = None
    variable_values: Annotated[dict[str, Any], DATA] | None = None


class AssistantOverrides(Assistant):
    """A partial assistant laid over another one for one call (§2)."""

    tools_append: Annotated[list[Tool], Field(max_length=MAX_TOOLS)] | None = Field(
        default=None, alias="tools:append"
    )

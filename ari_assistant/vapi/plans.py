"""The plans of an assistant: when it speaks and stops, what is kept, analysed and monitored (§10, §12)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ari_assistant.vapi.base import Contract, JsonObject, OpenContract
from ari_assistant.vapi.secret import DATA
from ari_assistant.vapi.server import Server

__all__ = [
    "AnalysisPlan",
    "ArtifactPlan",
    "BackgroundSpeechDenoisingPlan",
    "CompliancePlan",
    "KeypadInputPlan",
    "MessagePlan",
    "MonitorPlan",
    "StartSpeakingPlan",
    "StopSpeakingPlan",
    "StructuredDataPlan",
    "SuccessEvaluationPlan",
    "SummaryPlan",
]

PlanTimeout = Annotated[float, Field(ge=1, le=60)]


class TranscriptionEndpointingPlan(Contract):
    """How long to wait after what the transcript ends with (§10.1). Seconds."""

    on_punctuation_seconds: Annotated[float, Field(ge=0, le=3)] | None = None
    on_no_punctuation_seconds: Annotated[float, Field(ge=0, le=3)] | None = None
    on_number_seconds: Annotated[float, Field(ge=0, le=3)] | None = None


class SmartEndpointingPlan(OpenContract):
    """Which end-of-turn model is asked (§10.1)."""

    provider: str
    wait_function: str | None = None
    server: Server | None = None


class CustomEndpointingRule(Contract):
    """A wait of its own for texts that match (§10.1)."""

    type: Literal["assistant", "customer", "both"]
    regex: str | None = None
    regex_options: list[JsonObject] | None = None
    assistant_regex: str | None = None
    assistant_regex_options: list[JsonObject] | None = None
    customer_regex: str | None = None
    customer_regex_options: list[JsonObject] | None = None
    timeout_seconds: Annotated[float, Field(ge=0, le=15)]


class StartSpeakingPlan(Contract):
    """When the assistant may speak (§10.1). Seconds."""

    wait_seconds: Annotated[float, Field(ge=0, le=5)] | None = None
    smart_endpointing_enabled: bool | Literal["livekit"] | None = None
    smart_endpointing_plan: SmartEndpointingPlan | None = None
    custom_endpointing_rules: Annotated[list[CustomEndpointingRule], Field(max_length=20)] | None = None
    transcription_endpointing_plan: TranscriptionEndpointingPlan | None = None


class StopSpeakingPlan(Contract):
    """When the caller's speech interrupts (§10.2). Seconds."""

    num_words: Annotated[int, Field(ge=0, le=10)] | None = None
    voice_seconds: Annotated[float, Field(ge=0, le=0.5)] | None = None
    backoff_seconds: Annotated[float, Field(ge=0, le=10)] | None = None
    acknowledgement_phrases: list[str] | None = None
    interruption_phrases: list[str] | None = None


class KeypadInputPlan(Contract):
    """How the caller's digits are collected (§8.6). Older SDKs send `delimiters` as an array."""

    enabled: bool | None = None
    timeout_seconds: Annotated[float, Field(ge=0, le=10)] | None = None
    delimiters: Literal["#", "*", ""] | list[Literal["#", "*", ""]] | None = None


class MessagePlan(Contract):
    """The older idle messages (§10.5)."""

    idle_messages: list[str] | None = None
    idle_message_max_spoken_count: Annotated[float, Field(ge=1, le=10)] | None = None
    idle_message_reset_count_on_user_speech_enabled: bool | None = None
    idle_timeout_seconds: Annotated[float, Field(ge=1, le=60)] | None = None
    silence_timeout_message: str | None = None


class TranscriptPlan(Contract):
    """`artifact.transcript`: whether, and under which names."""

    enabled: bool | None = None
    assistant_name: str | None = None
    user_name: str | None = None


class ArtifactPlan(Contract):
    """What is kept of a call (§12.1)."""

    recording_enabled: bool | None = None
    recording_format: Literal["wav;l16", "mp3"] | None = None
    recording_use_custom_storage_enabled: bool | None = None
    recording_path: str | None = None
    video_recording_enabled: bool | None = None
    full_message_history_enabled: bool | None = None
    pcap_enabled: bool | None = None
    pcap_s3_path_prefix: str | None = Field(default=None, alias="pcapS3PathPrefix")
    pcap_use_custom_storage_enabled: bool | None = None
    logging_enabled: bool | None = None
    logging_use_custom_storage_enabled: bool | None = None
    logging_path: str | None = None
    transcript_plan: TranscriptPlan | None = None
    structured_output_ids: list[str] | None = None
    structured_outputs: list[JsonObject] | None = None
    scorecard_ids: list[str] | None = None
    scorecards: list[JsonObject] | None = None


class SummaryPlan(Contract):
    """`analysis.summary` (§12.2)."""

    messages: list[JsonObject] | None = None
    enabled: bool | None = None
    timeout_seconds: PlanTimeout | None = None


class StructuredDataPlan(Contract):
    """`analysis.structuredData` (§12.2)."""

    messages: list[JsonObject] | None = None
    enabled: bool | None = None
    json_schema: Annotated[JsonObject, DATA] | None = Field(default=None, alias="schema")
    timeout_seconds: PlanTimeout | None = None


class StructuredDataMultiPlan(Contract):
    """One element of `analysis.structuredDataMulti`."""

    key: str
    plan: StructuredDataPlan


class SuccessEvaluationPlan(Contract):
    """`analysis.successEvaluation` (§12.2)."""

    rubric: (
        Literal[
            "NumericScale",
            "DescriptiveScale",
            "Checklist",
            "Matrix",
            "PercentageScale",
            "LikertScale",
            "AutomaticRubric",
            "PassFail",
        ]
        | None
    ) = None
    messages: list[JsonObject] | None = None
    enabled: bool | None = None
    timeout_seconds: PlanTimeout | None = None


class AnalysisPlan(Contract):
    """What is found out about a call after its end (§12.2)."""

    min_messages_threshold: Annotated[float, Field(ge=0)] | None = None
    summary_plan: SummaryPlan | None = None
    structured_data_plan: StructuredDataPlan | None = None
    structured_data_multi_plan: list[StructuredDataMultiPlan] | None = None
    success_evaluation_plan: SuccessEvaluationPlan | None = None
    outcome_ids: list[str] | None = None
    # older spellings, which programs of 2024 still send
    summary_prompt: str | None = None
    structured_data_prompt: str | None = None
    structured_data_schema: Annotated[JsonObject, DATA] | None = None
    success_evaluation_prompt: str | None = None
    success_evaluation_rubric: str | None = None


class MonitorPlan(Contract):
    """Live listening and control (§12.3)."""

    listen_enabled: bool | None = None
    listen_authentication_enabled: bool | None = None
    control_enabled: bool | None = None
    control_authentication_enabled: bool | None = None
    monitor_ids: list[str] | None = None


class CompliancePlan(Contract):
    """What must not be stored (§12.3)."""

    hipaa_enabled: bool | JsonObject | None = None
    pci_enabled: bool | JsonObject | None = None
    security_filter_plan: JsonObject | None = None
    recording_consent_plan: JsonObject | None = None

    @model_validator(mode="after")
    def _asks_nobody(self) -> CompliancePlan:
        if self.recording_consent_plan is not None:
            raise ValueError(
                "recordingConsentPlan must be left out: asking for consent does not exist here yet. To record"
                " nothing, set artifactPlan.recordingEnabled to false"
            )
        return self


class BackgroundSpeechDenoisingPlan(Contract):
    """Noise suppression (§2)."""

    smart_denoising_plan: dict[str, Any] | None = None
    fourier_denoising_plan: dict[str, Any] | None = None

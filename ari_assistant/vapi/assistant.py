"""Assistants (§2) and what they are made of (§10, §11)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ari_assistant.vapi.base import Contract, JsonObject, OpenContract
from ari_assistant.vapi.server import Server

__all__ = [
    "Assistant",
    "AssistantOverrides",
    "Message",
    "Model",
    "StartSpeakingPlan",
    "StopSpeakingPlan",
    "Transcriber",
    "Voice",
]


class Message(OpenContract):
    """One message of `model.messages`, in OpenAI's form."""

    role: Literal["assistant", "function", "user", "system", "tool", "developer"]
    content: str | None = None


class Model(OpenContract):
    """Which model speaks (§11.1). Any provider name is accepted; the registry maps it to what is configured.

    `provider: "built-in"` is this project's own deterministic dialogue, whose `facts`, `intents` and
    `fallback` are validated by `ari_assistant.dialogue.rules`.
    """

    provider: str
    model: str | None = None
    url: str | None = None
    messages: list[Message] | None = None
    system_prompt: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=10_000)] | None = None
    headers: dict[str, str] | None = None
    timeout_seconds: Annotated[float, Field(ge=0, le=300)] | None = None


class Voice(OpenContract):
    """Which voice speaks (§11.5). Any provider name is accepted."""

    provider: str
    voice_id: str | None = None


class Transcriber(OpenContract):
    """Which transcriber listens (§11.5). Any provider name is accepted."""

    provider: str
    model: str | None = None
    language: str | None = None


class StartSpeakingPlan(OpenContract):
    """When the assistant may speak (§10.1). Seconds."""

    wait_seconds: Annotated[float, Field(ge=0, le=5)] | None = None


class StopSpeakingPlan(OpenContract):
    """When the caller's speech interrupts (§10.2). Seconds."""

    num_words: Annotated[int, Field(ge=0, le=10)] | None = None
    voice_seconds: Annotated[float, Field(ge=0, le=0.5)] | None = None
    backoff_seconds: Annotated[float, Field(ge=0, le=10)] | None = None


class Assistant(Contract):
    """`CreateAssistantDTO`: a bag of options, every one of them optional (§2)."""

    name: Annotated[str, Field(max_length=40)] | None = None
    first_message: str | None = None
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
    server_url_secret: str | None = None
    server_messages: list[str] | None = None
    client_messages: list[str] | None = None
    max_duration_seconds: Annotated[float, Field(ge=10, le=43_200)] | None = None
    silence_timeout_seconds: Annotated[float, Field(ge=5, le=3_600)] | None = None
    end_call_message: Annotated[str, Field(max_length=1_000)] | None = None
    end_call_phrases: list[Annotated[str, Field(min_length=2, max_length=140)]] | None = None
    end_call_function_enabled: bool | None = None
    voicemail_message: Annotated[str, Field(max_length=1_000)] | None = None
    voicemail_detection: str | JsonObject | None = None
    start_speaking_plan: StartSpeakingPlan | None = None
    stop_speaking_plan: StopSpeakingPlan | None = None
    message_plan: JsonObject | None = None
    background_sound: str | None = None
    background_denoising_enabled: bool | None = None
    background_speech_denoising_plan: JsonObject | None = None
    backchanneling_enabled: bool | None = None
    model_output_in_messages_enabled: bool | None = None
    recording_enabled: bool | None = None
    hipaa_enabled: bool | None = None
    keypad_input_plan: JsonObject | None = None
    transport_configurations: list[JsonObject] | None = None
    observability_plan: JsonObject | None = None
    hooks: list[JsonObject] | None = None
    artifact_plan: JsonObject | None = None
    analysis_plan: JsonObject | None = None
    monitor_plan: JsonObject | None = None
    compliance_plan: JsonObject | None = None
    metadata: JsonObject | None = None
    credentials: list[JsonObject] | None = None
    credential_ids: list[str] | None = None
    variable_values: dict[str, Any] | None = None


class AssistantOverrides(Assistant):
    """A partial assistant laid over another one for one call (§2)."""

    tools_append: list[JsonObject] | None = Field(default=None, alias="tools:append")

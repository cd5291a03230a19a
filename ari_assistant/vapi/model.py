"""Which model speaks (§11.1)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ari_assistant.vapi.base import JsonObject, OpenContract, VendorContract
from ari_assistant.vapi.secret import SecretHeaders
from ari_assistant.vapi.server import Server
from ari_assistant.vapi.tool import MAX_TOOLS, Function, Tool

__all__ = ["BUILT_IN", "CUSTOM_LLM", "KNOWN_MODELS", "KnowledgeBase", "Message", "Model"]

BUILT_IN = "built-in"
"""This project's own deterministic dialogue, whose keys `ari_assistant.dialogue.rules.config` validates."""
CUSTOM_LLM = "custom-llm"
"""The one provider that an assistant's own `url` belongs to, and whose key goes there."""

_VENDOR_FIELDS: dict[str, frozenset[str]] = {
    "anthropic": frozenset({"thinking"}),
    "anthropic-bedrock": frozenset({"thinking"}),
    "google": frozenset({"realtimeConfig"}),
    "openai": frozenset(
        {
            "fallbackModels",
            "promptCacheKey",
            "promptCacheRetention",
            "reasoningEffort",
            "toolStrictCompatibilityMode",
            "semanticCachingEnabled",
        }
    ),
    "vapi": frozenset({"version", "workflow", "workflowId", "steps"}),
    **dict.fromkeys(
        (
            "anyscale",
            "cerebras",
            CUSTOM_LLM,
            "deep-seek",
            "deepinfra",
            "groq",
            "inflection-ai",
            "minimax",
            "openrouter",
            "perplexity-ai",
            "together-ai",
            "xai",
        ),
        frozenset(),
    ),
}
"""Provider → its own fields beside the common ones. A provider that is not here may have any."""


KNOWN_MODELS = frozenset(_VENDOR_FIELDS) | {BUILT_IN, "mistral"}
"""The providers that the contract has, and ours."""


class Message(OpenContract):
    """One message of `model.messages`, in OpenAI's form."""

    role: Literal["assistant", "function", "user", "system", "tool", "developer"]
    content: str | None = None


class KnowledgeBase(OpenContract):
    """Where documents come from; `custom-knowledge-base` asks the user's server (§7.7)."""

    provider: str
    server: Server | None = None


class Model(VendorContract):
    """Which model speaks. Any provider name is accepted and mapped to what is configured; an unknown property
    of a known provider is refused."""

    vendor_fields = _VENDOR_FIELDS

    provider: str
    model: str | None = None
    url: str | None = None
    messages: Annotated[list[Message], Field(max_length=1_000)] | None = None
    system_prompt: str | None = None
    tools: Annotated[list[Tool], Field(max_length=MAX_TOOLS)] | None = None
    tool_ids: Annotated[list[str], Field(max_length=MAX_TOOLS)] | None = None
    tool_refs: Annotated[list[JsonObject], Field(max_length=MAX_TOOLS)] | None = None
    functions: Annotated[list[JsonObject | Function], Field(max_length=MAX_TOOLS)] | None = None
    knowledge_base: KnowledgeBase | None = None
    knowledge_base_id: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=10_000)] | None = None
    headers: SecretHeaders | None = None
    metadata_send_mode: Literal["off", "variable", "destructured"] | None = None
    timeout_seconds: Annotated[float, Field(ge=0, le=300)] | None = None
    word_level_confidence_enabled: bool | None = None
    emotion_recognition_enabled: bool | None = None
    num_fast_turns: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _has_url(self) -> Model:
        if self.provider == CUSTOM_LLM and not self.url:
            raise ValueError("url must be a string")
        for name, value in (("url", self.url), ("headers", self.headers)):
            if self.provider != CUSTOM_LLM and value is not None:
                raise ValueError(
                    f"{name} must be absent: only provider {CUSTOM_LLM} is asked at a URL of its own;"
                    " where another provider is asked the server's owner sets, by ARI_ASSISTANT_PROVIDER_URLS"
                )
        return self

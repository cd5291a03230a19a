"""Which transcriber listens (§11.4, §11.5)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from ari_assistant.vapi.base import Contract, JsonObject, VendorContract
from ari_assistant.vapi.server import Server

__all__ = ["KNOWN_TRANSCRIBERS", "Transcriber"]

_VENDOR_FIELDS: dict[str, frozenset[str]] = {
    name: frozenset(fields.split())
    for name, fields in {
        "assembly-ai": "agentContext disablePartialTranscripts endOfTurnConfidenceThreshold"
        " endUtteranceSilenceThreshold formatTurns keytermsPrompt languageCodes maxTurnSilence"
        " minEndOfTurnSilenceWhenConfident mode prompt realtimeUrl speechModel vadAssistedEndpointingEnabled"
        " wordBoost wordFinalizationMaxWaitTime",
        "azure": "segmentationMaximumTimeMs segmentationSilenceTimeoutMs segmentationStrategy",
        "custom-transcriber": "",
        "deepgram": "endpointing eotThreshold eotTimeoutMs keyterm languages mipOptOut numerals profanityFilter"
        " redaction smartFormat codeSwitchingEnabled",
        "11labs": "minSilenceDurationMs minSpeechDurationMs silenceThresholdSeconds",
        "gladia": "audioEnhancer customVocabularyConfig customVocabularyEnabled endpointing languageBehaviour"
        " languages prosody receivePartialTranscripts region speechThreshold transcriptionHint",
        "google": "",
        "speechmatics": "customVocabulary enableDiarization endOfTurnSensitivity maxDelay minimumSpeechDuration"
        " numeralStyle operatingPoint region removeDisfluencies",
        "talkscriber": "",
        "openai": "",
        "cartesia": "",
        "soniox": "contextGeneral customVocabulary languageHintsStrict languages maxEndpointDelayMs",
        "xai": "",
        "vapi": "languages turnTaking version",
    }.items()
}


KNOWN_TRANSCRIBERS = frozenset(_VENDOR_FIELDS) | {"moonshine", "faster-whisper", "groq", "vosk", "wyoming"}
"""The providers that the contract has, and ours."""


class TranscriberAutoFallback(Contract):
    """Whether transcribers are tried that are not in the plan. Here one always is: the local engine, at the end."""

    enabled: bool | None = None


class TranscriberFallbackPlan(Contract):
    """The transcribers that are tried when this one fails, in order."""

    transcribers: list[JsonObject] | None = None
    auto_fallback: TranscriberAutoFallback | None = None


class Transcriber(VendorContract):
    """Which transcriber listens. Any provider name is accepted; an unknown property of a known provider is
    refused. Transcripts below `confidenceThreshold` (0.4) are dropped where the provider tells a confidence."""

    vendor_fields = _VENDOR_FIELDS

    provider: str
    model: str | None = None
    language: str | None = None
    keywords: list[str] | None = None
    confidence_threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    server: Server | None = None
    fallback_plan: TranscriberFallbackPlan | None = None

    @model_validator(mode="after")
    def _has_server(self) -> Transcriber:
        if self.provider == "custom-transcriber" and (self.server is None or not self.server.url):
            raise ValueError("server.url must be a string")
        if self.provider != "custom-transcriber" and self.server is not None:
            raise ValueError(
                "server must be absent: only provider custom-transcriber is asked at a server of its own"
            )
        return self

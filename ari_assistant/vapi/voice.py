"""Which voice speaks, and how its text is cut and written out (§10.3, §11.3, §11.5)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ari_assistant.vapi.base import Contract, JsonObject, VendorContract
from ari_assistant.vapi.server import Server

__all__ = ["KNOWN_VOICES", "ChunkPlan", "FormatPlan", "Voice"]

_VENDOR_FIELDS: dict[str, frozenset[str]] = {
    name: frozenset(fields.split())
    for name, fields in {
        "azure": "",
        "cartesia": "experimentalControls generationConfig language pronunciationDictId",
        "custom-voice": "voiceSeed",
        "deepgram": "mipOptOut",
        "11labs": "autoMode enableSsmlParsing language optimizeStreamingLatency pronunciationDictionaryLocators"
        " similarityBoost stability style useSpeakerBoost",
        "hume": "description isCustomHumeVoice",
        "lmnt": "language",
        "neuphonic": "language",
        "openai": "instructions",
        "playht": "emotion language styleGuidance temperature textGuidance voiceGuidance",
        "wellsaid": "enableSsml libraryIds",
        "rime-ai": "inlineSpeedAlpha language pauseBetweenBrackets phonemizeBetweenBrackets reduceLatency",
        "smallest-ai": "",
        "tavus": "callbackUrl conversationName conversationalContext customGreeting personaId properties",
        "vapi": "language pronunciationDictionary version",
        "sesame": "",
        "inworld": "languageCode speakingRate temperature",
        "minimax": "emotion languageBoost pitch region subtitleType textNormalizationEnabled volume",
        "xai": "language",
        "microsoft": "role style styleDegree",
    }.items()
}


KNOWN_VOICES = frozenset(_VENDOR_FIELDS) | {"piper"}
"""The providers that the contract has, and our local one."""


class Replacement(Contract):
    """A text that is said differently from how it is written."""

    type: Literal["exact", "regex"]
    key: str | None = None
    regex: str | None = None
    options: list[JsonObject] | None = None
    value: str
    replace_all_enabled: bool | None = None


class FormatPlan(Contract):
    """How text becomes speakable (§10.3)."""

    enabled: bool | None = None
    number_to_digits_cutoff: Annotated[float, Field(ge=0)] | None = None
    replacements: Annotated[list[Replacement], Field(max_length=100)] | None = None
    formatters_enabled: list[str] | None = None


class ChunkPlan(Contract):
    """How a stream of text is cut into clauses (§10.3)."""

    enabled: bool | None = None
    min_characters: Annotated[float, Field(ge=1, le=80)] | None = None
    punctuation_boundaries: list[str] | None = None
    format_plan: FormatPlan | None = None


class VoiceFallbackPlan(Contract):
    """The voices that are tried when this one fails, in order."""

    voices: list[JsonObject]


class Voice(VendorContract):
    """Which voice speaks. Any provider name is accepted; an unknown property of a known provider is refused."""

    vendor_fields = _VENDOR_FIELDS

    provider: str
    voice_id: str | None = None
    model: str | None = None
    speed: Annotated[float, Field(ge=0.1, le=4)] | None = None
    server: Server | None = None
    caching_enabled: bool | None = None
    chunk_plan: ChunkPlan | None = None
    fallback_plan: VoiceFallbackPlan | None = None
    filler_injection_enabled: bool | None = None
    input_preprocessing_enabled: bool | None = None
    input_reformatting_enabled: bool | None = None
    input_min_characters: float | None = None
    input_punctuation_boundaries: list[str] | None = None

    @model_validator(mode="after")
    def _has_server(self) -> Voice:
        if self.provider == "custom-voice" and (self.server is None or not self.server.url):
            raise ValueError("server.url must be a string")
        if self.provider != "custom-voice" and self.server is not None:
            raise ValueError("server must be absent: only provider custom-voice is asked at a server of its own")
        return self

"""`costs` and `costBreakdown` (contract §12.4): true counts, zero money."""

from __future__ import annotations

from ari_assistant.conversation.usage import Consumption
from ari_assistant.providers.model import Usage
from ari_assistant.vapi.base import JsonObject

__all__ = ["cost_breakdown", "costs"]


def costs(used: Consumption, *, seconds: float, assistant: JsonObject, names: JsonObject) -> list[JsonObject]:
    """One element a kind. `names` are the providers that really worked: `model`, `voice`, `transcriber`."""
    minutes = round(seconds / 60, 4)

    def who(kind: str) -> JsonObject:
        given = assistant.get(kind) or {}
        named = {key: given[key] for key in ("provider", "model", "voiceId") if given.get(key) is not None}
        return named or {"provider": names.get(kind)}

    found: list[JsonObject] = [
        {"type": "transport", "provider": "vapi.sip", "minutes": minutes, "cost": 0},
        {
            "type": "transcriber",
            "transcriber": who("transcriber"),
            "minutes": round(used.heard_seconds / 60, 4),
            "cost": 0,
        },
        {
            "type": "model",
            "model": who("model"),
            "promptTokens": used.model.prompt,
            "completionTokens": used.model.completion,
            "cachedPromptTokens": used.model.cached,
            "cost": 0,
        },
        {"type": "voice", "voice": who("voice"), "characters": used.voice_characters, "cost": 0},
        {"type": "vapi", "subType": "normal", "minutes": minutes, "cost": 0},
    ]
    found += [
        {
            "type": "analysis",
            "analysisType": kind,
            "model": who("model"),
            "promptTokens": usage.prompt,
            "completionTokens": usage.completion,
            "cachedPromptTokens": usage.cached,
            "cost": 0,
        }
        for kind, usage in used.analysis.items()
    ]
    return found


def cost_breakdown(used: Consumption) -> JsonObject:
    """The same, summed."""
    analysis: JsonObject = {}
    for kind in ("summary", "structuredData", "successEvaluation"):
        usage = used.analysis.get(kind, Usage())
        analysis |= {
            kind: 0,
            f"{kind}PromptTokens": usage.prompt,
            f"{kind}CompletionTokens": usage.completion,
        }
    return {
        "transport": 0,
        "stt": 0,
        "llm": 0,
        "tts": 0,
        "vapi": 0,
        "chat": 0,
        "total": 0,
        "llmPromptTokens": used.model.prompt,
        "llmCompletionTokens": used.model.completion,
        "llmCachedPromptTokens": used.model.cached,
        "ttsCharacters": used.voice_characters,
        "analysisCostBreakdown": analysis,
    }

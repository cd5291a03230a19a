"""Which transcriber listens and which voice speaks for an assistant."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from pydantic import ValidationError

from ari_assistant.assistants.local_transcribers import LocalTranscribers
from ari_assistant.assistants.provider_access import ProviderAccess, canonical, fell_back
from ari_assistant.audio.level import ActiveLevel
from ari_assistant.providers import azure, cartesia, deepgram, elevenlabs, vosk, wyoming
from ari_assistant.providers.custom import CustomTranscriber, CustomVoice, VoiceRequests
from ari_assistant.providers.fallback import FallbackTranscriber, FallbackVoice, NobodyElse
from ari_assistant.providers.levelled_voice import LevelledVoice
from ari_assistant.providers.openai import CHAT_PROVIDERS
from ari_assistant.providers.openai_audio import OpenAITranscriber, openai_voice
from ari_assistant.providers.transcriber import Transcriber, TranscriberStream
from ari_assistant.providers.voice import Voice
from ari_assistant.providers.voice_cache import CachedVoice
from ari_assistant.providers.websocket_stream import WebsocketTranscriber
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi import transcriber as transcriber_schema
from ari_assistant.vapi import voice as voice_schema
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.error import validation_messages

__all__ = ["ChosenTranscriber", "SpeechChoice"]

log = get_logger("assistants.speech_providers")


@dataclass(frozen=True, slots=True)
class ChosenTranscriber:
    """Who listens: `stream` where the provider listens along; `transcriber` when there is none, or it is gone."""

    transcriber: Transcriber
    stream: TranscriberStream | None = None


_MAX_VOICES = 32
_MAX_LEVELS = 1_000
_CACHE_BYTES = 8 << 20


class SpeechChoice:
    """Chooses by provider. A provider without a key is answered by the local engine; a local engine also stands
    behind every remote one, so that a caller is never left in silence by somebody else's outage."""

    def __init__(
        self,
        *,
        transcribers: LocalTranscribers,
        voice: CachedVoice,
        vendors: aiohttp.ClientSession,
        servers: aiohttp.ClientSession,
    ) -> None:
        """`transcribers` and `voice` are the local ones. `vendors` opens the connections to where the operator says,
        `servers` those to where API users say."""
        self._transcribers = transcribers
        self._voice = voice
        self._session = vendors
        self._servers = servers
        self._voices: OrderedDict[str, CachedVoice] = OrderedDict()
        self._levels: OrderedDict[str, ActiveLevel] = OrderedDict()

    def voice(self, assistant: Assistant, access: ProviderAccess, requests: VoiceRequests) -> Voice:
        """The voice of one call, whose custom voices are asked by `requests`."""
        wanted = assistant.voice
        if wanted is None:
            return self._voice
        plan = wanted.fallback_plan.voices if wanted.fallback_plan is not None else []
        voices: list[Voice] = []
        for candidate in [wanted, *_parsed(plan, voice_schema.Voice)]:
            made = self._remote_voice(candidate, access, requests)
            if made is None:
                continue
            made = LevelledVoice(made, self._level(candidate, access))
            # A custom voice may say who calls: what it said in one call is not for another.
            if candidate.caching_enabled is not False and candidate.provider != "custom-voice":
                made = self._cached(candidate, access, made)
            voices.append(made)
        if not voices:
            return self._voice
        return FallbackVoice([*voices, self._voice], fell_back)

    def _level(self, wanted: voice_schema.Voice, access: ProviderAccess) -> ActiveLevel:
        """What is known of how loud a voice is; the one that was used longest ago is forgotten first."""
        identity = _identity(wanted, access)
        self._levels[identity] = level = self._levels.pop(identity, None) or ActiveLevel()
        while len(self._levels) > _MAX_LEVELS:
            self._levels.popitem(last=False)
        return level

    def _cached(self, wanted: voice_schema.Voice, access: ProviderAccess, made: Voice) -> Voice:
        identity = _identity(wanted, access)
        known = self._voices.pop(identity, None)
        self._voices[identity] = cached = (
            known if known is not None else CachedVoice(made, limit_bytes=_CACHE_BYTES)
        )
        if known is not None:
            cached.use(made)  # the key may have changed
        while len(self._voices) > _MAX_VOICES:
            self._voices.popitem(last=False)
        return cached

    def _remote_voice(
        self, wanted: voice_schema.Voice, access: ProviderAccess, requests: VoiceRequests
    ) -> Voice | None:
        provider = canonical(wanted.provider)
        if provider == "custom-voice" and wanted.server is not None:
            return CustomVoice(wanted.server, requests)
        makers: Mapping[str, tuple[Callable[..., Voice], str]] = {
            "openai": (openai_voice, CHAT_PROVIDERS["openai"]),
            "11labs": (elevenlabs.elevenlabs_voice, elevenlabs.URL),
            "deepgram": (deepgram.deepgram_voice, deepgram.URL),
            "azure": (azure.azure_voice, azure.URL),
            "cartesia": (cartesia.cartesia_voice, cartesia.URL),
        }
        if provider not in makers or not access.knows(provider):
            return None
        make, default = makers[provider]
        return make(
            self._session, url=access.url(provider, default), key=access.key(provider) or "none", voice=wanted
        )

    def listener(
        self, assistant: Assistant, access: ProviderAccess, headers: Mapping[str, str]
    ) -> ChosenTranscriber:
        """The transcriber of one call. `headers` are those of the websocket of a `custom-transcriber`."""
        wanted = assistant.transcriber
        local = self._transcribers.choose(wanted)
        if wanted is None:
            return ChosenTranscriber(local)
        automatic = wanted.fallback_plan.auto_fallback if wanted.fallback_plan is not None else None
        # Behind those that the assistant names stands the local engine, unless it says that nobody shall.
        behind = [] if automatic is not None and automatic.enabled is False else [local]
        plan = (wanted.fallback_plan.transcribers or []) if wanted.fallback_plan is not None else []
        chosen: list[Transcriber] = []
        for candidate in [wanted, *_parsed(plan, transcriber_schema.Transcriber)]:
            made = self._remote_transcriber(candidate, access, headers)
            if made is None:
                continue
            if not isinstance(made, WebsocketTranscriber):
                chosen.append(made)
            elif not chosen:  # a stream cannot take over in the middle of an utterance
                return ChosenTranscriber(behind[0] if behind else NobodyElse(made.name), made)
        return ChosenTranscriber(FallbackTranscriber([*chosen, *behind], fell_back) if chosen else local)

    def _remote_transcriber(
        self, wanted: transcriber_schema.Transcriber, access: ProviderAccess, headers: Mapping[str, str]
    ) -> Transcriber | WebsocketTranscriber | None:
        provider = canonical(wanted.provider)
        if provider == "custom-transcriber" and wanted.server is not None:
            return CustomTranscriber(self._servers, url=wanted.server.url or "", headers=headers)
        if not access.knows(provider):
            return None
        key = access.key(provider) or "none"
        match provider:
            case "openai" | "groq":
                return OpenAITranscriber(
                    self._session,
                    url=access.url(provider, CHAT_PROVIDERS[provider]),
                    key=key,
                    model=wanted.model,
                    language=wanted.language,
                    name=provider,
                )
            case "deepgram":
                url = access.url(provider, deepgram.URL)
                return deepgram.DeepgramTranscriber(self._session, url=url, key=key, transcriber=wanted)
            case "vosk":
                return vosk.VoskTranscriber(self._session, url=access.url(provider, vosk.URL))
            case "wyoming":
                return wyoming.WyomingTranscriber(url=access.url(provider, wyoming.URL), language=wanted.language)
        return None


def _identity(wanted: voice_schema.Voice, access: ProviderAccess) -> str:
    return json.dumps([wanted.wire(), access.url(wanted.provider, "")], sort_keys=True)


def _parsed(documents: Sequence[JsonObject], schema: Any) -> list[Any]:
    """The fallbacks that can be read; one that cannot is told and left out."""
    found = []
    for document in documents:
        try:
            found.append(schema.model_validate(document))
        except ValidationError as fault:
            log.warning(
                "fallback_unreadable",
                provider=document.get("provider"),
                reason="; ".join(validation_messages(fault)),
            )
    return found

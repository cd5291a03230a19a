"""What is said to every caller is synthesised before somebody calls."""

from __future__ import annotations

from contextlib import suppress

from pydantic import ValidationError

from ari_assistant.conversation.reply import pieces
from ari_assistant.conversation.speaker import is_audio_url, speaking_plan
from ari_assistant.dialogue.spoken import spoken_form
from ari_assistant.providers.errors import ProviderError
from ari_assistant.providers.voice import Voice
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.store.repositories import Listing
from ari_assistant.vapi.assistant import Assistant

__all__ = ["warm"]

_ASSISTANTS = 50
_CHARACTERS = 300


async def warm(voice: Voice, catalogue: Catalogue) -> None:
    """Have `voice` (a cached one) say the first messages that are the same for every caller, as a call would."""
    for resource in await catalogue.assistants.list(Listing(limit=_ASSISTANTS)):
        with suppress(ProviderError, ValidationError):
            assistant = Assistant.model_validate(resource.document)
            text = assistant.first_message or ""
            if "{" in text or is_audio_url(text) or len(text) > _CHARACTERS:
                continue
            plan = speaking_plan(assistant)
            for clause in pieces(text):
                for part in spoken_form(clause, plan):
                    if isinstance(part, str):
                        async for _ in voice.synthesize(part):
                            pass

"""What is said to every caller is synthesised before somebody calls."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from ari_assistant.dialogue.spoken import spoken_form
from ari_assistant.providers.errors import ProviderError
from ari_assistant.providers.voice import Voice
from ari_assistant.session.reply import split_clauses
from ari_assistant.session.speaker import is_audio_url, speaking_plan
from ari_assistant.vapi.assistant import Assistant

__all__ = ["warm"]

_CHARACTERS = 300


async def warm(voice: Voice, assistants: Iterable[Assistant]) -> None:
    """Have `voice` (a cached one) say the first messages that are the same for every caller, as a call would. What it
    fails to say it fails to say again in the call, which tells of it."""
    for assistant in assistants:
        text = assistant.first_message or ""
        if "{" in text or is_audio_url(text) or len(text) > _CHARACTERS:
            continue
        plan = speaking_plan(assistant)
        with suppress(ProviderError):
            for clause in split_clauses(text):
                for part in spoken_form(clause, plan):
                    if isinstance(part, str):
                        async for _ in voice.synthesize(part):
                            pass

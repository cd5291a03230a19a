"""First messages are synthesised before somebody calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import numpy as np

from ari_assistant.audio.frame import Pcm
from ari_assistant.providers.errors import ProviderError
from ari_assistant.session.prewarm import warm
from ari_assistant.vapi.assistant import Assistant


class Voice:
    """Notes what it is given, and cannot say `Broken`."""

    name = "voice"

    def __init__(self) -> None:
        self.said: list[str] = []

    async def synthesize(self, text: str, *, rate: int = 8_000) -> AsyncGenerator[Pcm, None]:
        self.said.append(text)
        if "Broken" in text:
            raise ProviderError("voice", "broken")
        yield np.zeros(160, np.int16)


async def warmed(*first_messages: str | None) -> list[str]:
    voice = Voice()
    given: list[dict[str, Any]] = [{"firstMessage": text} if text else {} for text in first_messages]
    await warm(voice, [Assistant.model_validate(document) for document in given])
    return voice.said


async def test_the_first_message_is_said_as_a_call_would_say_it() -> None:
    assert await warmed("Good morning, this is the bakery. We open at 9.", "Hello.") == [
        "Good morning,",
        "this is the bakery.",
        "We open at nine.",
        "Hello.",
    ]


async def test_what_differs_from_caller_to_caller_or_is_no_speech_is_left_out() -> None:
    assert await warmed(None, "Hello {{name}}.", "http://files.example/hello.wav", "word " * 61) == []


async def test_a_message_that_cannot_be_said_keeps_nobody_elses_back() -> None:
    assert await warmed("Broken. Hello again, my dear old friend.", "Hello.") == ["Broken.", "Hello."]

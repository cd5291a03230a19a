from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import numpy as np
import pytest

from ari_assistant.audio.frame import Pcm
from ari_assistant.providers.errors import ProviderUnavailable
from ari_assistant.providers.voice_cache import CachedVoice


class ScriptedVoice:
    """Says each text in two chunks; notes what it was asked."""

    name = "scripted"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.dead = False

    async def synthesize(self, text: str, *, rate: int = 8_000) -> AsyncGenerator[Pcm, None]:
        self.asked.append(text)
        if self.dead:
            raise ProviderUnavailable("scripted", "dead")
        yield np.ones(100, np.int16)
        yield np.full(60, 2, np.int16)


async def said(voice: CachedVoice, text: str) -> list[int]:
    return [int(chunk.size) async for chunk in voice.synthesize(text)]


async def test_the_second_time_costs_nothing() -> None:
    inner = ScriptedVoice()
    voice = CachedVoice(inner)
    assert await said(voice, "hello") == [100, 60]
    assert await said(voice, "hello") == [160]
    assert inner.asked == ["hello"]


async def test_thirty_callers_at_once_cost_one_synthesis() -> None:
    inner = ScriptedVoice()
    voice = CachedVoice(inner)
    heard = await asyncio.gather(*(said(voice, "hello") for _ in range(30)))
    assert inner.asked == ["hello"]
    assert {sum(sizes) for sizes in heard} == {160}


async def test_when_the_first_of_them_fails_the_next_one_asks_itself() -> None:
    inner = ScriptedVoice()
    inner.dead = True
    voice = CachedVoice(inner)
    results = await asyncio.gather(*(said(voice, "hello") for _ in range(3)), return_exceptions=True)
    assert all(isinstance(result, ProviderUnavailable) for result in results)
    assert inner.asked == ["hello"] * 3


async def test_each_sample_rate_is_remembered_by_itself() -> None:
    inner = ScriptedVoice()
    voice = CachedVoice(inner)
    await said(voice, "hello")
    assert [int(chunk.size) async for chunk in voice.synthesize("hello", rate=16_000)] == [100, 60]
    assert inner.asked == ["hello", "hello"]


async def test_the_text_used_longest_ago_goes_first_but_kept_texts_stay() -> None:
    inner = ScriptedVoice()
    voice = CachedVoice(inner, limit_bytes=2 * 320)
    await voice.keep("sorry")
    for text in ("a", "b", "a", "c"):
        await said(voice, text)
    inner.asked.clear()
    for text in ("sorry", "a", "c"):
        await said(voice, text)
    assert inner.asked == []
    await said(voice, "b")
    assert inner.asked == ["b"]


async def test_a_kept_text_is_said_when_the_voice_is_dead() -> None:
    inner = ScriptedVoice()
    voice = CachedVoice(inner)
    await voice.keep("sorry")
    inner.dead = True
    assert await said(voice, "sorry") == [160]
    with pytest.raises(ProviderUnavailable):
        await said(voice, "something else")

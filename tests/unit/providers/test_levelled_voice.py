"""A voice at the level of the line, whoever made it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import numpy as np
import pytest

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm
from ari_assistant.audio.level import ActiveLevel
from ari_assistant.providers.levelled_voice import LevelledVoice
from tests.support.levels import active_level
from tests.support.tones import tone


class Vendor:
    """Says everything as a tone, in chunks of `chunk` samples."""

    name = "vendor"

    def __init__(self, *, peak: float, chunk: int) -> None:
        self._sound = tone(300, 2.0, level=peak)
        self._chunk = chunk

    async def synthesize(self, text: str, *, rate: int = SAMPLE_RATE) -> AsyncGenerator[Pcm, None]:
        for at in range(0, self._sound.size, self._chunk):
            yield self._sound[at : at + self._chunk]


async def said(voice: LevelledVoice, times: int = 1) -> list[Pcm]:
    chunks: list[Pcm] = []
    for _ in range(times):
        chunks = [chunk async for chunk in voice.synthesize("hello")]
    return chunks


@pytest.mark.parametrize("peak", [0.02, 0.1, 0.6])
async def test_voices_of_any_loudness_are_equally_loud_once_they_are_known(peak: float) -> None:
    known, usual = ActiveLevel(), ActiveLevel()
    heard = await said(LevelledVoice(Vendor(peak=peak, chunk=500), known), times=12)
    wanted = await said(LevelledVoice(Vendor(peak=0.11, chunk=500), usual), times=12)
    assert known.known
    assert active_level(np.concatenate(heard)) == pytest.approx(active_level(np.concatenate(wanted)), abs=0.3)


async def test_a_sentence_is_not_scaled_while_it_is_said() -> None:
    heard = np.concatenate(await said(LevelledVoice(Vendor(peak=0.02, chunk=160), ActiveLevel())))
    middle, end = (np.abs(heard[at : at + 1_600]).max() for at in (8_000, 14_000))
    assert middle == pytest.approx(end, rel=0.05)


async def test_nothing_is_lost_and_no_chunk_is_empty() -> None:
    chunks = await said(LevelledVoice(Vendor(peak=0.1, chunk=7), ActiveLevel()))
    assert sum(chunk.size for chunk in chunks) == 2 * SAMPLE_RATE
    assert all(chunk.size for chunk in chunks)

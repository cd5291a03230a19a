"""Utterances and what is made of them: words, and whether they sound finished."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
import pytest

from ari_assistant.assistants.resolved import ResolvedAssistant
from ari_assistant.audio.frame import FRAME_SAMPLES, Pcm
from ari_assistant.conversation.usage import Consumption
from ari_assistant.providers.errors import ProviderUnavailable
from ari_assistant.session.recognition import Recognition
from ari_assistant.session.tasks import ConversationTasks
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.assistant import Assistant

VOICE = np.full(FRAME_SAMPLES, 1000, np.int16)


class Ears:
    """A transcriber and an end-of-turn model that say what a test wants."""

    name = "ears"

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.asked = 0
        self.hold = asyncio.Event()
        self.hold.set()
        self.fails = False
        self.fault: Exception = ProviderUnavailable("ears", "plugged")

    async def transcribe(self, pcm: Pcm, *, rate: int = 8_000) -> str:
        self.heard.append(pcm.size)
        await self.hold.wait()
        if self.fails:
            raise self.fault
        return f"{pcm.size // FRAME_SAMPLES} frames"

    async def finished(self, pcm: Pcm, *, rate: int = 8_000) -> float:
        self.asked += 1
        if self.fails:
            raise self.fault
        return 0.7


@pytest.fixture
async def tasks() -> AsyncGenerator[ConversationTasks, None]:
    async with ConversationTasks() as owned:
        yield owned


def listening(ears: Ears, used: Consumption, tasks: ConversationTasks, *, judges_ends: bool = True) -> Recognition:
    nobody: Any = None
    resolved = ResolvedAssistant(Assistant(), nobody, None, nobody, ears, None, {})
    model = ears if judges_ends else None
    return Recognition(resolved, used, tasks, model, rate=8_000, log=get_logger("test"))


def speak(made: Recognition, frames: int) -> None:
    for _ in range(frames):
        made.receive_frame(VOICE, VOICE)


async def test_an_utterance_is_recognised_with_what_came_before_it(tasks: ConversationTasks) -> None:
    ears, used = Ears(), Consumption()
    made = listening(ears, used, tasks)
    speak(made, 20)
    made.collect()
    speak(made, 10)
    made.recognise()
    assert await made.words() == "25 frames", "15 of pre-roll"
    assert await made.finished() == 0.7
    assert await made.words() == "25 frames", "and is not recognised twice"
    assert len(ears.heard) == 1


async def test_what_is_recognised_in_vain_is_on_its_own_bill(tasks: ConversationTasks) -> None:
    ears, used = Ears(), Consumption()
    made = listening(ears, used, tasks)
    made.collect()
    speak(made, 50)
    made.recognise()
    await made.words()
    made.withdraw()
    speak(made, 50)
    made.recognise()
    await made.words()
    made.commit()
    assert made.wasted_seconds == pytest.approx(1.0)
    assert used.heard_seconds == pytest.approx(2.0)


async def test_who_waits_for_withdrawn_words_is_told_by_cancellation(tasks: ConversationTasks) -> None:
    ears = Ears()
    ears.hold.clear()
    made = listening(ears, Consumption(), tasks)
    made.collect()
    speak(made, 50)
    made.recognise()
    waiting = asyncio.create_task(made.words())
    await asyncio.sleep(0.01)
    made.withdraw()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_click_is_not_recognised_and_faults_are_values(tasks: ConversationTasks) -> None:
    ears = Ears()
    made = listening(ears, Consumption(), tasks)
    made.collect()
    speak(made, 3)
    made.recognise()
    assert await made.words() == ""
    assert await made.finished() is None
    ears.fails = True
    speak(made, 50)
    made.recognise(afresh=True)
    assert await made.words() is None
    assert await made.finished() is None
    ears.fault = KeyError("a fault of ours")
    made.recognise(afresh=True)
    assert await made.words() is None
    assert await made.finished() is None


async def test_without_an_end_of_turn_model_there_is_no_opinion(tasks: ConversationTasks) -> None:
    made = listening(Ears(), Consumption(), tasks, judges_ends=False)
    made.collect()
    speak(made, 50)
    made.recognise()
    assert await made.finished() is None
    await made.words()

"""Linphone is what callers have: its own command line client places a call."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import numpy as np
import pytest

from ari_assistant.audio.frame import SAMPLE_RATE
from tests.support.caller_voice import CallerVoice, read_wav, sounds_like
from tests.support.linphone import found_in, linphone_call, linphone_lacks
from tests.support.ports import free_port
from tests.support.running_server import RunningServer

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.alone,  # what a softphone plays depends on when it gets a CPU
    pytest.mark.models,
    pytest.mark.timeout(120),
    pytest.mark.skipif(linphone_lacks() is not None, reason=str(linphone_lacks())),
]

_SYLLABLE = SAMPLE_RATE // 5


async def test_linphone_is_greeted_asks_and_is_answered(
    running: RunningServer, voices: CallerVoice, tmp_path: Path
) -> None:
    question = voices.say("When are you open?", before=4.0, after=1.0)
    uri = running.uri("banana")
    async with linphone_call(uri, tmp_path, port=free_port(), says=question) as call:
        for _ in range(300):
            if sounds_like(voices.hear(call.heard()), "nine to five"):
                break
            await asyncio.sleep(0.5)
    words = voices.hear(call.heard())
    assert sounds_like(words, "welcome to the yellow banana company"), call.log[-2000:]
    assert sounds_like(words, "nine to five")
    record = await running.ended_call("banana")
    assert re.search(r"When are you open", record["transcript"])


async def test_linphone_hears_the_greeting_from_its_first_sound_on(
    running: RunningServer, voices: CallerVoice, tmp_path: Path
) -> None:
    silence = voices.say("Hello.", before=30.0)
    uri = running.uri("mountain")
    async with linphone_call(uri, tmp_path, port=free_port(), says=silence) as call:
        for _ in range(100):
            if sounds_like(voices.hear(call.heard()), "welcome to the high mountain hotel"):
                break
            await asyncio.sleep(0.2)
    record = await running.ended_call("mountain")
    sent = read_wav(running.folder / f"data/recordings/{record['id']}.wav")[:, 1]
    first = int(np.argmax(np.abs(sent.astype(np.int32)) > 300))
    likeness, _ = found_in(call.heard(), sent[first : first + _SYLLABLE])
    assert likeness > 0.9, f"the first {_SYLLABLE / 8:.0f} ms of the greeting are not in Linphone's recording"

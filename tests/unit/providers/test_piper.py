"""The offline voice itself: how loud its sentences are."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from ari_assistant.providers.piper import PiperEngine
from tests.support.levels import active_level

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(find_spec("piper") is None, reason="pip install ari-assistant[piper]"),
]

SENTENCES = (
    "Hello, how can I help?",
    "We are open from Monday to Friday.",
    "Welcome to the yellow banana company.",
    "Yes.",
    "No, I am sorry.",
    "Goodbye.",
    "What is your name?",
    "The town was founded a thousand years ago.",
    "Thank you.",
    "Could you repeat that, please?",
    "Your appointment is on Tuesday at five.",
    "From nine to five.",
    "I am sorry, I do not know that.",
    "One moment.",
    "That costs twenty dollars and fifty cents.",
    "Which day suits you best?",
    "The street is number ten, Main Street.",
    "Please hold the line.",
    "Nobody is there.",
    "How are you today?",
)


@pytest.fixture(scope="module")
def piper() -> PiperEngine:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARI_ASSISTANT_PIPER_NOISE", "0")
        engine = PiperEngine()
        engine.load()
    return engine


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_twenty_sentences_are_equally_loud(piper: PiperEngine, rate: int) -> None:
    levels = []
    for sentence in SENTENCES:
        parts = piper.run({"text": sentence, "rate": rate}, b"")
        levels.append(active_level(np.concatenate([np.frombuffer(data, np.int16) for _, data in parts]), rate))
    assert max(levels) - min(levels) <= 2.0
    assert np.mean(levels) == pytest.approx(-20, abs=0.5)

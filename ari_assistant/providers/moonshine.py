"""Moonshine: offline English recognition (`pip install ari-assistant[local]`)."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm
from ari_assistant.providers.process import EngineProcess

__all__ = ["MoonshineEngine", "MoonshineTranscriber"]

_MODEL_RATE = 16_000


class MoonshineEngine:
    """Moonshine's side of the pipe: a request's payload is int16 at its `rate`, the answer is `{"text"}`."""

    def load(self) -> None:
        """See `worker.Engine`."""
        moonshine = import_module("moonshine_voice")
        package = Path(str(moonshine.__file__)).parent
        # Its own voice detection turns near-silent lead-ins into words: we cut the utterances ourselves.
        self._transcriber = moonshine.Transcriber(
            str(package / "assets" / "tiny-en"), moonshine.ModelArch.TINY, options={"vad_threshold": "0.0"}
        )
        list(self.run({}, np.zeros(SAMPLE_RATE, np.int16).tobytes()))  # the first run is the slow one

    def run(self, header: dict[str, Any], payload: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
        """See `worker.Engine`."""
        pcm = np.frombuffer(payload, np.int16).astype(np.float32) / 32768
        wide = soxr.resample(pcm, header.get("rate", SAMPLE_RATE), _MODEL_RATE)
        result = self._transcriber.transcribe_without_streaming(wide.tolist(), _MODEL_RATE)
        yield {"text": " ".join(line.text.strip() for line in result.lines).strip()}, b""


class MoonshineTranscriber:
    """Moonshine, seen from a call."""

    name = "moonshine"

    def __init__(self, process: EngineProcess) -> None:
        self._process = process

    async def transcribe(self, pcm: Pcm, *, rate: int = SAMPLE_RATE) -> str:
        """See `Transcriber`."""
        text = ""
        async for header, _ in self._process.request({"rate": rate}, pcm.tobytes()):
            text = header["text"]
        return text

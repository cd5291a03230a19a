"""One call's audio as the server sees it, whatever carries it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ari_assistant.audio.frame import Pcm

__all__ = ["FrameReceiver", "Listener", "MediaStream", "MediaUnavailable"]


class MediaUnavailable(Exception):
    """There is no stream to be had; the text says why."""


class Listener(Protocol):
    """Hears of one stream. Everything is called in the event loop and must return at once."""

    def played(self, samples: int, now: float) -> None:
        """So many samples (at the stream's rate) have gone out since the last flush."""

    def tick(self, now: float) -> None:
        """20 ms have passed (`now`: seconds, monotonic)."""

    def lost(self, reason: str) -> None:
        """The stream is gone."""


class MediaStream(Protocol):
    """What is played to the caller. `play`, `flush`, `fill_silence` and `set_background` only give an order and return.

    Carried by RTP through the media process (`client.PlaneStream`), or by Asterisk's websocket channel
    (`media.websocket.stream`).
    """

    listener: Listener | None
    statistics: dict[str, Any]
    """What was counted; complete when the stream is closed."""
    recording_fault: str | None
    """Why the recording is not whole."""
    gone: bool
    """It has ended, whoever ended it."""

    @property
    def number(self) -> int:
        """Of this stream alone."""

    @property
    def rate(self) -> int:
        """Samples a second of what is played and heard."""

    def play(self, pcm: Pcm) -> None:
        """Queue audio for the caller: int16 at `rate`, any length."""

    def flush(self) -> None:
        """Fall silent with the next frame: what was queued is dropped."""

    def fill_silence(self, pcm: Pcm) -> None:
        """Something short, a backchannel or comfort noise, that is heard where nothing else is: int16 at `rate`."""

    def set_background(self, pcm: Pcm) -> None:
        """A sound behind everything, repeated without end: int16 at `rate`."""

    async def aclose(self) -> None:
        """End the stream and wait until its recording is on disk (10 s at most). Harmless when repeated."""


FrameReceiver = Callable[[list[MediaStream], NDArray[np.int16], float], None]
"""Takes frames of 20 ms of many callers: shape (n, 160) at 8 kHz or (n, 320) at 16 kHz, a row for each stream of the
list, in order; a stream may come several times. The array is the receiver's. Then the time: seconds, monotonic."""

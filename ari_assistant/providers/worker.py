"""The far side of `process`: runs one engine, reading requests from standard input.

`python -m ari_assistant.providers.worker NAME [--nice N]`; not meant to be started by hand.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Protocol

from ari_assistant.providers.wire import LENGTHS, pack, unpack_header

__all__ = ["Engine", "serve"]

EngineMessage = tuple[dict[str, Any], bytes]


class Engine(Protocol):
    """Does the work of a local provider, in its own process."""

    def load(self) -> None:
        """Load the models; may take seconds. Raises ImportError when the package is not installed."""

    def run(self, header: dict[str, Any], payload: bytes) -> Iterator[EngineMessage]:
        """Answer one request with any number of (header, payload) parts."""


def _moonshine() -> Engine:
    from ari_assistant.providers.moonshine import MoonshineEngine

    return MoonshineEngine()


def _piper() -> Engine:
    from ari_assistant.providers.piper import PiperEngine

    return PiperEngine()


def _smart_turn() -> Engine:
    from ari_assistant.providers.smart_turn import SmartTurnEngine

    return SmartTurnEngine()


def _faster_whisper() -> Engine:
    from ari_assistant.providers.faster_whisper import FasterWhisperEngine

    return FasterWhisperEngine()


ENGINES: dict[str, Callable[[], Engine]] = {
    "faster-whisper": _faster_whisper,
    "moonshine": _moonshine,
    "piper": _piper,
    "smart-turn": _smart_turn,
}


class _Inbox(threading.Thread):
    """Reads requests as they come, so that a withdrawal overtakes the work that waits."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__(daemon=True, name="inbox")
        self._source = source
        self.requests: queue.SimpleQueue[EngineMessage | None] = queue.SimpleQueue()
        self.withdrawn: set[int] = set()

    def run(self) -> None:
        """Read until the pipe ends."""
        while True:
            lengths = self._source.read(LENGTHS.size)
            if len(lengths) < LENGTHS.size:
                self.requests.put(None)
                return
            head, body = LENGTHS.unpack(lengths)
            header = unpack_header(self._source.read(head))
            payload = self._source.read(body)
            if header.get("withdraw") is not None:
                self.withdrawn.add(header["withdraw"])
            else:
                self.requests.put((header, payload))


def serve(engine: Engine, source: BinaryIO, sink: BinaryIO) -> None:
    """Load the engine, say `ready`, and answer requests until `source` ends."""

    def send(header: dict[str, Any], payload: bytes = b"") -> None:
        sink.write(pack(header, payload))
        sink.flush()

    try:
        engine.load()
    except Exception as fault:
        send({"failed": f"{type(fault).__name__}: {fault}"})
        return
    send({"ready": True})
    inbox = _Inbox(source)
    inbox.start()
    while (request := inbox.requests.get()) is not None:
        header, payload = request
        number = header["id"]
        try:
            if number not in inbox.withdrawn:
                for part, data in engine.run(header, payload):
                    if number in inbox.withdrawn:
                        break
                    send({"id": number, **part}, data)
            send({"id": number, "done": True})
        except Exception as fault:
            send({"id": number, "error": f"{type(fault).__name__}: {fault}"})
        inbox.withdrawn.discard(number)


def main(arguments: list[str]) -> None:
    """Entry point of the process."""
    name, *rest = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    if rest[:1] == ["--nice"]:
        os.nice(int(rest[1]))
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get into the frames
    serve(ENGINES[name](), source, sink)


if __name__ == "__main__":
    main(sys.argv[1:])

"""What transcribers behind a websocket have in common: one connection a call, audio in, transcripts out."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping

import aiohttp

from ari_assistant.audio.frame import PTIME_SECONDS, Pcm
from ari_assistant.providers.errors import ProviderError, ProviderUnavailable
from ari_assistant.providers.http_voice import provider_faults

__all__ = ["Transcripts", "WebsocketTranscriber"]

_CONNECT_SECONDS = 5.0
_QUEUE_FRAMES = round(5 / PTIME_SECONDS)
_FINAL_WAIT_SECONDS = 1.5
"""How long an utterance that has paused waits for its final transcript."""


class Transcripts:
    """Joins final and partial transcripts of one utterance. A partial replaces the partial before it, a final the
    partial that it grew from."""

    def __init__(self) -> None:
        self._finals: list[str] = []
        self._partial = ""
        self.confidence: float | None = None
        """The lowest of the final ones, where the vendor tells it; also of one that was too low to be taken."""

    def add(self, text: str, *, final: bool, confidence: float | None = None) -> None:
        """A transcript came."""
        if final and confidence is not None:
            self.confidence = confidence if self.confidence is None else min(self.confidence, confidence)
        if final:
            self._partial = ""
            if text.strip():
                self._finals.append(text.strip())
        else:
            self._partial = text.strip()

    @property
    def is_final(self) -> bool:
        """There are words, and none of them may change."""
        return bool(self._finals) and not self._partial

    @property
    def text(self) -> str:
        """The words so far."""
        return " ".join([*self._finals, *([self._partial] if self._partial else [])])

    def clear(self) -> None:
        """The utterance has been taken."""
        self._finals.clear()
        self._partial = ""
        self.confidence = None


class WebsocketTranscriber(ABC):
    """A `TranscriberStream` but for the vendor: what is sent first, how audio is packed, what comes back."""

    def __init__(self, session: aiohttp.ClientSession, *, name: str, url: str, headers: Mapping[str, str]) -> None:
        self._session = session
        self._url = url
        self._headers = headers
        self._queue: deque[tuple[Pcm, Pcm]] = deque(maxlen=_QUEUE_FRAMES)
        self._audio = asyncio.Event()
        self._news = asyncio.Event()
        self._fault: ProviderError | None = None
        self.finalized = False
        """The vendor has answered `finalize`: no more words come of what was said before it."""
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self.transcripts = Transcripts()
        self.name = name

    async def run(self) -> None:
        """See `TranscriberStream`."""
        try:
            async with provider_faults(self.name):
                async with asyncio.timeout(_CONNECT_SECONDS):
                    socket = await self._session.ws_connect(self._url, headers=self._headers, heartbeat=10)
                async with socket:
                    self._socket = socket
                    await self.begin(socket)
                    sending = asyncio.create_task(self._send(socket), name=f"{self.name}-send")
                    try:
                        await self._receive(socket)
                    finally:
                        sending.cancel()
                        await asyncio.gather(sending, return_exceptions=True)
                raise ProviderUnavailable(self.name, "the connection was closed")
        except ProviderError as fault:
            self._fault = fault
            raise
        finally:
            self._socket = None
            self._news.set()

    def push(self, caller: Pcm, assistant: Pcm) -> None:
        """See `TranscriberStream`."""
        self._queue.append((caller, assistant))
        self._audio.set()

    async def words(self) -> str:
        """See `TranscriberStream`."""
        self.finalized = False
        if self._socket is not None:
            async with provider_faults(self.name):
                await self.finalize(self._socket)
        try:
            async with asyncio.timeout(_FINAL_WAIT_SECONDS):
                while not (self.transcripts.is_final or self.finalized) and self._fault is None:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass
        if self._fault is not None and not self.transcripts.text:
            raise self._fault
        return self.transcripts.text

    @property
    def confidence(self) -> float | None:
        """See `TranscriberStream`."""
        return self.transcripts.confidence

    def reset(self) -> None:
        """See `TranscriberStream`."""
        self.transcripts.clear()

    @abstractmethod
    async def begin(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Send what must come before audio."""

    @abstractmethod
    def pack(self, caller: Pcm, assistant: Pcm) -> bytes:
        """One frame (int16, 8 kHz) as the vendor wants it."""

    @abstractmethod
    def receive_message(self, text: str) -> None:
        """A text message came: put what it says into `self.transcripts`. May raise ValueError."""

    @abstractmethod
    async def finalize(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Ask for what is still partial, where the vendor can be asked."""

    async def _send(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            await self._audio.wait()
            self._audio.clear()
            while self._queue:
                await socket.send_bytes(self.pack(*self._queue.popleft()))

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self.receive_message(message.data)
                self._news.set()

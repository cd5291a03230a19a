"""How the audio of a call comes from Asterisk and goes back to it: by RTP, or by Asterisk's websocket channel."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ari_assistant.ari.client import AriClient
from ari_assistant.audio.codec import Codec
from ari_assistant.media.handle import MediaStream
from ari_assistant.media.process.client import MediaPlane
from ari_assistant.media.websocket.stream import MediaSockets, websocket_format

__all__ = ["MediaTransport", "RtpTransport", "SocketTransport"]


class MediaTransport(Protocol):
    """Makes the ExternalMedia channel of a call and the stream that belongs to it."""

    async def open(self, channel_id: str, codec: Codec, *, recording: Path | None) -> MediaStream:
        """Both sides are recorded where a path is given. Raises AriError and MediaUnavailable."""


class RtpTransport:
    """RTP to and from the media process."""

    def __init__(self, ari: AriClient, media: MediaPlane) -> None:
        self._ari = ari
        self._media = media

    async def open(self, channel_id: str, codec: Codec, *, recording: Path | None) -> MediaStream:
        """An ExternalMedia channel that sends to the media process's port."""
        _, (host, port) = await self._ari.channels.externalMedia(
            app=self._ari.app, channelId=channel_id, external_host=self._media.address, format=codec.name
        )
        return await self._media.open(codec.name, host, port, recording=recording)


class SocketTransport:
    """Linear audio over one TCP connection (chan_websocket)."""

    def __init__(self, ari: AriClient, sockets: MediaSockets) -> None:
        self._ari = ari
        self._sockets = sockets

    async def open(self, channel_id: str, codec: Codec, *, recording: Path | None) -> MediaStream:
        """An ExternalMedia channel that waits for us to connect."""
        _, connection = await self._ari.channels.externalMediaSocket(
            app=self._ari.app, channelId=channel_id, format=websocket_format(codec)
        )
        return await self._sockets.open(connection, codec, recording=recording)

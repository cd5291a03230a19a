"""What we open beside the caller's channel: ExternalMedia channel, bridge and media stream, acquired together."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

from ari_assistant.ari.client import AriClient
from ari_assistant.ari.errors import AriError, AriUnreachable
from ari_assistant.ari.resources import Channel
from ari_assistant.audio.codec import Codec
from ari_assistant.calls.own_ids import OwnIds
from ari_assistant.media.handle import MediaStream, MediaUnavailable
from ari_assistant.media.process.client import MediaPlane
from ari_assistant.media.websocket.stream import MediaSockets, websocket_format
from ari_assistant.telemetry import get_logger

__all__ = ["Legs"]

log = get_logger("calls.legs")


class Legs:
    """An async context manager: on entry the bridge, the ExternalMedia channel and the stream are there
    and media can flow; on exit they are gone. The caller's channel belongs to the call, which knows the cause.

    Their ids are chosen beforehand, so that bridge and ExternalMedia channel can be made at the same time;
    nothing is bridged before the ExternalMedia channel's own StasisStart.
    """

    def __init__(
        self,
        ari: AriClient,
        *,
        call_id: str,
        caller: Channel,
        codec: Codec,
        media: MediaPlane,
        sockets: MediaSockets | None,
        recording: Path | None,
    ) -> None:
        """Audio goes through `sockets` where that is given, else by RTP. Both sides are recorded where a path is."""
        self._ari = ari
        self._caller = caller
        self._codec = codec
        self._media = media
        self._sockets = sockets
        self._recording = recording
        ids = OwnIds(ari.app)
        self.media_id = ids.media(call_id)
        self.bridge_id = ids.bridge(call_id)
        self._stream: MediaStream | None = None

    @property
    def stream(self) -> MediaStream:
        """The call's audio; there between entry and exit."""
        assert self._stream is not None
        return self._stream

    async def __aenter__(self) -> Self:
        try:
            started = self._ari.expect_start(self.media_id)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._ari.bridges.create(bridgeId=self.bridge_id))
                    group.create_task(self._open_media())
                async with asyncio.timeout(3.0):
                    await started
            except TimeoutError:
                raise AriUnreachable("the ExternalMedia channel did not enter the application") from None
            except ExceptionGroup as group_fault:
                raise group_fault.exceptions[0] from None
            finally:
                started.cancel()
        except BaseException as fault:
            await self._release()
            if isinstance(fault, MediaUnavailable):
                raise AriUnreachable(f"no media: {fault}") from fault
            raise
        return self

    async def _open_media(self) -> None:
        channels, app = self._ari.channels, self._ari.app
        if self._sockets is not None:
            form = websocket_format(self._codec)
            _, connection = await channels.externalMediaSocket(app=app, channelId=self.media_id, format=form)
            self._stream = await self._sockets.open(connection, self._codec, recording=self._recording)
            return
        _, (host, port) = await channels.externalMedia(
            app=app, channelId=self.media_id, external_host=self._media.address, format=self._codec.name
        )
        self._stream = await self._media.open(self._codec.name, host, port, recording=self._recording)

    async def connect(self) -> None:
        """Answer the caller and let both hear each other. Raises AriError, AriNotFound when they hung up."""
        await self._caller.answer()
        await self._ari.bridges.get(self.bridge_id).addChannel([self._caller.id, self.media_id])

    async def replace_media(self, channel_id: str) -> None:
        """Let the caller hear `channel_id` instead of us. Raises AriError."""
        bridge = self._ari.bridges.get(self.bridge_id)
        await bridge.addChannel([channel_id])
        await bridge.removeChannel([self.media_id])

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._release()

    async def _release(self) -> None:
        """Give everything back, also when the call's task is being cancelled."""
        await asyncio.shield(self._take_down())

    async def _take_down(self) -> None:
        steps = (self._ari.channels.get(self.media_id).hangup, self._ari.bridges.get(self.bridge_id).destroy)
        for step in steps:
            try:
                await step()
            except AriError as fault:  # swept at the next connect
                log.warning("leg_not_released", media_id=self.media_id, reason=str(fault))
        if self._stream is not None:
            await self._stream.aclose()

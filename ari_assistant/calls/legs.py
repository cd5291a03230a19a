"""What we open beside the caller's channel: ExternalMedia channel, bridge and media stream, acquired together."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType

from ari_assistant.ari.client import AriClient
from ari_assistant.ari.errors import AriError, AriUnreachable
from ari_assistant.ari.resources import Channel
from ari_assistant.audio.codec import Codec
from ari_assistant.calls.media_transport import MediaTransport
from ari_assistant.calls.own_ids import OwnIds
from ari_assistant.media.handle import MediaStream, MediaUnavailable
from ari_assistant.telemetry import get_logger

__all__ = ["Legs"]

log = get_logger("calls.legs")

_START_SECONDS = 3.0
"""So long the ExternalMedia channel may take to enter the application."""


class Legs:
    """An async context manager: on entry the bridge, the ExternalMedia channel and the stream are there
    and media can flow; on exit they are gone. The caller's channel belongs to the call, which knows the cause.

    The ids are chosen beforehand, so that bridge and ExternalMedia channel are made at the same time and a set-up that
    was cut short can be undone. Nothing is bridged before the ExternalMedia channel's own StasisStart: Asterisk refuses
    a channel that is not in the application yet.
    """

    def __init__(
        self,
        ari: AriClient,
        transport: MediaTransport,
        caller: Channel,
        *,
        call_id: str,
        codec: Codec,
        recording: Path | None,
    ) -> None:
        """Both sides are recorded where a path is given."""
        self._ari = ari
        self._transport = transport
        self._caller = caller
        self._codec = codec
        self._recording = recording
        ids = OwnIds(ari.app)
        self.media_id = ids.media(call_id)
        self.bridge_id = ids.bridge(call_id)
        self._streams: list[MediaStream] = []
        """The one that is open, if it is."""

    async def __aenter__(self) -> MediaStream:
        """Returns the call's audio. Raises AriError; nothing is left open then."""
        try:
            return await self._open()
        except BaseException as fault:
            await self._release()
            if isinstance(fault, MediaUnavailable):
                raise AriUnreachable(f"no media: {fault}") from fault
            raise

    async def _open(self) -> MediaStream:
        started = self._ari.expect_start(self.media_id)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._ari.bridges.create(bridgeId=self.bridge_id))
                opening = group.create_task(self._open_media())
            async with asyncio.timeout(_START_SECONDS):
                await started
            return opening.result()
        except TimeoutError:
            raise AriUnreachable("the ExternalMedia channel did not enter the application") from None
        except ExceptionGroup as group_fault:
            raise group_fault.exceptions[0] from None
        finally:
            started.cancel()

    async def _open_media(self) -> MediaStream:
        stream = await self._transport.open(self.media_id, self._codec, recording=self._recording)
        self._streams.append(stream)  # to be closed, whatever becomes of the bridge
        return stream

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
        for stream in self._streams:
            await stream.aclose()

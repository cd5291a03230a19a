"""What we open beside the caller's channel: media port, ExternalMedia channel and bridge, acquired together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from ari_assistant.ari.client import AriClient
from ari_assistant.ari.errors import AriError, AriUnreachable
from ari_assistant.ari.resources import Channel
from ari_assistant.media.g711 import Law
from ari_assistant.media.port import MediaPort
from ari_assistant.media.rtp import RtpPacket
from ari_assistant.telemetry import get_logger

__all__ = ["BRIDGE_PREFIX", "CALLED_PREFIX", "DIALLED_PREFIX", "MEDIA_PREFIX", "OWN_PREFIXES", "Legs"]

log = get_logger("calls.legs")

MEDIA_PREFIX = "aa-em-"
BRIDGE_PREFIX = "aa-br-"
CALLED_PREFIX = "aa-call-"
"""Of the channel of an outbound call."""
DIALLED_PREFIX = "aa-out-"
"""Of the leg to which a caller is sent on."""
OWN_PREFIXES = (MEDIA_PREFIX, CALLED_PREFIX, DIALLED_PREFIX)
"""The ids of what we make begin so: after a crash the next run knows what to sweep."""


class Legs:
    """An async context manager: on entry the media port, the bridge and the ExternalMedia channel are there
    and media can flow; on exit they are gone. The caller's channel belongs to the call, which knows the cause.

    Design decision 4: ids chosen beforehand, bridge and ExternalMedia channel made at the same time, and
    nothing is bridged before the ExternalMedia channel's own StasisStart.
    """

    def __init__(
        self,
        ari: AriClient,
        *,
        call_id: str,
        caller: Channel,
        law: Law,
        media_host: str,
        receive: Callable[[RtpPacket, float], None],
    ) -> None:
        """`receive(packet, now)` gets the caller's RTP; `media_host` is where the media port is bound."""
        self._ari = ari
        self._caller = caller
        self._law = law
        self._media_host = media_host
        self._receive = receive
        self.media_id = f"{MEDIA_PREFIX}{call_id}"
        self._bridge_id = f"{BRIDGE_PREFIX}{call_id}"
        self._port: MediaPort | None = None

    @property
    def port(self) -> MediaPort:
        """The media port; there between entry and exit."""
        assert self._port is not None
        return self._port

    async def __aenter__(self) -> Self:
        try:
            self._port = await MediaPort.open(
                self._receive, host=self._media_host, payload_type=self._law.payload_type
            )
            started = self._ari.expect_start(self.media_id)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._ari.bridges.create(bridgeId=self._bridge_id))
                    opening = group.create_task(
                        self._ari.channels.externalMedia(
                            app=self._ari.app,
                            channelId=self.media_id,
                            external_host=self._port.address,
                            format=self._law.name,
                        )
                    )
                self._port.expect(*opening.result()[1])
                async with asyncio.timeout(3.0):
                    await started
            except TimeoutError:
                raise AriUnreachable("the ExternalMedia channel did not enter the application") from None
            except ExceptionGroup as group_fault:
                raise group_fault.exceptions[0] from None
            finally:
                started.cancel()
        except BaseException:
            await self._release()
            raise
        return self

    async def connect(self) -> None:
        """Answer the caller and let both hear each other. Raises AriError, AriNotFound when they hung up."""
        await self._caller.answer()
        await self._ari.bridges.get(self._bridge_id).addChannel([self._caller.id, self.media_id])

    async def replace_media(self, channel_id: str) -> None:
        """Let the caller hear `channel_id` instead of us. Raises AriError."""
        bridge = self._ari.bridges.get(self._bridge_id)
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
        steps = (self._ari.channels.get(self.media_id).hangup, self._ari.bridges.get(self._bridge_id).destroy)
        for step in steps:
            try:
                await step()
            except AriError as fault:  # swept at the next connect
                log.warning("leg_not_released", media_id=self.media_id, reason=str(fault))
        if self._port is not None:
            await self._port.aclose()

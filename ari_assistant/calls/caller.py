"""The channel of the caller, or of the customer that we have called: are they with us, with a REFER, or gone?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ari_assistant.ari.events import AriEvent
from ari_assistant.ari.resources import Channel
from ari_assistant.vapi.base import JsonObject

__all__ = ["LEFT", "Caller"]

LEFT = frozenset({"StasisEnd", "ChannelDestroyed"})
"""The events with which a channel leaves the application."""


@dataclass(frozen=True, slots=True)
class _Here:
    pass


@dataclass(frozen=True, slots=True)
class _Referred:
    """The channel is in the dialplan, and comes back."""

    transfer: JsonObject


class Caller:
    """One channel and where it is."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.is_up = True
        """We have to hang it up."""
        self.gone = asyncio.Event()
        """It has left."""
        self._place: _Here | _Referred = _Here()

    @property
    def id(self) -> str:
        """The channel's."""
        return self.channel.id

    @contextmanager
    def referred(self, transfer: JsonObject) -> Iterator[None]:
        """In this block a REFER is out. `transfer` is its entry of `artifact.transfers`."""
        self._place = _Referred(transfer)
        try:
            yield
        finally:
            self._place = _Here()

    def leaves_with(self, event: AriEvent) -> bool:
        """Is this event of the channel the end of it? `is_up` and `gone` are then as they must be."""
        match self._place:
            case _Referred(transfer):
                if event.data.get("variable") == "TRANSFERSTATUS" and event.data.get("value") == "SUCCESS":
                    transfer["status"] = "completed"  # known, however soon they leave after it
                # It is destroyed only when its REFER is forgotten, minutes after it was hung up.
                leaves = event.type in ("ChannelHangupRequest", "ChannelDestroyed")
            case _Here():
                leaves = event.type in LEFT
        if leaves:
            self.left()
        return leaves

    def left(self) -> None:
        """They have hung up, or never answered."""
        self.is_up = False
        self.gone.set()

    async def hang_up(self, *, reason_code: int | None = None) -> None:
        """Hang up with a Q.850 cause, once. Raises AriError."""
        self.is_up = False
        await self.channel.hangup(reason_code=reason_code)

"""Sending an answered caller on (contract §8.5): where a REFER points, and a second leg that we dial ourselves."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import quote

from ari_assistant.ari.client import AriClient
from ari_assistant.ari.errors import AriError, AriRequestError
from ari_assistant.ari.events import AriEvent, StasisStart
from ari_assistant.ari.resources import Channel
from ari_assistant.calls.own_ids import DIALLED
from ari_assistant.dialogue.address import one_line
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.destination import Destination

__all__ = [
    "REFER_CONTEXT",
    "DialledLeg",
    "dialled",
    "is_redirect",
    "refer",
    "refer_target",
    "sip_headers",
]

log = get_logger("calls.transfer")

_BUSY = frozenset({17})
"""Q.850 causes: user busy."""
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]{1,128}")
_NO_ANSWER = frozenset({18, 19, 20, 127})
_BY_SIP_STATUS = {486: "busy", 600: "busy", 408: "no-answer", 480: "no-answer", 487: "no-answer"}
_REFER_SECONDS = 40.0
"""So long we wait to hear what became of a REFER: a little longer than its transaction lasts (RFC 3261, timer F)."""
REFER_CONTEXT = "ari-assistant-transfer"
"""Of our dialplan: see `asterisk-conf/extensions.conf`."""
_EXTENSION = "refer"
_REFER_TO = "ARI_ASSISTANT_REFER_TO"
_APP = "ARI_ASSISTANT_APP"
_REDIRECTED = 23
"""Q.850: redirection to new destination."""


def is_redirect(event: AriEvent) -> bool:
    """Has the dialled party answered that it is elsewhere (3xx)? A `Dial` says where to; Asterisk may hang up before it
    has written a cause down. `ChannelDestroyed` has the cause, and the SIP status where Asterisk tells it."""
    if event.type == "Dial":
        return bool(event.data.get("forward"))
    return 300 <= int(event.data.get("tech_cause") or 0) < 400 or event.data.get("cause") == _REDIRECTED


def refer_target(destination: Destination) -> str:
    """The Refer-To URI; with `sipHeadersInReferToEnabled` it carries the headers for the far end's INVITE.

    Raises ValueError for a number: that needs a trunk.
    """
    if destination.type != "sip" or destination.sip_uri is None:
        raise ValueError("a destination of type number needs a trunk, which this version does not have")
    uri = destination.sip_uri
    plan = destination.transfer_plan
    if plan is not None and plan.sip_headers_in_refer_to_enabled and destination.sip_headers:
        pairs = (f"{quote(str(k), safe='')}={quote(str(v), safe='')}" for k, v in destination.sip_headers.items())
        uri += ("&" if "?" in uri else "?") + "&".join(pairs)
    return uri


def sip_headers(destination: Destination) -> dict[str, str]:
    """The headers for the destination's INVITE. A name that is no SIP token is left out; what a template brought in
    cannot begin a header of its own."""
    given = destination.sip_headers or {}
    return {name: one_line(str(value)) for name, value in given.items() if _TOKEN.fullmatch(name)}


def _status(cause: int) -> str:
    """Why the dialled leg was not answered."""
    return "busy" if cause in _BUSY else "no-answer" if cause in _NO_ANSWER else "failed"


async def refer(ari: AriClient, channel: Channel, target: str, *, gone: asyncio.Event) -> str | None:
    """Have the caller's telephone call `target` (RFC 3515) and return what it says that became of it.

    `completed`; `busy`, `no-answer` or `failed` when it refuses, or the destination does: the channel is back in the
    application then, and in no bridge. None when nothing is known: the caller has left (`gone`) or has said nothing
    for 40 seconds. Raises AriError.

    ARI's own redirect tells nobody how it ended. Transfer() in the dialplan does, so the channel goes there and comes
    back; on an Asterisk without our context the REFER is sent blind.
    """
    if not await _reports(channel):
        log.warning(
            "refer_outcome_unknown",
            channel=channel.id,
            cure=f"add [{REFER_CONTEXT}] to this Asterisk's extensions.conf",
        )
        await channel.redirect(f"PJSIP/{target}")
        # The far end hangs up when it has followed; a BYE of ours would overtake the REFER.
        await asyncio.wait({leaving := asyncio.ensure_future(gone.wait())}, timeout=_REFER_SECONDS)
        leaving.cancel()
        return None
    await ari.applications.subscribe(ari.app, f"channel:{channel.id}")
    await channel.setChannelVar(_APP, ari.app)  # the one to come back to
    # A comma would end the argument of Transfer().
    await channel.setChannelVar(_REFER_TO, f"PJSIP/{target.replace(',', '%2C')}")
    back = ari.expect_start(channel.id)
    leaving = asyncio.ensure_future(gone.wait())
    try:
        await channel.continueInDialplan(context=REFER_CONTEXT, extension=_EXTENSION)
        both: set[asyncio.Future[Any]] = {back, leaving}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED, timeout=_REFER_SECONDS)
        if not back.done():
            return None
        status, code = (*back.result().args, "", "")[:2]
        log.info("refer_answered", channel=channel.id, status=status, code=code)
        if status == "SUCCESS":
            return "completed"
        return _BY_SIP_STATUS.get(int(code) if code.isdecimal() else 0, "failed")
    finally:
        leaving.cancel()
        back.cancel()


async def _reports(channel: Channel) -> bool:
    """The dialplan has the extension that tells how a REFER ended."""
    try:
        return await channel.getChannelVar(f"DIALPLAN_EXISTS({REFER_CONTEXT},{_EXTENSION},1)") == "1"
    except AriRequestError:  # func_dialplan is not loaded
        return False


class DialledLeg:
    """The party to whom a caller is sent on, as long as we have it dialled (`dialled`)."""

    def __init__(self, channel_id: str, started: asyncio.Future[StasisStart], *, seconds: int) -> None:
        """`started`: they have picked up. `seconds`: so long it rings."""
        self.channel_id = channel_id
        self._started = started
        self._seconds = seconds
        self._left: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def answer(self) -> str | None:
        """Wait until they pick up (None), or why they do not, as `artifact.transfers[].status` has it: `busy`,
        `no-answer`, `redirected` (they forward their calls, which is not followed) or `failed`."""
        both: set[asyncio.Future[Any]] = {self._started, self._left}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED, timeout=self._seconds + 5)
        if self._started.done():
            return None
        return self._left.result() if self._left.done() else "no-answer"

    async def hung_up(self) -> None:
        """Wait until they have left."""
        await self._left

    def channel_event(self, event: AriEvent) -> None:
        """An event of their channel (a handler of `AriClient.on_channel`)."""
        if event.type not in ("Dial", "ChannelDestroyed") or self._left.done():
            return
        if is_redirect(event):
            self._left.set_result("redirected")
        elif event.type == "ChannelDestroyed":
            self._left.set_result(_status(int(event.data.get("cause") or 0)))


@asynccontextmanager
async def dialled(
    ari: AriClient, destination: Destination, *, channel_id: str, caller_id: str
) -> AsyncGenerator[DialledLeg, None]:
    """Dial the destination for the length of the block. `channel_id` is of our choosing, `caller_id` whom they see
    calling. Raises AriError when Asterisk does not even dial, ValueError for a number."""
    target = refer_target(destination)
    plan = destination.transfer_plan
    seconds = int((plan.dial_timeout if plan is not None else None) or 60)
    started = ari.expect_start(channel_id)
    leg = DialledLeg(channel_id, started, seconds=seconds)
    stop = ari.on_channel(channel_id, leg.channel_event)
    try:
        await ari.channels.originate(
            endpoint=f"PJSIP/outbound/{target}",
            app=ari.app,
            appArgs=DIALLED,
            channelId=channel_id,
            callerId=one_line(caller_id),
            timeout_seconds=seconds,
            variables={f"PJSIP_HEADER(add,{name})": value for name, value in sip_headers(destination).items()},
        )
        yield leg
    finally:
        stop()
        started.cancel()
        with suppress(AriError):  # swept at the next connect
            await asyncio.shield(ari.channels.get(channel_id).hangup())

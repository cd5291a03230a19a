"""The calls in progress: each is one task, and none is left behind."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from ari_assistant.ari.errors import AriError, AriNotFound
from ari_assistant.ari.events import AriEvent, StasisStart
from ari_assistant.ari.resources import Channel
from ari_assistant.calls.call import CAUSE_FAILURE, PhoneCall
from ari_assistant.calls.inbound import InboundCall
from ari_assistant.calls.outbound import CallRefused, OutboundCall
from ari_assistant.calls.own_ids import DIALLED, OwnIds, is_any_servers
from ari_assistant.calls.services import Services
from ari_assistant.calls.transfer import REFER_CONTEXT
from ari_assistant.conversation.ending import MEDIA_LOST, SHUTDOWN
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.call import CreateCall, Customer

__all__ = ["LiveCalls", "is_inbound_caller"]

log = get_logger("calls.live")


def is_inbound_caller(event: StasisStart) -> bool:
    """Has somebody called by SIP? Not a Local channel, and not what some server has made or dialled: a party that
    forwards our call elsewhere would else be answered by an assistant."""
    channel = event.channel
    return channel.name.startswith("PJSIP/") and not is_any_servers(channel.id) and event.args != (DIALLED,)


class LiveCalls:
    """Starts a call for every caller that enters the application, and ends them all at shutdown."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._calls: dict[PhoneCall, asyncio.Task[None]] = {}
        self._closing = asyncio.Event()

    def __len__(self) -> int:
        return len(self._calls)

    def stasis_started(self, event: AriEvent) -> None:
        """A channel entered the application (a handler of `AriClient.on_event`)."""
        services = self._services
        if not isinstance(event, StasisStart):
            return
        channel = services.ari.channels.get(event.channel.id)
        if OwnIds(services.ari.app).owns_channel(channel.id):  # its call waits for it
            return
        if (event.data["channel"].get("dialplan") or {}).get("context") == REFER_CONTEXT:
            if not any(channel.id in call.owned_channels for call in self._calls):
                log.warning("refer_without_a_call", channel=channel.id, hint="the server was restarted meanwhile")
                services.background.spawn(channel.hangup(), f"hang-up-{channel.id}")
            return
        if not is_inbound_caller(event):
            log.warning(
                "channel_let_go",
                channel=channel.id,
                name=event.channel.name,
                hint="only callers by SIP (chan_pjsip) are served, and what this server has dialled itself",
            )
            services.background.spawn(_let_go(channel), f"let-go-{channel.id}")
            return
        if self._closing.is_set():
            log.warning("call_refused", channel=channel.id, reason="the server is stopping")
            services.background.spawn(channel.hangup(reason_code=CAUSE_FAILURE), f"refuse-{channel.id}")
            return
        self._start(InboundCall(services, event))

    async def place(self, body: CreateCall, customer: Customer) -> JsonObject:
        """Dial a customer; returns the Call object as it is then (`queued`). Raises CallRefused."""
        if self._closing.is_set():
            raise CallRefused("the server is starting or stopping")
        if (reason := self._services.admission.refusal(new=True)) is not None:
            raise CallRefused(f"No call can be placed now: {reason}. Try again in a few seconds.")
        call = await OutboundCall.create(self._services, body, customer)
        if self._closing.is_set():  # while it was stored: nobody would end it any more
            call.end(SHUTDOWN)
            await call.run()
            raise CallRefused("the server is stopping")
        self._start(call)
        return call.record.wire()

    def _start(self, call: PhoneCall) -> None:
        self._services.admission.enter()
        task = asyncio.create_task(call.run(), name=f"call-{call.channel_id}")
        self._calls[call] = task
        task.add_done_callback(lambda done: self._ended(call, done))

    async def reconcile(self) -> None:
        """After every connect: end the calls that Asterisk does not know any more, and sweep from Asterisk what this
        server made and no call owns; another server's is left alone. Raises AriError."""
        ari, ids = self._services.ari, OwnIds(self._services.ari.app)
        present = {channel["id"] for channel in await ari.channels.list()}
        for call in list(self._calls):
            if call.channel_id not in present and call.has_channel:
                call.end(MEDIA_LOST)
        owned = {channel_id for call in self._calls for channel_id in call.owned_channels}
        application = await ari.applications.get(ari.app)
        in_application = set(application.get("channel_ids", ()))
        for channel_id in present:
            ours = ids.owns_channel(channel_id) or channel_id in in_application
            if ours and channel_id not in owned:
                log.warning("channel_swept", channel=channel_id)
                await ari.channels.get(channel_id).hangup()
        bridges_owned = {call.bridge_id for call in self._calls}
        for bridge in await ari.bridges.list():
            if ids.owns_bridge(bridge["id"]) and bridge["id"] not in bridges_owned:
                log.warning("bridge_swept", bridge=bridge["id"])
                await ari.bridges.get(bridge["id"]).destroy()

    async def aclose(self) -> None:
        """Take no more calls, end those that run, and wait until they have given everything back."""
        self._closing.set()
        for call in list(self._calls):
            call.end(SHUTDOWN)
        if self._calls:
            await asyncio.gather(*self._calls.values(), return_exceptions=True)

    def _ended(self, call: PhoneCall, task: asyncio.Task[None]) -> None:
        self._calls.pop(call, None)
        self._services.admission.leave()
        if not task.cancelled() and (fault := task.exception()) is not None:
            if isinstance(fault, AriError):
                log.error("call_failed", reason=str(fault))
            else:
                log.error("call_crashed", exc_info=fault)


async def _let_go(channel: Channel) -> None:
    with suppress(AriNotFound):  # it has gone already
        await channel.continueInDialplan()

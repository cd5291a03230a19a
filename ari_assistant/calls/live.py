"""The calls in progress: each is one task, and none is left behind."""

from __future__ import annotations

import asyncio

from ari_assistant.ari.errors import AriError
from ari_assistant.ari.events import AriEvent, StasisStart
from ari_assistant.calls.ending import MEDIA_LOST, SHUTDOWN
from ari_assistant.calls.inbound import InboundCall
from ari_assistant.calls.legs import BRIDGE_PREFIX, MEDIA_PREFIX, OWN_PREFIXES
from ari_assistant.calls.outbound import CallRefused, OutboundCall
from ari_assistant.calls.phone_call import CAUSE_FAILURE, PhoneCall
from ari_assistant.calls.services import Services
from ari_assistant.calls.transfer import REFER_CONTEXT
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.call import CreateCall, Customer

__all__ = ["LiveCalls"]

log = get_logger("calls.live")


class LiveCalls:
    """Starts a call for every caller that enters the application, and ends them all at shutdown."""

    def __init__(self) -> None:
        self._services: Services | None = None
        self._calls: dict[PhoneCall, asyncio.Task[None]] = {}
        self._closing = False

    def __len__(self) -> int:
        return len(self._calls)

    def serve(self, services: Services) -> None:
        """Take calls from now on."""
        self._services = services

    def stasis_started(self, event: AriEvent) -> None:
        """A channel entered the application (a handler of `AriClient.on_event`)."""
        if not isinstance(event, StasisStart) or event.channel.id.startswith(OWN_PREFIXES):
            return
        if (event.data["channel"].get("dialplan") or {}).get("context") == REFER_CONTEXT:
            return  # back from a REFER; its call is just ending
        if self._services is None or self._closing:
            log.warning("call_refused", channel=event.channel.id, reason="the server is starting or stopping")
            if self._services is not None:
                refusal = self._services.ari.channels.get(event.channel.id).hangup(reason_code=CAUSE_FAILURE)
                self._services.spawn(refusal, f"refuse-{event.channel.id}")
            return
        self._start(InboundCall(self._services, event))

    async def place(self, body: CreateCall, customer: Customer) -> JsonObject:
        """Dial a customer; returns the Call object as it is then (`queued`). Raises CallRefused."""
        if self._services is None or self._closing:
            raise CallRefused("the server is starting or stopping")
        if (reason := self._services.admission.refusal(new=True)) is not None:
            raise CallRefused(f"No call can be placed now: {reason}. Try again in a few seconds.")
        call = await OutboundCall.create(self._services, body, customer)
        self._start(call)
        return call.record.wire()

    def _start(self, call: PhoneCall) -> None:
        assert self._services is not None
        self._services.admission.enter()
        task = asyncio.create_task(call.run(), name=f"call-{call.channel_id}")
        self._calls[call] = task
        task.add_done_callback(lambda done: self._ended(call, done))

    async def reconcile(self) -> None:
        """After every connect: end the calls that Asterisk does not know any more, and sweep from Asterisk what
        no call owns. Raises AriError."""
        services = self._services
        if services is None:
            return
        ari = services.ari
        present = {channel["id"] for channel in await ari.channels.list()}
        for call in list(self._calls):
            if call.channel_id not in present and call.has_channel:
                call.end(MEDIA_LOST)
        owned = {channel_id for call in self._calls for channel_id in call.owned_channels}
        application = await ari.applications.get(ari.app)
        in_application = set(application.get("channel_ids", ()))
        for channel_id in present:
            ours = channel_id.startswith(OWN_PREFIXES) or channel_id in in_application
            if ours and channel_id not in owned:
                log.warning("channel_swept", channel=channel_id)
                await ari.channels.get(channel_id).hangup()
        bridges_owned = {
            f"{BRIDGE_PREFIX}{call.media_id.removeprefix(MEDIA_PREFIX)}" for call in self._calls if call.media_id
        }
        for bridge in await ari.bridges.list():
            if bridge["id"].startswith(BRIDGE_PREFIX) and bridge["id"] not in bridges_owned:
                log.warning("bridge_swept", bridge=bridge["id"])
                await ari.bridges.get(bridge["id"]).destroy()

    async def aclose(self) -> None:
        """Take no more calls, end those that run, and wait until they have given everything back."""
        self._closing = True
        for call in list(self._calls):
            call.end(SHUTDOWN)
        if self._calls:
            await asyncio.gather(*self._calls.values(), return_exceptions=True)

    def _ended(self, call: PhoneCall, task: asyncio.Task[None]) -> None:
        self._calls.pop(call, None)
        if self._services is not None:
            self._services.admission.leave()
        if not task.cancelled() and (fault := task.exception()) is not None:
            if isinstance(fault, AriError):
                log.error("call_failed", reason=str(fault))
            else:
                log.error("call_crashed", exc_info=fault)

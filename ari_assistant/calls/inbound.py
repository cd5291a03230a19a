"""One inbound call: let in or refused, and brought to whoever answers it."""

from __future__ import annotations

import asyncio

from ari_assistant.ari.errors import AriError, AriNotFound
from ari_assistant.ari.events import StasisStart
from ari_assistant.calls.assistant_request import Answer, ask
from ari_assistant.calls.call import CAUSE_FAILURE, PhoneCall
from ari_assistant.calls.invite_reader import read_invite
from ari_assistant.calls.phases import Arriving, Conversing
from ari_assistant.calls.reception import Announce, AskServer, Converse, Decision, Reception, SendOn
from ari_assistant.calls.routing import NumberFound
from ari_assistant.calls.services import Services
from ari_assistant.calls.sip_authentication import is_authenticated
from ari_assistant.conversation.ending import CALLER_CANCELLED, CALLER_HUNG_UP, Ending
from ari_assistant.reports.invite import Invite
from ari_assistant.reports.record import CallRecord
from ari_assistant.reports.recorded import Recorded
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.server import Server

__all__ = ["InboundCall"]

log = get_logger("calls")

_CAUSE_UNALLOCATED = 1
"""Q.850: unallocated number; Asterisk turns it into 404."""
_CAUSE_REJECTED = 21
"""Q.850: call rejected; 403."""
_NOT_ADMITTED = "call.ringing.error-vapifault-overloaded"


class InboundCall(PhoneCall):
    """Serves one caller."""

    def __init__(self, services: Services, start: StasisStart) -> None:
        super().__init__(services, services.ari.channels.get(start.channel.id))
        self._start = start

    def _ari_failed(self, fault: AriError) -> None:
        if not isinstance(fault, AriNotFound):
            super()._ari_failed(fault)
            return
        match self._phase:
            case Arriving():
                self.end(CALLER_CANCELLED)
            case (Recorded() as recorded) | Conversing(recorded=recorded):
                self.end(CALLER_CANCELLED if recorded.record.started is None else CALLER_HUNG_UP)

    async def _route(self) -> None:
        invite = await read_invite(self._caller.channel, self._start)
        found = await self._services.router.find(invite.request_uri, source=invite.source)
        if found is None:
            await self._caller.hang_up(reason_code=_CAUSE_UNALLOCATED)
            return
        who = {"uri": invite.request_uri, "caller": invite.from_uri, "source": invite.source}
        if not is_authenticated(found.number, self._start.channel.name, self._services.ari.app):
            log.warning("caller_not_authenticated", **who)
            await self._caller.hang_up(reason_code=_CAUSE_REJECTED)
            return
        reason = self._services.admission.refusal()
        if reason is not None:
            log.warning("call_not_admitted", **who, reason=reason)
            await self._turn_away(found, invite, reason)
            return
        await self._let_in(found, invite)

    async def _turn_away(self, found: NumberFound, invite: Invite, reason: str) -> None:
        """The call cannot be served well: 503, or the number's fallback."""
        fallback = found.number.fallback_destination
        if fallback is None:
            await self._caller.hang_up(reason_code=CAUSE_FAILURE)
            return
        recorded = self._record(found, invite)
        ending = Ending(_NOT_ADMITTED, reason)
        if await self._redirect(recorded, fallback, ending) is not None:
            self.end(ending)

    def _record(self, found: NumberFound, invite: Invite) -> Recorded:
        record = CallRecord(self._services.options.installation, found.resource.wire(), invite)
        self._phase = recorded = self._services.records.open(record, number_server=found.number.server)
        return recorded

    async def _let_in(self, found: NumberFound, invite: Invite) -> None:
        recorded = self._record(found, invite)
        recorded.log.info("call_started", uri=invite.request_uri, caller=invite.from_uri)
        reception = Reception(
            recorded,
            found,
            self._services.catalogue,
            apology=self._services.options.prompts.unavailable,
        )
        decision: Decision = await reception.arrived(invite.caller_number)
        while True:
            match decision:
                case AskServer(server):
                    decision = reception.answered(await self._ask(recorded, server))
                case SendOn(destination, reason) as tried:
                    ending = Ending(reason, f"redirected to {destination.sip_uri}")
                    fault = await self._redirect(recorded, destination, ending)
                    if fault is None:
                        return
                    decision = reception.not_sent_on(tried, fault)
                case Announce(text, ending):
                    await self._announce(recorded, text, ending, invite.codec)
                    return
                case Converse(assistant):
                    await self._converse(recorded, assistant, invite.codec)
                    return

    async def _ask(self, recorded: Recorded, server: Server) -> Answer:
        """The caller hears ringing while the server makes up its mind."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ring(recorded))
            asking = group.create_task(
                ask(
                    recorded.messages,
                    server,
                    timeout_seconds=self._services.options.assistant_request_seconds,
                    catalogue=self._services.catalogue,
                )
            )
        return asking.result()

    async def _ring(self, recorded: Recorded) -> None:
        """Let the caller hear ringing; one who has just gone is heard of by the channel's events."""
        try:
            await self._caller.channel.ring()
        except AriError as fault:
            recorded.log.info("ringing_failed", reason=str(fault))

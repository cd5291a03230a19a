"""One inbound call: who answers it, and what happens when nobody can."""

from __future__ import annotations

import asyncio
from typing import Any

from ari_assistant.ari.errors import AriError, AriNotFound
from ari_assistant.ari.events import StasisStart
from ari_assistant.assistants.lookup import AssistantMissing, AssistantUnusable, Chosen, choose_assistant
from ari_assistant.calls.assistant_request import Answer, Forward, NoAnswer, Speak, UseAssistant, ask
from ari_assistant.calls.call import CAUSE_FAILURE, PhoneCall
from ari_assistant.calls.invite_reader import read_invite
from ari_assistant.calls.routing import NumberFound
from ari_assistant.calls.services import Services
from ari_assistant.calls.sip_authentication import is_authenticated
from ari_assistant.conversation.ending import (
    CALLER_CANCELLED,
    CALLER_HUNG_UP,
    NO_ASSISTANT_AND_NO_SERVER,
    Ending,
)
from ari_assistant.reports.invite import Invite
from ari_assistant.reports.record import CallRecord
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.hook import NumberHookAction
from ari_assistant.vapi.secret import without_secrets
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
        if isinstance(fault, AriNotFound):
            answered = self._record is not None and self._record.started is not None
            self.end(CALLER_HUNG_UP if answered else CALLER_CANCELLED)
        else:
            super()._ari_failed(fault)

    async def _route(self) -> None:
        invite = await read_invite(self._channel, self._start)
        found = await self._services.router.find(invite.request_uri, source=invite.source)
        if found is None:
            await self._refuse(_CAUSE_UNALLOCATED)
            return
        if not is_authenticated(found.number, self._start.channel.name, self._services.ari.app):
            log.warning(
                "caller_not_authenticated", uri=invite.request_uri, caller=invite.from_uri, source=invite.source
            )
            await self._refuse(_CAUSE_REJECTED)
            return
        if await self._turned_away(found, invite):
            return
        await self._admitted(found, invite)

    async def _turned_away(self, found: NumberFound, invite: Invite) -> bool:
        """Refuse the call if it cannot be served well: 503, or the number's fallback."""
        reason = self._services.admission.refusal()
        if reason is None:
            return False
        log.warning(
            "call_not_admitted",
            uri=invite.request_uri,
            caller=invite.from_uri,
            source=invite.source,
            reason=reason,
        )
        fallback = found.number.fallback_destination
        if fallback is not None:
            self._record_call(found, invite)
            if await self._redirect(fallback, Ending(_NOT_ADMITTED, reason)) is None:
                return True
        if self._record is None:
            await self._refuse(CAUSE_FAILURE)
        else:
            self.end(Ending(_NOT_ADMITTED, reason))
        return True

    def _record_call(self, found: NumberFound, invite: Invite) -> None:
        options = self._services.options
        record = CallRecord(
            org_id=options.org_id,
            phone_number=found.resource.wire(),
            public_url=options.public_url,
            customer=invite.customer,
            variables=invite.variables,
            invite=invite,
        )
        self._begin(record, found.number.server)

    async def _admitted(self, found: NumberFound, invite: Invite) -> None:
        self._record_call(found, invite)
        self._log.info("call_started", uri=invite.request_uri, caller=invite.from_uri)
        hook = _ringing_hook(found, invite.caller_number)
        if hook is not None:
            await self._run_hook(hook, "call.ringing", found)
            return
        await self._decide(found)

    async def _refuse(self, cause: int) -> None:
        self._caller_up = False
        await self._channel.hangup(reason_code=cause)

    async def _decide(self, found: NumberFound) -> None:
        """Who answers: the number's assistant or squad, or whoever the server names."""
        assert self._messages is not None
        number = found.number
        try:
            body = {"assistantId": number.assistant_id, "squadId": number.squad_id}
            chosen = await choose_assistant(self._services.catalogue, body)
        except AssistantMissing as fault:
            await self._no_assistant(found, Ending("assistant-not-found", str(fault)))
            return
        except AssistantUnusable as fault:
            await self._no_assistant(found, Ending("assistant-not-valid", str(fault)))
            return
        if chosen is not None:
            await self._use(chosen, found)
            return
        server = self._messages.number_server
        if server is None:
            await self._no_assistant(found, NO_ASSISTANT_AND_NO_SERVER)
            return
        answer = await self._ask(server)
        match answer:
            case UseAssistant(chosen):
                await self._use(chosen, found)
            case Forward(destination):
                await self._forward(destination, "assistant-request-returned-forwarding-phone-number", found)
            case Speak(text):
                await self._announce_here(text, Ending("assistant-request-returned-error", text))
            case NoAnswer(ending, response):
                await self._no_assistant(found, ending, response)

    async def _ask(self, server: Server) -> Answer:
        """The caller hears ringing while the server makes up its mind."""
        assert self._messages is not None
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ring())
            asking = group.create_task(
                ask(
                    self._messages,
                    server,
                    timeout_seconds=self._services.options.assistant_request_seconds,
                    catalogue=self._services.catalogue,
                )
            )
        return asking.result()

    async def _ring(self) -> None:
        """Let the caller hear ringing; one who has just gone is heard of by the channel's events."""
        try:
            await self._channel.ring()
        except AriError as fault:
            self._log.info("ringing_failed", reason=str(fault))

    async def _use(self, chosen: Chosen, found: NumberFound) -> None:
        """Answer with this assistant."""
        assert self._record is not None
        assert self._record.invite is not None
        self._record.squad_id = chosen.squad_id
        fault = self._take_assistant(chosen.document, chosen.assistant_id, chosen.overrides)
        if fault is not None:
            await self._no_assistant(found, Ending("assistant-request-returned-invalid-assistant", fault))
            return
        await self._converse(self._record.invite.codec)

    async def _no_assistant(self, found: NumberFound | None, ending: Ending, response: Any = None) -> None:
        """Nobody can answer: the number's `call.ending` hook, its fallback destination, or a polite sentence.
        `response` is what the server answered, for the operator."""
        self._debugging = {"error": ending.message, "assistantRequestError": ending.reason}
        if response is not None:
            self._debugging["assistantRequestResponse"] = without_secrets(response)
        self._log.warning("no_assistant", reason=ending.reason, message=ending.message)
        hook = _ending_hook(found, ending) if found is not None else None
        if hook is not None:
            await self._run_hook(hook, "call.ending", None)
            return
        fallback = found.number.fallback_destination if found is not None else None
        if fallback is not None:
            await self._forward(fallback, ending.reason, None)
            return
        await self._announce_here(self._services.options.prompts.unavailable, ending)

    async def _announce_here(self, text: str, ending: Ending) -> None:
        assert self._record is not None
        assert self._record.invite is not None
        await self._announce(text, ending, self._record.invite.codec)

    async def _forward(self, destination: Destination, reason: str, found: NumberFound | None) -> None:
        """Send the caller on before the call is answered."""
        fault = await self._redirect(destination, Ending(reason, f"redirected to {destination.sip_uri}"))
        if fault is not None:
            await self._no_assistant(found, Ending("call.in-progress.error-transfer-failed", fault))

    async def _run_hook(self, action: NumberHookAction, on: str, found: NumberFound | None) -> None:
        """A hook of the number (§3.3): it says something and the call ends, or sends the caller on."""
        ending = Ending(f"{on}.hook-executed-{action.type}")
        if action.type == "transfer" and action.destination is not None:
            await self._forward(action.destination, ending.reason, found)
            return
        self._take_variables()
        text = action.exact or action.prompt or self._services.options.prompts.unavailable
        text = self._variables.spoken(text)
        await self._announce_here(text, ending)


def _ringing_hook(found: NumberFound, caller: str) -> NumberHookAction | None:
    """The action of the first `call.ringing` hook whose filters fit the caller's number."""
    plain = caller.removeprefix("+")
    for hook in found.number.hooks or ():
        fits = all(
            any(plain.startswith(start.removeprefix("+")) for start in one.starts_with or ())
            for one in hook.filters or ()
            if one.key == "number"
        )
        if hook.on == "call.ringing" and fits and hook.action is not None:
            return hook.action
    return None


def _ending_hook(found: NumberFound, ending: Ending) -> NumberHookAction | None:
    """The action of the first `call.ending` hook whose filters fit an `assistant-request` that failed."""
    if not ending.reason.startswith("assistant-request-"):
        return None
    for hook in found.number.hooks or ():
        fits = all(
            ending.reason in (one.one_of or ()) for one in hook.filters or () if one.key == "call.endedReason"
        )
        if hook.on == "call.ending" and fits and hook.action is not None:
            return hook.action
    return None

"""One outbound call: dial a SIP URI, and talk when it is answered (contract §4.1, §8.8)."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import ValidationError

from ari_assistant.ari.errors import AriError
from ari_assistant.ari.events import AriEvent
from ari_assistant.assistants.lookup import AssistantMissing, AssistantUnusable, choose_assistant
from ari_assistant.calls.call import PhoneCall
from ari_assistant.calls.own_ids import DIALLED, OwnIds
from ari_assistant.calls.services import Services
from ari_assistant.calls.transfer import is_redirect
from ari_assistant.conversation.ending import Ending
from ari_assistant.dialogue.rules.config import rules_config
from ari_assistant.reports.call_state import CallEvent
from ari_assistant.reports.record import CallRecord
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.call import CreateCall, Customer
from ari_assistant.vapi.error import validation_messages
from ari_assistant.vapi.phone_number import phone_number_schema
from ari_assistant.vapi.sip_uri import SipUri

__all__ = ["CallRefused", "OutboundCall", "ending_of_cause"]

_FAILED = "call.in-progress.error-sip-outbound-call-failed-to-connect"
_REDIRECTED = Ending(_FAILED, "the called party forwards its calls (SIP 302), and nobody has allowed us to follow")
_BY_CAUSE = {
    17: "customer-busy",
    18: "customer-did-not-answer",
    19: "customer-did-not-answer",
    20: "call.in-progress.error-providerfault-outbound-sip-480-temporarily-unavailable",
    21: "call.in-progress.error-providerfault-outbound-sip-403-forbidden",
    34: "call.in-progress.error-providerfault-outbound-sip-503-service-unavailable",
    38: "call.in-progress.error-providerfault-outbound-sip-503-service-unavailable",
    42: "call.in-progress.error-providerfault-outbound-sip-503-service-unavailable",
    102: "call.in-progress.error-providerfault-outbound-sip-408-request-timeout",
}
_BY_STATUS = {
    403: "call.in-progress.error-providerfault-outbound-sip-403-forbidden",
    407: "call.in-progress.error-providerfault-outbound-sip-407-proxy-authentication-required",
    408: "call.in-progress.error-providerfault-outbound-sip-408-request-timeout",
    480: "call.in-progress.error-providerfault-outbound-sip-480-temporarily-unavailable",
    486: "customer-busy",
    503: "call.in-progress.error-providerfault-outbound-sip-503-service-unavailable",
    600: "customer-busy",
}


class CallRefused(Exception):
    """An outbound call cannot be placed; the text says why."""


def ending_of_cause(cause: int, status: int = 0, text: str = "") -> Ending:
    """Why a call was not answered: by the SIP status where Asterisk tells it, else by the Q.850 cause (§8.8)."""
    reason = _BY_STATUS.get(status) or _BY_CAUSE.get(cause, _FAILED)
    return Ending(
        reason, f"Q.850 cause {cause}{f' ({text})' if text else ''}{f', SIP {status}' if status else ''}"
    )


class OutboundCall(PhoneCall):
    """Serves one customer that we have dialled."""

    def __init__(self, services: Services, record: CallRecord, target: str, *, seconds: int, caller: str) -> None:
        super().__init__(services, services.ari.channels.get(OwnIds(services.ari.app).called(record.id)))
        self.record = record
        self._target = target
        self._dial_seconds = seconds
        self._caller = caller
        self._dialled = False
        self._left: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    @classmethod
    async def create(cls, services: Services, body: CreateCall, customer: Customer) -> OutboundCall:
        """Read what `POST /call` was given. Raises CallRefused."""
        given = body.wire()
        if customer.assistant_overrides is not None:
            given["assistantOverrides"] = {
                **(given.get("assistantOverrides") or {}),
                **customer.assistant_overrides.wire(),
            }
        try:
            chosen = await choose_assistant(services.catalogue, given)
        except (AssistantMissing, AssistantUnusable) as fault:
            raise CallRefused(f"Couldn't Get Assistant. {fault}") from None
        try:
            rules_config(Assistant.model_validate(chosen.document if chosen is not None else {}))
        except ValidationError as fault:
            raise CallRefused(f"Couldn't Get Assistant. {'; '.join(validation_messages(fault))}") from None
        number = await services.catalogue.phone_numbers.get(body.phone_number_id or "")
        if chosen is None or number is None:
            raise CallRefused("Couldn't Get Assistant or Phone Number.")
        if customer.sip_uri is None:
            raise CallRefused(
                "customer.sipUri must be a string: a number needs a trunk, which this version has not"
            )
        parsed = phone_number_schema.validate_python(number.document)
        uri: SipUri = parsed.uri
        wire = customer.wire()
        wire = {key: value for key, value in wire.items() if key not in ("assistantOverrides", "squadOverrides")}
        transport = body.transport or {}
        seconds = transport.get("dialTimeout", 60)
        options = services.options
        record = CallRecord(
            org_id=options.org_id,
            phone_number=number.wire(),
            public_url=options.public_url,
            customer=wire,
            variables={},
            name=body.name,
        )
        record.squad_id = chosen.squad_id
        call = cls(
            services,
            record,
            customer.sip_uri.strip("<>"),
            seconds=int(seconds) if isinstance(seconds, int | float) and 1 <= seconds <= 600 else 60,
            caller=f'"{number.document.get("name") or uri.user}" <{uri.user}>',
        )
        call._begin(record, parsed.server)
        call._take_assistant(chosen.document, chosen.assistant_id, chosen.overrides)
        await call._store(record.wire())  # who asks for it at once must find it
        return call

    @property
    def has_channel(self) -> bool:
        """See `PhoneCall`."""
        return self._dialled

    def _channel_event(self, event: AriEvent) -> None:
        if event.type in ("Dial", "ChannelDestroyed") and not self._left.done() and is_redirect(event):
            self._left.set_result(_REDIRECTED)
        if event.type == "ChannelDestroyed" and not self._left.done():
            data = event.data
            status = int(data.get("tech_cause") or 0)
            ending = ending_of_cause(int(data.get("cause") or 0), status, str(data.get("cause_txt") or ""))
            self._left.set_result(ending)
        if self.record.started is not None or event.type == "StasisEnd":
            super()._channel_event(event)
        elif event.type == "ChannelDestroyed":
            self._caller_up = False
            self._gone.set()

    def _ari_failed(self, fault: AriError) -> None:
        self._log.error("call_failed", reason=str(fault))
        self.end(Ending(_FAILED, str(fault)))

    async def _route(self) -> None:
        assert self._messages is not None
        record, ari = self.record, self._services.ari
        self._log.info("call_dialled", uri=self._target)
        started = ari.expect_start(self._channel.id)
        try:
            self._dialled = True
            await ari.channels.originate(
                endpoint=f"PJSIP/outbound/{self._target}",
                app=ari.app,
                appArgs=DIALLED,
                channelId=self._channel.id,
                callerId=self._caller,
                timeout_seconds=self._dial_seconds,
            )
            record.happened(CallEvent.DIALLED)
            self._save(record)
            self._messages.send("status-update", status="ringing")
            both: set[asyncio.Future[Any]] = {started, self._left}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED, timeout=self._dial_seconds + 10)
            if not started.done():
                ending = self._left.result() if self._left.done() else Ending("customer-did-not-answer")
                self.end(ending)
                return
        finally:
            started.cancel()
        await self._converse()

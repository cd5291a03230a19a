"""One outbound call: dial a SIP URI, and talk when it is answered (contract §4.1, §8.8)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from ari_assistant.ari.errors import AriError
from ari_assistant.ari.events import AriEvent
from ari_assistant.assistants.lookup import AssistantMissing, AssistantUnusable, Chosen, choose_assistant
from ari_assistant.calls.call import PhoneCall
from ari_assistant.calls.own_ids import DIALLED, OwnIds
from ari_assistant.calls.reception import readable_assistant
from ari_assistant.calls.services import Services
from ari_assistant.calls.transfer import is_redirect
from ari_assistant.conversation.ending import Ending
from ari_assistant.reports.call_state import CallEvent
from ari_assistant.reports.record import CallRecord, Dialled
from ari_assistant.reports.recorded import Recorded
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.call import CreateCall, Customer
from ari_assistant.vapi.phone_number import phone_number_schema

__all__ = ["CallRefused", "Order", "OutboundCall", "ending_of_cause"]

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


@dataclass(frozen=True, slots=True)
class Order:
    """Whom to dial."""

    target: str
    """A SIP URI."""
    caller: str
    """Whom they see calling: `"Name" <user>`."""
    seconds: int
    """So long it rings."""


class OutboundCall(PhoneCall):
    """Serves one customer that we have dialled."""

    def __init__(self, services: Services, recorded: Recorded, order: Order) -> None:
        channel = services.ari.channels.get(OwnIds(services.ari.app).called(recorded.record.id))
        super().__init__(services, channel, recorded)
        self._recorded = recorded
        self._order = order
        self._dialled = False
        self._left: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    @classmethod
    async def create(cls, services: Services, body: CreateCall, customer: Customer) -> OutboundCall:
        """Read what `POST /call` was given. Raises CallRefused."""
        chosen, assistant = await _assistant(services.catalogue, body, customer)
        number = await services.catalogue.phone_numbers.get(body.phone_number_id or "")
        if number is None:
            raise CallRefused("Couldn't Get Assistant or Phone Number.")
        if customer.sip_uri is None:
            raise CallRefused(
                "customer.sipUri must be a string: a number needs a trunk, which this version has not"
            )
        parsed = phone_number_schema.validate_python(number.document)
        shown = {
            key: value
            for key, value in customer.wire().items()
            if key not in ("assistantOverrides", "squadOverrides")
        }
        record = CallRecord(services.options.installation, number.wire(), Dialled(shown, body.name))
        record.squad_id = chosen.squad_id
        record.take_assistant(assistant, chosen)
        user = parsed.uri.user
        order = Order(
            customer.sip_uri.strip("<>"),
            caller=f'"{number.document.get("name") or user}" <{user}>',
            seconds=_ringing_seconds((body.transport or {}).get("dialTimeout")),
        )
        recorded = services.records.open(record, number_server=parsed.server)
        try:
            await recorded.journal.save()  # who asks for it at once must find it
        except BaseException:
            recorded.close()
            raise
        return cls(services, recorded, order)

    @property
    def record(self) -> CallRecord:
        """What is known of it."""
        return self._recorded.record

    @property
    def has_channel(self) -> bool:
        """Not before it is dialled."""
        return self._dialled

    def _channel_event(self, event: AriEvent) -> None:
        if event.type in ("Dial", "ChannelDestroyed") and not self._left.done():
            if is_redirect(event):
                self._left.set_result(_REDIRECTED)
            elif event.type == "ChannelDestroyed":
                data = event.data
                status = int(data.get("tech_cause") or 0)
                ending = ending_of_cause(int(data.get("cause") or 0), status, str(data.get("cause_txt") or ""))
                self._left.set_result(ending)
        if self.record.started is not None or event.type == "StasisEnd":
            super()._channel_event(event)
        elif event.type == "ChannelDestroyed":
            self._caller.left()

    def _ari_failed(self, fault: AriError) -> None:
        self._recorded.log.error("call_failed", reason=str(fault))
        self.end(Ending(_FAILED, str(fault)))

    async def _route(self) -> None:
        refusal = await self._dial()
        if refusal is not None:
            self.end(refusal)
            return
        await self._converse(self._recorded, self.record.answering)

    async def _dial(self) -> Ending | None:
        """Returns why the call was not answered, or None. Raises AriError."""
        ari, recorded, order = self._services.ari, self._recorded, self._order
        recorded.log.info("call_dialled", uri=order.target)
        started = ari.expect_start(self._caller.id)
        try:
            self._dialled = True
            await ari.channels.originate(
                endpoint=f"PJSIP/outbound/{order.target}",
                app=ari.app,
                appArgs=DIALLED,
                channelId=self._caller.id,
                callerId=order.caller,
                timeout_seconds=order.seconds,
            )
            recorded.record.happened(CallEvent.DIALLED)
            recorded.journal.save_soon()
            recorded.messages.send("status-update", status="ringing")
            both: set[asyncio.Future[Any]] = {started, self._left}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED, timeout=order.seconds + 10)
            if started.done():
                return None
            return self._left.result() if self._left.done() else Ending("customer-did-not-answer")
        finally:
            started.cancel()


async def _assistant(catalogue: Catalogue, body: CreateCall, customer: Customer) -> tuple[Chosen, Assistant]:
    """Who talks. Raises CallRefused."""
    given = body.wire()
    if customer.assistant_overrides is not None:
        given["assistantOverrides"] = {
            **(given.get("assistantOverrides") or {}),
            **customer.assistant_overrides.wire(),
        }
    try:
        chosen = await choose_assistant(catalogue, given)
        if chosen is None:
            raise CallRefused("Couldn't Get Assistant or Phone Number.")
        return chosen, readable_assistant(chosen)
    except (AssistantMissing, AssistantUnusable) as fault:
        raise CallRefused(f"Couldn't Get Assistant. {fault}") from None


def _ringing_seconds(given: object) -> int:
    """`transport.dialTimeout` where it is one, else a minute."""
    return int(given) if isinstance(given, int | float) and 1 <= given <= 600 else 60

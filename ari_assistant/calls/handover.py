"""Sending a caller on (contract §8.5): an answered one to somebody else, one that is not answered yet elsewhere."""

from __future__ import annotations

from ari_assistant.ari.client import AriClient
from ari_assistant.ari.errors import AriError
from ari_assistant.calls.caller import Caller
from ari_assistant.calls.own_ids import OwnIds
from ari_assistant.calls.phases import Conversing
from ari_assistant.calls.transfer import dialled, refer, refer_target
from ari_assistant.calls.variables import variables_of
from ari_assistant.conversation.ending import FORWARDED, Ending
from ari_assistant.dialogue.address import AddressRefused
from ari_assistant.dialogue.destination import filled_destination
from ari_assistant.reports.call_state import CallEvent
from ari_assistant.reports.recorded import Recorded
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.secret import without_secrets

__all__ = ["Handover", "forwarding_told", "redirect_target"]

_REASONS = {"busy": "call.forwarding.operator-busy", "no-answer": "call.forwarding.no-answer"}
_NOT_TRANSFERRED = "I'm sorry, the transfer did not work."


class Handover:
    """One transfer of an answered caller. From its beginning the assistant takes no part in the call; a transfer that
    nobody takes gives the caller back to it."""

    def __init__(self, ari: AriClient, caller: Caller, conversing: Conversing, destination: Destination) -> None:
        plan = destination.transfer_plan
        self._ari = ari
        self._caller = caller
        self._recorded = conversing.recorded
        self._session = conversing.held.session
        self._legs = conversing.legs
        self._destination = destination
        self._verb = (plan.sip_verb if plan is not None else None) or "refer"
        self._wire = without_secrets(destination.wire(), Destination)
        self._transfer: JsonObject = {
            "destination": self._wire,
            "mode": plan.mode if plan is not None else "blind-transfer",
        }
        """The entry of `artifact.transfers`. Its `status` is what the far end has told; without word from it there is
        none."""

    async def send_on(self) -> Ending | None:
        """Returns how the call ended by it, or None: the caller is back, has been told, and the conversation goes
        on."""
        self._begin()
        reason = await self._perform()
        status = self._transfer.get("status")
        if status in (None, "completed"):
            return FORWARDED
        return await self._failed(status, reason or f"the far end: {status}")

    def _begin(self) -> None:
        record, messages, session = self._recorded.record, self._recorded.messages, self._session
        session.step_aside()
        record.transfers.append(self._transfer)
        record.destination = self._wire
        history = session.history
        messages.send(
            "status-update",
            status="forwarding",
            destination=self._wire,
            messages=history.messages(),
            messagesOpenAIFormatted=session.openai_messages(),
            transcript=history.transcript(),
        )
        messages.send("transfer-update", destination=self._wire)
        self._recorded.log.info(
            "transfer", verb=self._verb, destination=self._destination.sip_uri or self._destination.number
        )

    async def _perform(self) -> str | None:
        """Returns what went wrong on our side, or None."""
        try:
            match self._verb:
                case "bye":
                    self._recorded.record.happened(CallEvent.FORWARDED)
                case "dial":
                    await self._dial()
                case _:
                    await self._refer()
        except (AriError, ValueError) as fault:
            self._transfer["status"] = "failed"
            return str(fault)
        return None

    async def _refer(self) -> None:
        """Have the caller's telephone call the destination; one that does not is brought back."""
        target = refer_target(self._destination)
        self._recorded.record.happened(CallEvent.FORWARDED)
        with self._caller.referred(self._transfer):
            status = await refer(self._ari, self._caller.channel, target, gone=self._caller.gone)
        if status is not None:
            self._transfer["status"] = status
        if status not in (None, "completed"):
            await self._legs.connect()

    async def _dial(self) -> None:
        """Dial a second leg and join both; our own part of the call is over when either side hangs up. The caller may
        hang up at any moment, which cancels this."""
        record = self._recorded.record
        self._transfer["status"] = "cancelled"  # if the caller hangs up while it rings
        async with dialled(
            self._ari,
            self._destination,
            channel_id=OwnIds(self._ari.app).dialled(record.id),
            caller_id=self._destination.caller_id or record.customer.get("number") or "",
        ) as leg:
            if (refusal := await leg.answer()) is not None:
                self._transfer["status"] = refusal
                return
            record.happened(CallEvent.FORWARDED)
            self._transfer["status"] = "completed"  # whoever hangs up first
            await self._legs.replace_media(leg.channel_id)
            await leg.hung_up()

    async def _failed(self, status: str, message: str) -> Ending | None:
        recorded, session = self._recorded, self._session
        if recorded.record.happened(CallEvent.RETURNED):
            recorded.journal.save_soon()
        recorded.messages.send("status-update", status=recorded.record.state.value)
        session.come_back()
        recorded.log.warning("transfer_failed", reason=message)
        transfer_plan = self._destination.transfer_plan
        plan = transfer_plan.fallback_plan if transfer_plan is not None else None
        text = _NOT_TRANSFERRED
        if plan is not None:
            text = plan.message if isinstance(plan.message, str) else (plan.message.content or text)
        await session.say(text)
        if plan is not None and plan.end_call_enabled is False:
            return None
        return Ending(_REASONS.get(status, "call.in-progress.error-transfer-failed"), message)


def redirect_target(recorded: Recorded, destination: Destination) -> Destination:
    """Where a caller who is not answered yet is redirected, its templates filled. Raises AddressRefused."""
    if destination.type != "sip" or destination.sip_uri is None:
        raise AddressRefused(
            f"a destination of type {destination.type} needs a trunk, which this version does not have"
        )
    variables = variables_of(recorded)
    return filled_destination(destination, variables.fill, variables.values)


def forwarding_told(recorded: Recorded, destination: Destination) -> None:
    """The caller has been redirected before the answer."""
    wire = without_secrets(destination.wire(), Destination)
    recorded.record.destination = wire
    recorded.record.happened(CallEvent.FORWARDED)
    recorded.messages.send("status-update", status="forwarding", destination=wire)
    recorded.log.info("call_redirected", destination=destination.sip_uri)

"""What inbound and outbound calls share: the conversation, sending the caller on, the ending, the record."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from ari_assistant.ari.errors import AriError, AriRequestError
from ari_assistant.ari.events import AriEvent, ChannelDtmfReceived
from ari_assistant.ari.resources import Channel
from ari_assistant.assistants.model_providers import rules_config
from ari_assistant.assistants.resolved import ResolvedAssistant
from ari_assistant.audio.codec import Codec
from ari_assistant.audio.g711 import ULAW
from ari_assistant.calls.legs import Legs
from ari_assistant.calls.own_ids import OwnIds
from ari_assistant.calls.services import Services
from ari_assistant.calls.transfer import dial_and_bridge, refer, refer_target
from ari_assistant.conversation.ending import CALLER_CANCELLED, CALLER_HUNG_UP, FORWARDED, MEDIA_LOST, Ending
from ari_assistant.conversation.interfaces import Surroundings
from ari_assistant.conversation.options import ConversationOptions
from ari_assistant.conversation.session import Session
from ari_assistant.dialogue.address import AddressRefused
from ari_assistant.dialogue.callers_text import from_caller
from ari_assistant.dialogue.destination import filled_destination
from ari_assistant.dialogue.history import History
from ari_assistant.dialogue.template import builtin_variables
from ari_assistant.dialogue.variables import Variables
from ari_assistant.reports.call_state import CallEvent, CallState
from ari_assistant.reports.line_quality import VARIABLE, line_quality
from ari_assistant.reports.messages import CallMessages
from ari_assistant.reports.record import CallRecord
from ari_assistant.reports.report import Report
from ari_assistant.telemetry import CallLog, get_logger
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.error import validation_messages
from ari_assistant.vapi.secret import without_secrets
from ari_assistant.vapi.server import Server
from ari_assistant.webhooks.outbox import Outbox

__all__ = ["CAUSE_FAILURE", "PhoneCall"]

log = get_logger("calls")

CAUSE_FAILURE = 34
"""Q.850: no circuit available; 503."""
_LEAVING_SECONDS = 1.0
"""So long after Asterisk refused a request for a channel its end may be heard of."""
_SAVE_SECONDS = 0.3
_LEFT = frozenset({"StasisEnd", "ChannelDestroyed"})


class PhoneCall(ABC):
    """Serves one caller or called. `run` returns when everything of the call is given back and its record is stored.

    A subclass says in `_route` how the call comes to its assistant.
    """

    def __init__(self, services: Services, channel: Channel) -> None:
        self._services = services
        self._channel = channel
        self._serving: asyncio.Task[None] | None = None
        self._ending: Ending | None = None
        self._caller_up = True
        self._gone = asyncio.Event()
        """The caller's channel has left."""
        self._referred: JsonObject | None = None
        """The transfer whose REFER is out: the channel is in the dialplan, and comes back."""
        self._legs: Legs | None = None
        self._record: CallRecord | None = None
        self._outbox: Outbox | None = None
        self._messages: CallMessages | None = None
        self._call_log: CallLog | None = None
        self._assistant = Assistant()
        self._cast: ResolvedAssistant | None = None
        self._session: Session | None = None
        self._variables = Variables({}, History(), log=log)
        self._debugging: JsonObject | None = None
        self._storing = asyncio.Lock()
        self._save_due = False
        self._log = log.bind(channel=channel.id)

    @property
    def channel_id(self) -> str:
        """The caller's channel."""
        return self._channel.id

    @property
    def bridge_id(self) -> str | None:
        """The bridge, once its id is chosen."""
        return self._legs.bridge_id if self._legs is not None else None

    @property
    def owned_channels(self) -> set[str]:
        """The ids of all channels that belong to this call."""
        found = {self._channel.id}
        if self._record is not None:
            found.add(OwnIds(self._services.ari.app).dialled(self._record.id))
        return found | ({self._legs.media_id} if self._legs is not None else set())

    @property
    def has_channel(self) -> bool:
        """Asterisk should know the call's channel."""
        return True

    def end(self, ending: Ending) -> None:
        """End the call; the first reason given is the one that counts."""
        if self._ending is None:
            self._ending = ending
            if self._serving is not None:
                self._serving.cancel()

    async def run(self) -> None:
        """Serve the caller from the first event to the last."""
        stop = self._services.ari.on_channel(self._channel.id, self._channel_event)
        try:
            async with asyncio.TaskGroup() as group:
                self._serving = group.create_task(self._serve(), name="serve")
                if self._ending is not None:  # ended before the task was there
                    self._serving.cancel()
        finally:
            stop()
            await asyncio.shield(self._close())

    @abstractmethod
    async def _route(self) -> None:
        """Bring the call to its assistant, and hold the conversation."""

    def _begin(self, record: CallRecord, number_server: Server | None) -> None:
        """The record is there: from now on the call is stored, logged and told of."""
        services = self._services
        self._record = record
        self._log = log.bind(call_id=record.id)
        self._call_log = CallLog(record.id)
        self._outbox = Outbox(services.webhooks, call_id=record.id)
        self._messages = CallMessages(
            services.webhooks,
            record,
            self._outbox,
            number_server=number_server,
            org_server=services.options.org_server,
        )
        self._messages.artifact = self._live_artifact
        services.background.spawn(self._outbox.run(), f"outbox-{record.id}")
        self._save(record)

    # -- the life of the call -------------------------------------------------------------------------------

    def _channel_event(self, event: AriEvent) -> None:
        if isinstance(event, ChannelDtmfReceived) and self._session is not None:
            self._session.key(event.digit)
        if event.type == "ChannelVarset" and event.data.get("variable") == VARIABLE and self._record is not None:
            self._record.line_quality = line_quality(str(event.data.get("value")))
        if event.type in ("ChannelHold", "ChannelUnhold") and self._session is not None:
            self._session.hold(event.type == "ChannelHold")
        if self._referred is not None:
            if event.data.get("variable") == "TRANSFERSTATUS" and event.data.get("value") == "SUCCESS":
                self._referred["status"] = "completed"  # known, however soon they leave after it
            if event.type == "StasisEnd":
                return
            if (
                event.type == "ChannelHangupRequest"
            ):  # it is destroyed only when its REFER is forgotten, minutes later
                self._left_by(event)
        if event.type in _LEFT:
            self._left_by(event)

    def _left_by(self, event: AriEvent) -> None:
        """The caller's channel is gone."""
        self._caller_up = False
        self._gone.set()
        record = self._record
        if record is None:
            self.end(CALLER_CANCELLED)
            return
        if event.channel is not None and event.channel.state == "Up":
            self._answered()  # and we had not heard of it yet
        if record.state is CallState.FORWARDING:
            self.end(FORWARDED)
        else:
            self.end(CALLER_HUNG_UP if record.started is not None else CALLER_CANCELLED)

    def _answered(self) -> None:
        """The caller and we are connected."""
        assert self._record is not None
        assert self._messages is not None
        if self._record.started is None and self._record.happened(CallEvent.ANSWERED):
            self._save(self._record)
            self._messages.send("status-update", status=self._record.state.value)

    async def _serve(self) -> None:
        """The edge of the call: a fault of ours ends it with a reason, never silently."""
        try:
            await self._route()
        except AriError as fault:
            if isinstance(fault, AriRequestError):  # the channel may be gone: its event knows better why
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._gone.wait(), _LEAVING_SECONDS)
            self._ari_failed(fault)
        except Exception as fault:
            self._log.exception("call_failed")
            self.end(Ending("call.in-progress.error-vapifault-worker-died", repr(fault)))

    def _ari_failed(self, fault: AriError) -> None:
        self._log.error("call_failed", reason=str(fault))
        self.end(Ending("call.ringing.error-sip-inbound-call-failed-to-connect", str(fault)))

    def _take_assistant(self, document: JsonObject, assistant_id: str | None, overrides: JsonObject) -> str | None:
        """This assistant answers; `document` has the overrides in it. Returns what is wrong with it, or None."""
        assert self._record is not None
        assert self._messages is not None
        record = self._record
        try:
            self._assistant = Assistant.model_validate(document)
            rules_config(self._assistant)
        except ValidationError as fault:
            self._assistant = Assistant()
            return "; ".join(validation_messages(fault))
        self._messages.assistant = self._assistant
        record.assistant_id = assistant_id
        record.assistant = document
        given = {**(document.get("variableValues") or {}), **(overrides.get("variableValues") or {})}
        record.overrides = {**overrides, "variableValues": {**record.overrides["variableValues"], **given}}
        return None

    async def _converse(self, codec: Codec = ULAW, announcement: tuple[str, Ending] | None = None) -> None:
        """Open the legs, answer, and talk until somebody ends it."""
        assert self._record is not None
        assert self._messages is not None
        record, services = self._record, self._services
        self._take_variables()
        self._cast = cast = await services.resolver.resolve(
            self._assistant, fill=self._variables.fill, messages=self._messages, call_id=record.id
        )
        surroundings = Surroundings(
            messages=self._messages,
            control=self,
            requests=services.webhooks,
            stored_tools=services.catalogue.tools,
            voice_activity=services.hearing,
            end_of_turn=services.end_of_turn,
            background=services.background,
        )
        conversation = ConversationOptions(
            call_id=record.id,
            rate=codec.rate,
            turns=services.options.turns,
            waits=services.options.waits,
            prompts=services.options.prompts,
        )
        self._session = session = services.session(
            cast, self._variables, surroundings, conversation, log=self._log
        )
        self._legs = legs = Legs(
            services.ari,
            call_id=record.id,
            caller=self._channel,
            codec=codec,
            media=services.media,
            sockets=services.sockets,
            recording=self._recording(),
        )
        preparing = asyncio.create_task(session.prepare(), name="prepare")
        stop: Callable[[], None] | None = None
        try:
            async with legs:
                # Not before: a set-up that fails takes the channel down itself.
                stop = services.ari.on_channel(legs.media_id, self._media_event)
                await preparing
                await legs.connect()
                self._answered()
                if announcement is not None:
                    asyncio.get_running_loop().call_soon(session.announce, *announcement)
                await session.run(legs.stream, started_ms=int(time.time() * 1000))
        finally:
            if stop is not None:
                stop()
            preparing.cancel()
            await asyncio.gather(preparing, return_exceptions=True)

    def _media_event(self, event: AriEvent) -> None:
        if event.type not in _LEFT or self._ending is not None:
            return
        if self._session is None:
            self.end(MEDIA_LOST)
        else:
            self._session.media_left(MEDIA_LOST)

    async def _announce(self, text: str, ending: Ending, codec: Codec = ULAW) -> None:
        assert self._messages is not None
        kept = self._messages.assistant
        self._assistant = Assistant(
            first_message_mode="assistant-waits-for-user", server_messages=kept.server_messages
        )
        await self._converse(codec, (text, ending))

    # -- sending the caller on ------------------------------------------------------------------------------

    async def transfer(self, destination: Destination) -> None:
        """Send an answered caller on (§8.5). Called when the announcement has been heard: from here on the assistant
        takes no part. A transfer that nobody takes is told to the caller, and the conversation goes on or ends as its
        `fallbackPlan` says. `artifact.transfers[].status` is what the far end has told; without word from it there is
        none."""
        assert self._record is not None
        assert self._messages is not None
        assert self._session is not None
        record, plan, session = self._record, destination.transfer_plan, self._session
        session.step_aside()
        wire = without_secrets(destination.wire(), Destination)
        transfer: JsonObject = {"destination": wire, "mode": plan.mode if plan is not None else "blind-transfer"}
        record.transfers.append(transfer)
        record.destination = wire
        formatted = session.history
        self._messages.send(
            "status-update",
            status="forwarding",
            destination=wire,
            messages=formatted.messages(),
            messagesOpenAIFormatted=session.openai_messages(),
            transcript=formatted.transcript(),
        )
        self._messages.send("transfer-update", destination=wire)
        verb = (plan.sip_verb if plan is not None else None) or "refer"
        self._log.info("transfer", verb=verb, destination=destination.sip_uri or destination.number)
        try:
            if verb == "bye":
                record.happened(CallEvent.FORWARDED)
            elif verb == "dial":
                await self._dial(destination, transfer)
            else:
                await self._refer(destination, transfer)
            reason = None
        except (AriError, ValueError) as fault:
            transfer["status"] = "failed"
            reason = str(fault)
        status = transfer.get("status")
        if status in (None, "completed"):
            self.end(FORWARDED)
            return
        if record.happened(CallEvent.RETURNED):
            self._save(record)
        self._messages.send("status-update", status=record.state.value)
        session.come_back()
        await self._transfer_failed(destination, status, reason or f"the far end: {status}")

    async def _refer(self, destination: Destination, transfer: JsonObject) -> None:
        """Have the caller's telephone call the destination; one that does not is brought back."""
        assert self._record is not None
        assert self._legs is not None
        target = refer_target(destination)
        self._record.happened(CallEvent.FORWARDED)
        self._referred = transfer
        try:
            status = await refer(self._services.ari, self._channel, target, gone=self._gone)
        finally:
            self._referred = None
        if status is not None:
            transfer["status"] = status
        if status not in (None, "completed"):
            await self._legs.connect()

    async def _dial(self, destination: Destination, transfer: JsonObject) -> None:
        """Dial a second leg and join both; our own part of the call is over when either side hangs up."""
        assert self._record is not None
        assert self._legs is not None
        try:
            transfer["status"] = await dial_and_bridge(
                self._services.ari,
                self._legs,
                destination,
                call_id=self._record.id,
                caller_id=destination.caller_id or self._record.customer.get("number") or "",
                answered=lambda: self._forwarded(transfer),
            )
        except asyncio.CancelledError:  # the caller hung up
            transfer["status"] = "completed" if transfer.get("status") == "connected" else "cancelled"
            raise

    def _forwarded(self, transfer: JsonObject) -> None:
        transfer["status"] = "connected"
        if self._record is not None:
            self._record.happened(CallEvent.FORWARDED)

    async def _transfer_failed(self, destination: Destination, status: str, message: str) -> None:
        assert self._session is not None
        self._log.warning("transfer_failed", reason=message)
        plan = destination.transfer_plan.fallback_plan if destination.transfer_plan is not None else None
        reason = {"busy": "call.forwarding.operator-busy", "no-answer": "call.forwarding.no-answer"}.get(
            status, "call.in-progress.error-transfer-failed"
        )
        text = "I'm sorry, the transfer did not work."
        if plan is not None:
            text = plan.message if isinstance(plan.message, str) else (plan.message.content or text)
        await self._session.say(text)
        if plan is None or plan.end_call_enabled is not False:
            self.end(Ending(reason, message))

    async def press(self, digits: str) -> None:
        """See `CallControl`."""
        await self._channel.sendDTMF(digits)

    # -- the end --------------------------------------------------------------------------------------------

    async def _close(self) -> None:
        """After the last word: hang up, store the record, analyse, send the report."""
        record = self._record
        answered = record is not None and record.started is not None
        redirected = record is not None and record.state is CallState.FORWARDING and not answered
        if self._caller_up and not redirected:
            failed = self._ending is not None and self._ending.is_fault and not answered
            try:
                await self._channel.hangup(reason_code=CAUSE_FAILURE if failed else None)
            except AriError as fault:
                self._log.warning("hangup_failed", reason=str(fault))
        if record is None or self._outbox is None:
            return
        record.ending = self._ending or CALLER_HUNG_UP
        record.happened(CallEvent.ENDED)
        if self._session is not None:
            record.take_results(self._session.conversation(), self._variables.values)
        self._log.info("call_ended", reason=record.ending.reason, message=record.ending.message)
        try:
            await self._store(record.wire())
        finally:
            assert self._messages is not None
            self._messages.send(
                "status-update",
                status="ended",
                endedReason=record.ending.reason,
                inboundPhoneCallDebuggingArtifacts=self._debugging,
            )
            # Analysis asks a model for seconds: the caller's line need not wait, the report must.
            self._services.background.spawn(self._report(record), f"report-{record.id}")

    async def _report(self, record: CallRecord) -> None:
        assert self._outbox is not None
        assert self._messages is not None
        assert self._call_log is not None
        report = Report(
            self._services.calls,
            self._services.catalogue,
            record,
            self._messages,
            session=self._session,
            cast=self._cast,
            variables=self._variables.values,
            fill=self._variables.fill,
            call_log=self._call_log,
            data=self._services.options.data,
            log=self._log,
        )
        try:
            async with self._storing:  # after what is still being saved
                await report.make()
        finally:
            self._outbox.close()

    def _save(self, record: CallRecord) -> None:
        """Store the record soon, as it is then: nobody waits for it, and the caller waits for everything else."""
        if not self._save_due:
            self._save_due = True
            self._services.background.spawn(self._save_soon(record), f"store-{record.id}")

    async def _save_soon(self, record: CallRecord) -> None:
        told = self._messages is not None and self._messages.server is not None
        await asyncio.sleep(0 if told else _SAVE_SECONDS)  # a server that hears of a call may look it up at once
        self._save_due = False
        if record.ending is None:
            await self._store(record.wire())

    async def _store(self, document: JsonObject) -> None:
        """Save the record as it is now, after those saved before it (the lock is fair)."""
        async with self._storing:
            await self._services.calls.save(document)

    # -- variables ------------------------------------------------------------------------------------------

    def _live_artifact(self) -> JsonObject | None:
        if self._record is None or self._session is None:
            return None
        return self._record.live_artifact(self._session.conversation(), self._variables.values)

    def _all_variables(self) -> JsonObject:
        assert self._record is not None
        record = self._record
        wire = record.wire()
        customer, transport = record.customer, record.transport
        if record.invite is not None:
            customer, transport = from_caller(customer), from_caller(transport)
        builtin = builtin_variables(
            datetime.now(UTC),
            customer=customer,
            phoneNumber=record.shown_number,
            call={key: wire[key] for key in ("id", "type", "status", "createdAt", "assistantId")}
            | {"phoneCallProvider": wire["phoneCallProvider"], "transport": transport},
            transport=transport,
            assistant={"id": record.assistant_id, "name": (record.assistant or {}).get("name")},
        )
        given: JsonObject = record.overrides["variableValues"]
        return builtin | given

    def _take_variables(self) -> None:
        """The variables as they are now."""
        self._variables = Variables(self._all_variables(), History(), log=self._log)

    def _recording(self) -> Path | None:
        """Where both sides are recorded, if they are."""
        assert self._record is not None
        plan = self._assistant.artifact_plan
        wanted = plan.recording_enabled if plan is not None else None
        if (self._assistant.recording_enabled if wanted is None else wanted) is False:
            return None
        path = self._services.options.data.recording(self._record.id)
        self._record.recording_path = path
        return path

    async def _redirect(self, destination: Destination, ending: Ending) -> str | None:
        """Before the answer: a 302 that names the destination. Returns what went wrong, or None."""
        assert self._record is not None
        assert self._messages is not None
        if destination.type != "sip" or destination.sip_uri is None:
            return f"a destination of type {destination.type} needs a trunk, which this version does not have"
        self._take_variables()
        try:
            destination = filled_destination(destination, self._variables.fill, self._variables.values)
        except AddressRefused as fault:
            return str(fault)
        if self._ending is not None:
            return None
        # The redirect makes the channel leave at once: the reason must stand before that is heard of.
        self._ending = ending
        try:
            await self._channel.redirect(f"PJSIP/{destination.sip_uri}")
        except AriRequestError as fault:
            self._ending = None
            return str(fault)
        wire = without_secrets(destination.wire(), Destination)
        self._record.destination = wire
        self._record.happened(CallEvent.FORWARDED)
        self._messages.send("status-update", status="forwarding", destination=wire)
        self._log.info("call_redirected", destination=destination.sip_uri)
        return None

"""What inbound and outbound calls share: the conversation, sending the caller on, the ending, the record."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path

from ari_assistant.ari.errors import AriError, AriRequestError
from ari_assistant.ari.events import AriEvent, ChannelDtmfReceived
from ari_assistant.ari.resources import Channel
from ari_assistant.audio.codec import Codec
from ari_assistant.audio.g711 import ULAW
from ari_assistant.calls.caller import LEFT, Caller
from ari_assistant.calls.handover import Handover, forwarding_told, redirect_target
from ari_assistant.calls.legs import Legs
from ari_assistant.calls.own_ids import OwnIds
from ari_assistant.calls.phases import Arriving, Conversing, Phase
from ari_assistant.calls.services import Services
from ari_assistant.calls.variables import variables_of
from ari_assistant.conversation.ending import CALLER_CANCELLED, CALLER_HUNG_UP, FORWARDED, MEDIA_LOST, Ending
from ari_assistant.dialogue.address import AddressRefused
from ari_assistant.reports.call_state import CallEvent, CallState
from ari_assistant.reports.line_quality import VARIABLE, line_quality
from ari_assistant.reports.recorded import Held, Recorded
from ari_assistant.reports.report import CallReport
from ari_assistant.session.interfaces import Surroundings
from ari_assistant.session.options import ConversationOptions
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.destination import Destination

__all__ = ["CAUSE_FAILURE", "PhoneCall"]

CAUSE_FAILURE = 34
"""Q.850: no circuit available; 503."""
_LEAVING_SECONDS = 1.0
"""So long after Asterisk refused a request for a channel its end may be heard of."""

log = get_logger("calls")


class PhoneCall(ABC):
    """Serves one caller or called. `run` returns when everything of the call is given back and its record is stored.

    `_phase` says how far it has come, and holds what there is from then on. A subclass says in `_route` how the call
    comes to its assistant.
    """

    def __init__(self, services: Services, channel: Channel, recorded: Recorded | None = None) -> None:
        """`recorded`: of a call that is known before there is a channel."""
        self._services = services
        self._caller = Caller(channel)
        self._phase: Phase = recorded or Arriving(log.bind(channel=channel.id))
        self._ending: Ending | None = None
        """Why it is over, once it is: the first reason given."""
        self._serving: set[asyncio.Task[None]] = set()
        # Not first in `run`: a caller may leave before that has its turn.
        self._stop_listening = services.ari.on_channel(channel.id, self._channel_event)

    @property
    def channel_id(self) -> str:
        """The caller's channel."""
        return self._caller.id

    @property
    def bridge_id(self) -> str | None:
        """The bridge, once its id is chosen."""
        return self._phase.legs.bridge_id if isinstance(self._phase, Conversing) else None

    @property
    def owned_channels(self) -> set[str]:
        """The ids of all channels that belong to this call."""
        found = {self._caller.id}
        match self._phase:
            case (Recorded() as recorded) | Conversing(recorded=recorded):
                found.add(OwnIds(self._services.ari.app).dialled(recorded.record.id))
        if isinstance(self._phase, Conversing):
            found.add(self._phase.legs.media_id)
        return found

    @property
    def has_channel(self) -> bool:
        """Asterisk should know the call's channel."""
        return True

    async def run(self) -> None:
        """Serve the caller from the first event to the last. Whoever has made a call runs it."""
        try:
            async with asyncio.TaskGroup() as group:
                serving = group.create_task(self._serve(), name="serve")
                self._serving.add(serving)
                if self._ending is not None:  # ended before the task was there
                    serving.cancel()
        finally:
            self._stop_listening()
            await asyncio.shield(self._close())

    @abstractmethod
    async def _route(self) -> None:
        """Bring the call to its assistant, and hold the conversation."""

    # -- what its conversation may do (`interfaces.CallControl`) -----------------------------------------------

    def end(self, ending: Ending) -> None:
        """End the call; the first reason given is the one that counts."""
        if self._ending is None:
            self._ending = ending
            for task in self._serving:
                task.cancel()

    async def transfer(self, destination: Destination) -> None:
        """Send an answered caller on (§8.5). Called when the announcement has been heard. A transfer that nobody takes
        is told to the caller, and the conversation goes on or ends as its `fallbackPlan` says."""
        match self._phase:
            case Conversing() as conversing:
                handover = Handover(self._services.ari, self._caller, conversing, destination)
                if (ending := await handover.send_on()) is not None:
                    self.end(ending)
            case Arriving() | Recorded():
                pass  # nobody is talked with, and nobody asks

    async def press(self, digits: str) -> None:
        """Send DTMF to the caller. Raises AriError."""
        await self._caller.channel.sendDTMF(digits)

    # -- what the channel tells -------------------------------------------------------------------------------

    def _channel_event(self, event: AriEvent) -> None:
        """An event of the caller's channel, in the order in which Asterisk tells them."""
        match self._phase:
            case Conversing() as conversing:
                _tell_session(conversing, event)
                _measure(conversing.recorded, event)
            case Recorded() as recorded:
                _measure(recorded, event)
            case Arriving():
                pass
        if self._caller.leaves_with(event):
            self._left_by(event)

    def _left_by(self, event: AriEvent) -> None:
        """The caller's channel is gone."""
        match self._phase:
            case Arriving():
                self.end(CALLER_CANCELLED)
            case (Recorded() as recorded) | Conversing(recorded=recorded):
                if event.channel is not None and event.channel.state == "Up":
                    recorded.answered()  # and we had not heard of it yet
                if recorded.record.state is CallState.FORWARDING:
                    self.end(FORWARDED)
                else:
                    self.end(CALLER_CANCELLED if recorded.record.started is None else CALLER_HUNG_UP)

    # -- the life of the call ---------------------------------------------------------------------------------

    async def _serve(self) -> None:
        """The edge of the call: a fault of ours ends it with a reason, never silently."""
        try:
            await self._route()
        except AriError as fault:
            if isinstance(fault, AriRequestError):  # the channel may be gone: its event knows better why
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._caller.gone.wait(), _LEAVING_SECONDS)
            self._ari_failed(fault)
        except Exception as fault:
            self._phase.log.exception("call_failed")
            self.end(Ending("call.in-progress.error-vapifault-worker-died", repr(fault)))

    def _ari_failed(self, fault: AriError) -> None:
        self._phase.log.error("call_failed", reason=str(fault))
        self.end(Ending("call.ringing.error-sip-inbound-call-failed-to-connect", str(fault)))

    async def _announce(self, recorded: Recorded, text: str, ending: Ending, codec: Codec) -> None:
        """Answer, say `text`, and end the call."""
        speaker = Assistant(
            first_message_mode="assistant-waits-for-user",
            server_messages=recorded.record.answering.server_messages,
        )
        await self._converse(recorded, speaker, codec, (text, ending))

    async def _converse(
        self,
        recorded: Recorded,
        assistant: Assistant,
        codec: Codec = ULAW,
        announcement: tuple[str, Ending] | None = None,
    ) -> None:
        """Open the legs, answer, and talk until somebody ends it."""
        held = await self._prepare(recorded, assistant, codec)
        legs, session = self._legs(recorded, assistant, codec), held.session
        self._phase = Conversing(recorded, held, legs)
        recorded.record.follow(session, held.variables)

        def media_event(event: AriEvent) -> None:
            if event.type in LEFT and self._ending is None:
                session.media_left(MEDIA_LOST)

        preparing = asyncio.create_task(session.prepare(), name="prepare")
        try:
            async with legs as stream:
                # Not before: a set-up that fails takes the channel down itself.
                stop = self._services.ari.on_channel(legs.media_id, media_event)
                try:
                    await preparing
                    await legs.connect()
                    recorded.answered()
                    if announcement is not None:
                        asyncio.get_running_loop().call_soon(session.announce, *announcement)
                    await session.run(stream, started_ms=int(time.time() * 1000))
                finally:
                    stop()
        finally:
            preparing.cancel()
            await asyncio.gather(preparing, return_exceptions=True)

    async def _prepare(self, recorded: Recorded, assistant: Assistant, codec: Codec) -> Held:
        """The conversation, not begun yet."""
        services, record = self._services, recorded.record
        variables = variables_of(recorded)
        resolved = await services.resolver.resolve(
            assistant, fill=variables.fill, messages=recorded.messages, call_id=record.id
        )
        surroundings = Surroundings(
            messages=recorded.messages,
            control=self,
            requests=services.webhooks,
            stored_tools=services.catalogue.tools,
            voice_activity=services.hearing,
            end_of_turn=services.end_of_turn,
            background=services.background,
        )
        options = ConversationOptions(
            call_id=record.id,
            rate=codec.rate,
            turns=services.options.turns,
            waits=services.options.waits,
            prompts=services.options.prompts,
        )
        session = services.session(resolved, variables, surroundings, options, log=recorded.log)
        return Held(session, resolved, variables)

    def _legs(self, recorded: Recorded, assistant: Assistant, codec: Codec) -> Legs:
        services, record = self._services, recorded.record
        path: Path | None = None
        if _is_recorded(assistant):
            record.recording_path = path = services.options.data.recording(record.id)
        return Legs(
            services.ari,
            services.transport,
            self._caller.channel,
            call_id=record.id,
            codec=codec,
            recording=path,
        )

    async def _redirect(self, recorded: Recorded, destination: Destination, ending: Ending) -> str | None:
        """Before the answer: a 302 that names the destination. Returns what went wrong, or None."""
        try:
            destination = redirect_target(recorded, destination)
        except AddressRefused as fault:
            return str(fault)
        if self._ending is not None:
            return None
        # The redirect makes the channel leave at once: the reason must stand before that is heard of.
        self._ending = ending
        try:
            await self._caller.channel.redirect(f"PJSIP/{destination.sip_uri}")
        except AriRequestError as fault:
            self._ending = None
            return str(fault)
        forwarding_told(recorded, destination)
        return None

    # -- the end ----------------------------------------------------------------------------------------------

    async def _close(self) -> None:
        """After the last word: hang up, store the record, analyse, send the report."""
        match self._phase:
            case Arriving():
                await self._hang_up(answered=False)
            case Recorded() as recorded:
                await self._close_recorded(recorded, None)
            case Conversing(recorded=recorded, held=held):
                await self._close_recorded(recorded, held)

    async def _close_recorded(self, recorded: Recorded, held: Held | None) -> None:
        record = recorded.record
        answered = record.started is not None
        if answered or record.state is not CallState.FORWARDING:  # one that was redirected hangs up itself
            await self._hang_up(answered=answered)
        record.ending = ending = self._ending or CALLER_HUNG_UP
        record.happened(CallEvent.ENDED)
        record.take_results()
        recorded.log.info("call_ended", reason=ending.reason, message=ending.message)
        try:
            await recorded.journal.save()
        finally:
            recorded.messages.send(
                "status-update",
                status="ended",
                endedReason=ending.reason,
                inboundPhoneCallDebuggingArtifacts=record.debugging,
            )
            # Analysis asks a model for seconds: the caller's line need not wait, the report must.
            report = CallReport(
                recorded,
                ending,
                self._services.catalogue.structured_outputs,
                self._services.options.data.log(record.id),
            )
            self._services.background.spawn(report.make(held), f"report-{record.id}")

    async def _hang_up(self, *, answered: bool) -> None:
        if not self._caller.is_up:
            return
        failed = self._ending is not None and self._ending.is_fault and not answered
        try:
            await self._caller.hang_up(reason_code=CAUSE_FAILURE if failed else None)
        except AriError as fault:
            self._phase.log.warning("hangup_failed", reason=str(fault))


def _tell_session(conversing: Conversing, event: AriEvent) -> None:
    """What the caller did with their telephone."""
    session = conversing.held.session
    if isinstance(event, ChannelDtmfReceived):
        session.key(event.digit)
    elif event.type in ("ChannelHold", "ChannelUnhold"):
        session.hold(event.type == "ChannelHold")


def _measure(recorded: Recorded, event: AriEvent) -> None:
    """Keep what Asterisk has measured of the caller's leg."""
    if event.type == "ChannelVarset" and event.data.get("variable") == VARIABLE:
        recorded.record.line_quality = line_quality(str(event.data.get("value")))


def _is_recorded(assistant: Assistant) -> bool:
    """Both sides are recorded unless the assistant says no; its `artifactPlan` counts before itself (§12.1)."""
    plan = assistant.artifact_plan
    wanted = plan.recording_enabled if plan is not None else None
    return (assistant.recording_enabled if wanted is None else wanted) is not False

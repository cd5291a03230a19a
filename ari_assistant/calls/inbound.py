"""One inbound call from its StasisStart to its end-of-call report."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from ari_assistant.ari.errors import AriError, AriNotFound, AriRequestError
from ari_assistant.ari.events import AriEvent, StasisStart
from ari_assistant.calls.assistant_request import Answer, Forward, NoAnswer, Speak, UseAssistant, ask
from ari_assistant.calls.ending import (
    CALLER_CANCELLED,
    CALLER_HUNG_UP,
    MEDIA_LOST,
    NO_ASSISTANT_AND_NO_SERVER,
    Ending,
)
from ari_assistant.calls.invite import read_invite
from ari_assistant.calls.legs import Legs
from ari_assistant.calls.models import rules_config
from ari_assistant.calls.record import CallRecord
from ari_assistant.calls.routing import NumberFound
from ari_assistant.calls.services import Services
from ari_assistant.calls.session import Session
from ari_assistant.calls.state import CallEvent, CallState
from ari_assistant.dialogue.template import builtin_variables, render
from ari_assistant.media.recording import Recording
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.error import validation_messages
from ari_assistant.vapi.overrides import merge_overrides
from ari_assistant.vapi.server import Server
from ari_assistant.vapi.server_message import envelope, wants
from ari_assistant.webhooks.outbox import Outbox
from ari_assistant.webhooks.precedence import first_server

__all__ = ["CAUSE_FAILURE", "InboundCall"]

log = get_logger("calls")

_CAUSE_UNALLOCATED = 1
"""Q.850: unallocated number; Asterisk turns it into 404."""
CAUSE_FAILURE = 34
"""Q.850: no circuit available; 503."""
_LEFT = frozenset({"StasisEnd", "ChannelDestroyed"})


class InboundCall:
    """Serves one caller. `run` returns when everything of the call is given back and its record is stored."""

    def __init__(self, services: Services, start: StasisStart) -> None:
        self._services = services
        self._snapshot = start.channel
        self._channel = services.ari.channels.get(start.channel.id)
        self._serving: asyncio.Task[None] | None = None
        self._ending: Ending | None = None
        self._caller_up = True
        self._legs: Legs | None = None
        self._record: CallRecord | None = None
        self._outbox: Outbox | None = None
        self._assistant = Assistant()
        self._number_server: Server | None = None
        self._session: Session | None = None
        self._variables: JsonObject = {}
        self._debugging: JsonObject | None = None
        self._storing = asyncio.Lock()
        self._log = log.bind(channel=start.channel.id)

    @property
    def channel_id(self) -> str:
        """The caller's channel."""
        return self._channel.id

    @property
    def media_id(self) -> str | None:
        """The ExternalMedia channel, once its id is chosen."""
        return self._legs.media_id if self._legs is not None else None

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

    # -- the life of the call -------------------------------------------------------------------------------

    def _channel_event(self, event: AriEvent) -> None:
        if event.type in _LEFT:
            self._caller_up = False
            answered = self._record is not None and self._record.state is not CallState.RINGING
            self.end(CALLER_HUNG_UP if answered else CALLER_CANCELLED)

    async def _serve(self) -> None:
        """The edge of the call: a fault of ours ends it with a reason, never silently."""
        try:
            await self._route()
        except AriNotFound:
            self.end(CALLER_CANCELLED)
        except AriError as fault:
            self._log.error("call_failed", reason=str(fault))
            self.end(Ending("call.ringing.error-sip-inbound-call-failed-to-connect", str(fault)))
        except Exception as fault:
            self._log.exception("call_failed")
            self.end(Ending("call.in-progress.error-vapifault-worker-died", repr(fault)))

    async def _route(self) -> None:
        invite = await read_invite(self._channel, self._snapshot)
        found = await self._services.router.find(invite.request_uri)
        if found is None:
            self._caller_up = False
            await self._channel.hangup(reason_code=_CAUSE_UNALLOCATED)
            return
        options = self._services.options
        self._record = record = CallRecord(
            invite, org_id=options.org_id, phone_number=found.resource.wire(), public_url=options.public_url
        )
        self._log = log.bind(call_id=record.id)
        self._log.info("call_started", uri=invite.request_uri, caller=invite.from_uri)
        self._number_server = found.number.server
        self._outbox = Outbox(self._services.webhooks, call_id=record.id)
        self._services.spawn(self._outbox.run(), f"outbox-{record.id}")
        self._services.spawn(self._store(record.wire()), f"store-{record.id}")
        await self._decide(found)

    async def _decide(self, found: NumberFound) -> None:
        """Who answers: the number's assistant, or whoever the server names."""
        number = found.number
        assistant_id = number.assistant_id
        if assistant_id is not None:
            stored = await self._services.catalogue.assistants.get(assistant_id)
            if stored is None:
                text = f"`assistantId` {assistant_id} does not exist"
                await self._no_assistant(found, Ending("assistant-not-found", text))
                return
            await self._use(UseAssistant(stored.id, stored.document, {}))
            return
        server = first_server(number.server, self._services.options.org_server)
        if server is None:
            await self._no_assistant(found, NO_ASSISTANT_AND_NO_SERVER)
            return
        answer = await self._ask(server)
        match answer:
            case UseAssistant():
                await self._use(answer, found)
            case Forward(destination):
                await self._forward(destination, "assistant-request-returned-forwarding-phone-number", found)
            case Speak(text):
                await self._announce(text, Ending("assistant-request-returned-error", text))
            case NoAnswer(ending, response):
                await self._no_assistant(found, ending, response)

    async def _ask(self, server: Server) -> Answer:
        """The caller hears ringing while the server makes up its mind."""
        assert self._record is not None
        options = self._services.options
        record = self._record
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ring())
            asking = group.create_task(
                ask(
                    self._services.webhooks,
                    server,
                    self._message("assistant-request"),
                    call_id=record.id,
                    timeout_seconds=options.assistant_request_seconds,
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

    async def _use(self, chosen: UseAssistant, found: NumberFound | None = None) -> None:
        """Answer with this assistant."""
        assert self._record is not None
        record = self._record
        document = merge_overrides(chosen.document, chosen.overrides)
        try:
            self._assistant = Assistant.model_validate(document)
            rules_config(self._assistant)
        except ValidationError as fault:
            ending = Ending("assistant-request-returned-invalid-assistant", "; ".join(validation_messages(fault)))
            await self._no_assistant(found, ending)
            return
        record.assistant_id = chosen.assistant_id
        record.assistant = document
        given = {**(document.get("variableValues") or {}), **(chosen.overrides.get("variableValues") or {})}
        record.overrides = {
            **chosen.overrides,
            "variableValues": {**record.invite.variables, **given},
        }
        await self._converse()

    async def _converse(self, announcement: tuple[str, Ending] | None = None) -> None:
        """Open the legs, answer, and talk until somebody ends it."""
        assert self._record is not None
        record, services = self._record, self._services
        self._variables = self._all_variables()
        recording = self._recording()
        self._session = session = Session(
            services,
            assistant=self._assistant,
            model=services.choose_model(self._assistant, self._fill),
            fill=self._fill,
            law=record.invite.law,
            recording=recording,
            end=self.end,
            log=self._log,
        )
        self._legs = legs = Legs(
            services.ari,
            call_id=record.id,
            caller=self._channel,
            law=record.invite.law,
            media_host=services.options.media_host,
            receive=session.receive,
        )
        preparing = asyncio.create_task(session.prepare(), name="prepare")
        stop = services.ari.on_channel(legs.media_id, self._media_event)
        try:
            async with legs:
                await preparing
                await legs.connect()
                record.happened(CallEvent.ANSWERED)
                services.spawn(self._store(record.wire()), f"store-{record.id}")
                self._send("status-update", status=record.state.value)
                if announcement is not None:
                    asyncio.get_running_loop().call_soon(session.announce, *announcement)
                await session.run(legs.port, started_ms=int(time.time() * 1000))
        finally:
            stop()
            preparing.cancel()
            await asyncio.gather(preparing, return_exceptions=True)

    def _media_event(self, event: AriEvent) -> None:
        if event.type in _LEFT and self._ending is None:
            self.end(MEDIA_LOST)

    async def _no_assistant(self, found: NumberFound | None, ending: Ending, response: Any = None) -> None:
        """Nobody can answer: the number's fallback destination, or a polite sentence. `response` is what the
        server answered, for the operator."""
        self._debugging = {"error": ending.message, "assistantRequestError": ending.reason}
        if response is not None:
            self._debugging["assistantRequestResponse"] = response
        self._log.warning("no_assistant", reason=ending.reason, message=ending.message)
        fallback = found.number.fallback_destination if found is not None else None
        if fallback is not None:
            await self._forward(fallback, ending.reason, None)
            return
        await self._announce(self._services.options.prompts.unavailable, ending)

    async def _announce(self, text: str, ending: Ending) -> None:
        self._assistant = Assistant(first_message_mode="assistant-waits-for-user")
        await self._converse((text, ending))

    async def _forward(self, destination: Destination, reason: str, found: NumberFound | None) -> None:
        """Send the caller on before the call is answered: a 302 that names the destination."""
        assert self._record is not None
        if destination.type != "sip" or destination.sip_uri is None:
            text = f"a destination of type {destination.type} needs a trunk, which this version does not have"
            await self._no_assistant(found, Ending("call.in-progress.error-transfer-failed", text))
            return
        if self._ending is not None:
            return
        # The redirect makes the channel leave at once: the reason must stand before that is heard of.
        self._ending = Ending(reason, f"redirected to {destination.sip_uri}")
        try:
            await self._channel.redirect(f"PJSIP/{destination.sip_uri}")
        except AriRequestError as fault:
            self._ending = None
            await self._no_assistant(None, Ending("call.in-progress.error-transfer-failed", str(fault)))
            return
        self._record.destination = destination.wire()
        self._record.happened(CallEvent.FORWARDED)
        self._send("status-update", status="forwarding", destination=destination.wire())
        self._log.info("call_redirected", destination=destination.sip_uri)

    async def _close(self) -> None:
        """After the last word: hang up, store the record, send the report."""
        state = self._record.state if self._record is not None else CallState.RINGING
        if self._caller_up and state is not CallState.FORWARDING:
            failed = self._ending is not None and self._ending.is_fault and state is CallState.RINGING
            try:
                await self._channel.hangup(reason_code=CAUSE_FAILURE if failed else None)
            except AriError as fault:
                self._log.warning("hangup_failed", reason=str(fault))
        record, outbox = self._record, self._outbox
        if record is None or outbox is None:
            return
        record.ending = self._ending or CALLER_HUNG_UP
        record.happened(CallEvent.ENDED)
        if self._session is not None:
            record.take_results(self._session, self._variables)
        self._log.info("call_ended", reason=record.ending.reason, message=record.ending.message)
        try:
            await self._store(record.wire())
        finally:
            self._send_ending(record)
            outbox.close()

    async def _store(self, document: JsonObject) -> None:
        """Save the record as it is now, after those saved before it (the lock is fair)."""
        async with self._storing:
            await self._services.calls.save(document)

    # -- messages and variables -----------------------------------------------------------------------------

    def _send_ending(self, record: CallRecord) -> None:
        assert record.ending is not None
        artifact = record.artifact
        self._send(
            "status-update",
            status="ended",
            endedReason=record.ending.reason,
            inboundPhoneCallDebuggingArtifacts=self._debugging,
        )
        started, ended = record.started, record.ended
        seconds = (ended - started).total_seconds() if started and ended else 0.0
        wire = record.wire()
        self._send(
            "end-of-call-report",
            endedReason=record.ending.reason,
            startedAt=wire["startedAt"],
            endedAt=wire["endedAt"],
            durationSeconds=round(seconds, 3),
            durationMs=round(seconds * 1000),
            durationMinutes=round(seconds / 60, 4),
            transcript=artifact.get("transcript", ""),
            messages=artifact.get("messages", []),
            recordingUrl=artifact.get("recordingUrl"),
            stereoRecordingUrl=artifact.get("stereoRecordingUrl"),
            analysis={},
            artifact=artifact,
            cost=0,
            costs=[],
            destination=record.destination,
        )

    def _send(self, kind: str, **fields: Any) -> None:
        if self._outbox is None or not wants(self._assistant.server_messages, kind):
            return
        server = first_server(self._assistant.server, self._number_server, self._services.options.org_server)
        self._outbox.put(server, self._message(kind, **fields))

    def _message(self, kind: str, **fields: Any) -> JsonObject:
        assert self._record is not None
        record = self._record
        return envelope(
            kind,
            timestamp_ms=int(time.time() * 1000),
            call=record.wire() | {"artifact": None, "messages": None},
            phoneNumber=_without_secrets(record.phone_number),
            customer=record.invite.customer,
            assistant=_without_secrets(record.assistant) if record.assistant is not None else None,
            **fields,
        )

    def _all_variables(self) -> JsonObject:
        assert self._record is not None
        record = self._record
        wire = record.wire()
        builtin = builtin_variables(
            datetime.now(UTC),
            customer=record.invite.customer,
            phoneNumber=_without_secrets(record.phone_number),
            call={key: wire[key] for key in ("id", "type", "status", "createdAt", "assistantId")},
            transport=record.transport,
            assistant={"id": record.assistant_id, "name": (record.assistant or {}).get("name")},
        )
        given: JsonObject = record.overrides["variableValues"]
        return builtin | given

    def _fill(self, template: str, extra: Mapping[str, str]) -> str:
        rendered = render(template, {**self._variables, **extra})
        if rendered.missing:
            self._log.warning("variable_missing", names=list(rendered.missing), template=template[:80])
        if rendered.fault is not None:
            self._log.warning("template_broken", fault=rendered.fault, template=template[:80])
        return rendered.text

    def _recording(self) -> Recording | None:
        assert self._record is not None
        plan = self._assistant.artifact_plan
        wanted = plan.recording_enabled if plan is not None else None
        if (self._assistant.recording_enabled if wanted is None else wanted) is False:
            return None
        path = self._services.options.recordings_dir / f"{self._record.id}.wav"
        self._record.recording_path = path
        return Recording(path)


def _without_secrets(document: JsonObject) -> JsonObject:
    """A copy for webhooks: a receiver need not learn the secrets of others."""
    copy = {key: value for key, value in document.items() if key not in ("serverUrlSecret", "authentication")}
    if isinstance(copy.get("server"), dict):
        copy["server"] = {k: v for k, v in copy["server"].items() if k not in ("secret", "headers")}
    if isinstance(copy.get("model"), dict):
        copy["model"] = {k: v for k, v in copy["model"].items() if k != "headers"}
    copy.pop("credentials", None)
    return copy

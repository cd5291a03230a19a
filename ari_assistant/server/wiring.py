"""From the settings to the objects of a running server. Nothing here waits for anything."""

from __future__ import annotations

import importlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import aiohttp
from pydantic import ValidationError

from ari_assistant.api.context import Store
from ari_assistant.ari.client import AriClient, AriCredentials
from ari_assistant.assistants.model_providers import ModelChoice
from ari_assistant.assistants.resolver import AssistantResolver
from ari_assistant.assistants.speech_providers import SpeechChoice
from ari_assistant.calls.admission import Admission
from ari_assistant.calls.live import LiveCalls
from ari_assistant.calls.media_transport import MediaTransport, RtpTransport, SocketTransport
from ari_assistant.calls.routing import Router
from ari_assistant.calls.services import CallOptions, Services
from ari_assistant.calls.sip_authentication import SipAuthenticator
from ari_assistant.config.assistants_file import ORG_ID
from ari_assistant.config.hosts import ThisMachine
from ari_assistant.config.instance import callers_address
from ari_assistant.config.providers import chat_endpoint, provider_access
from ari_assistant.config.settings import Settings
from ari_assistant.data_directory import DataDirectory
from ari_assistant.fault import Fault
from ari_assistant.media.process.client import MediaPlane
from ari_assistant.media.websocket.stream import MediaSockets
from ari_assistant.providers.piper import PiperVoice
from ari_assistant.providers.voice import Voice
from ari_assistant.providers.voice_cache import CachedVoice
from ari_assistant.reports.erasure import erasure_message
from ari_assistant.reports.record import Installation
from ari_assistant.reports.recorded import CallRecords
from ari_assistant.server.engines import LocalEngines, local_transcribers, speech_detectors
from ari_assistant.server.health import LoadMeter
from ari_assistant.server.preflight import Preflight
from ari_assistant.session.interfaces import TaskOwner
from ari_assistant.session.prewarm import warm
from ari_assistant.session.session import Session
from ari_assistant.store.api_keys import ApiKeys
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.store.credentials import authentication_plan
from ari_assistant.store.database import open_database
from ari_assistant.store.repositories import Calls, Listing
from ari_assistant.telemetry import get_logger
from ari_assistant.turns.endpointing import Waits
from ari_assistant.turns.voice_activity import VoiceActivity
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.call import CreateCall, Customer
from ari_assistant.vapi.server import Server as WebhookServer
from ari_assistant.webhooks.redirects import stays_at_its_origin
from ari_assistant.webhooks.sender import WebhookSender
from ari_assistant.webhooks.url_policy import UrlPolicy, guarded_session

__all__ = [
    "Internet",
    "LiveOperations",
    "Speakers",
    "Telephony",
    "conversation_session",
    "internet",
    "open_store",
    "prewarm",
    "services",
    "speakers",
    "telephony",
]

log = get_logger("server")

_PREWARMED_ASSISTANTS = 50


def open_store(settings: Settings, preflight: Preflight) -> Store:
    """The database, not migrated yet, and the assistants file beside it. The caller disposes of the engine. Raises
    Fault."""
    engine = open_database(settings.database)
    file = preflight.assistants
    return Store(
        engine,
        catalogue=Catalogue(
            engine, org_id=ORG_ID, file_assistants=file.assistants, file_numbers=file.phone_numbers
        ),
        calls=Calls(engine, org_id=ORG_ID, server_id=preflight.server_id),
        keys=ApiKeys(engine),
    )


@dataclass(frozen=True, slots=True)
class Internet:
    """The ways out: connections to others."""

    vendors: aiohttp.ClientSession
    """To where the operator says."""
    servers: aiohttp.ClientSession
    """To where API users say, by `policy`."""
    policy: UrlPolicy


@asynccontextmanager
async def internet(settings: Settings, credentials: AriCredentials) -> AsyncGenerator[Internet, None]:
    """Open for the length of the block."""
    ari_port = urlsplit(credentials.base).port
    own = {settings.api_port} | ({ari_port} if ari_port is not None else set())
    machine = ThisMachine(domains=[], addresses=[])
    policy = UrlPolicy(strict=settings.strict_urls, own_ports=own, is_this_machine=machine)
    async with (
        aiohttp.ClientSession(trace_configs=[stays_at_its_origin()]) as vendors,
        guarded_session(policy) as servers,
    ):
        yield Internet(vendors, servers, policy)


@dataclass(frozen=True, slots=True)
class Telephony:
    """What carries calls. The owner runs the client, the authenticator and the media plane."""

    ari: AriClient
    authenticator: SipAuthenticator
    media: MediaPlane
    sockets: MediaSockets | None
    """Carry the audio of calls where that is not RTP."""
    hearing: VoiceActivity


def telephony(
    settings: Settings, credentials: AriCredentials, store: Store, ways: Internet, meter: LoadMeter
) -> Telephony:
    """The connection to Asterisk and the media plane, not running yet."""
    ari = AriClient(credentials, settings.ari_app)
    media_address = None if settings.uses_running_asterisk else callers_address(settings)
    hearing = VoiceActivity(speech_detectors(settings))
    websocket = settings.media_transport == "websocket"
    return Telephony(
        ari=ari,
        authenticator=SipAuthenticator(ari, store.catalogue, media_address=media_address),
        media=MediaPlane(host=settings.media_host, heard=hearing, observer=meter, log=log),
        sockets=MediaSockets(ways.vendors, credentials.media_url, credentials.headers, hearing)
        if websocket
        else None,
        hearing=hearing,
    )


@dataclass(frozen=True, slots=True)
class Speakers:
    """Who speaks and listens: the local engines and the remote providers."""

    local_voice: CachedVoice
    speech: SpeechChoice
    models: ModelChoice


def speakers(settings: Settings, engines: LocalEngines, ways: Internet) -> Speakers:
    """The owner closes the models."""
    voice = CachedVoice(PiperVoice(engines.voice))
    return Speakers(
        local_voice=voice,
        speech=SpeechChoice(
            transcribers=local_transcribers(engines.recogniser),
            voice=voice,
            vendors=ways.vendors,
            servers=ways.servers,
        ),
        models=ModelChoice(chat_endpoint(settings), ways.policy),
    )


def services(
    settings: Settings,
    store: Store,
    telephony: Telephony,
    ways: Internet,
    speakers: Speakers,
    *,
    engines: LocalEngines,
    admission: Admission,
    background: TaskOwner,
) -> Services:
    """What every call needs. Raises Fault."""
    addresses = [settings.external_address] if settings.external_address else []
    secret = settings.server_secret.get_secret_value() if settings.server_secret else None
    webhooks = WebhookSender(
        ways.servers,
        find_credential=partial(authentication_plan, store.catalogue),
        sign_by_default=settings.sign_webhooks,
    )
    org_server = WebhookServer(url=settings.server_url, secret=secret) if settings.server_url else None
    return Services(
        ari=telephony.ari,
        catalogue=store.catalogue,
        router=Router(
            store.catalogue, is_this_machine=ThisMachine(domains=settings.sip_domains, addresses=addresses)
        ),
        records=CallRecords(store.calls, webhooks, org_server, background),
        webhooks=webhooks,
        resolver=AssistantResolver(
            store.catalogue,
            provider_access(settings),
            webhooks,
            speech=speakers.speech,
            models=speakers.models,
        ),
        end_of_turn=engines.end_of_turn(),
        transport=_transport(telephony),
        hearing=telephony.hearing,
        admission=admission,
        options=CallOptions(
            installation=Installation(ORG_ID, settings.api_base),
            data=DataDirectory(settings.data_dir.resolve()),
            assistant_request_seconds=settings.assistant_request_seconds,
            waits=Waits.around(settings.endpointing_seconds),
        ),
        background=background,
        session=conversation_session(settings.bench),
    )


def _transport(telephony: Telephony) -> MediaTransport:
    if telephony.sockets is not None:
        return SocketTransport(telephony.ari, telephony.sockets)
    return RtpTransport(telephony.ari, telephony.media)


def conversation_session(stand_in: str | None) -> type[Session]:
    """Who holds conversations: a benchmark's stand-in, if one is named. Raises Fault."""
    if stand_in is None:
        return Session
    try:
        stand_ins = importlib.import_module("benchmarks.media.stand_ins")
    except ImportError:
        raise Fault(
            "ARI_ASSISTANT_BENCH works in a checkout of the project only", cure="unset it, or install with pip -e"
        ) from None
    session: type[Session] = stand_ins.SESSIONS[stand_in]
    return session


class LiveOperations:
    """What the API sets in motion while calls are served (`api.context.Operations`)."""

    def __init__(self, live: LiveCalls, authenticator: SipAuthenticator, services: Services) -> None:
        self._live = live
        self._authenticator = authenticator
        self._services = services

    async def place(self, body: CreateCall, customer: Customer) -> JsonObject:
        """See `api.context.Operations`."""
        return await self._live.place(body, customer)

    async def call_event(self, kind: str, call: JsonObject) -> None:
        """See `reports.erasure`."""
        services = self._services
        outbox = await erasure_message(
            services.catalogue, services.webhooks, services.records.org_server, kind, call
        )
        if outbox is not None:
            services.background.spawn(outbox.run(), f"outbox-{call['id']}")

    def numbers_changed(self) -> None:
        """See `api.context.Operations`."""
        self._authenticator.changed()


async def prewarm(voice: Voice, catalogue: Catalogue) -> None:
    """Have the first messages of the newest assistants ready before somebody calls."""
    assistants = []
    for resource in await catalogue.assistants.list(Listing(limit=_PREWARMED_ASSISTANTS)):
        with suppress(ValidationError):
            assistants.append(Assistant.model_validate(resource.document))
    await warm(voice, assistants)

"""The composition root: builds everything, starts it, drains it, stops it."""

from __future__ import annotations

import asyncio
import gc
import importlib
import secrets
import signal
import socket
import threading
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from pydantic import ValidationError

from ari_assistant.api.app import build_app
from ari_assistant.api.context import ApiContext
from ari_assistant.ari.client import AriClient, AriCredentials
from ari_assistant.ari.errors import AriError, AriReplaced, AriUnauthorized
from ari_assistant.assistants.model_providers import ModelChoice
from ari_assistant.assistants.resolved import AssistantResolver
from ari_assistant.assistants.speech_providers import SpeechChoice
from ari_assistant.asterisk.instance import new_password, render_instance
from ari_assistant.asterisk.obtain import Progress, obtain
from ari_assistant.asterisk.process import AsteriskProcess
from ari_assistant.asterisk.running import dialplan_fault, is_configured_by_us
from ari_assistant.calls.admission import Admission, Load
from ari_assistant.calls.live import LiveCalls
from ari_assistant.calls.routing import Router
from ari_assistant.calls.services import CallOptions, Services
from ari_assistant.calls.sip_authentication import SipAuthenticator
from ari_assistant.config.assistants_file import AssistantsFile, load_assistants_file
from ari_assistant.config.hosts import ThisMachine
from ari_assistant.config.instance import callers_address, instance_options
from ari_assistant.config.ports import DirectoryInUse, free_tcp_port, locked_directory, make_data_dir, port_fault
from ari_assistant.config.providers import chat_endpoint, provider_access
from ari_assistant.config.settings import Settings
from ari_assistant.conversation.ending import ABANDONED
from ari_assistant.conversation.options import Prompts
from ari_assistant.conversation.prewarm import warm
from ari_assistant.conversation.session import Session
from ari_assistant.fault import Fault
from ari_assistant.loop_watch import LoopWatch
from ari_assistant.media.handle import MediaUnavailable
from ari_assistant.media.process.client import MediaPlane
from ari_assistant.media.websocket.stream import MediaSockets
from ari_assistant.private_files import make_private
from ari_assistant.providers.end_of_turn import EndOfTurnModel
from ari_assistant.providers.errors import ProviderError, ProviderUnavailable
from ari_assistant.providers.faster_whisper import FasterWhisperTranscriber
from ari_assistant.providers.moonshine import MoonshineTranscriber
from ari_assistant.providers.piper import PiperVoice
from ari_assistant.providers.process import EngineProcess
from ari_assistant.providers.silero import SileroNetwork
from ari_assistant.providers.smart_turn import SmartTurn, model_path
from ari_assistant.providers.transcriber import Transcriber
from ari_assistant.providers.voice_cache import CachedVoice
from ari_assistant.reports.erasure import erasure_message
from ari_assistant.store.api_keys import ApiKeys
from ari_assistant.store.catalogue import Catalogue, file_id
from ari_assistant.store.credentials import authentication_plan
from ari_assistant.store.database import migrate, open_connections, open_database, sqlite_file
from ari_assistant.store.repositories import Calls, Listing
from ari_assistant.telemetry import get_logger, lines_lost
from ari_assistant.turns.endpointing import Waits
from ari_assistant.turns.vad import SharpEnds, SileroDetectors, SpeechDetectors, WebRtcDetectors
from ari_assistant.turns.voice_activity import VoiceActivity
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.phone_number import phone_number_schema
from ari_assistant.vapi.server import Server as WebhookServer
from ari_assistant.vapi.transcriber import Transcriber as WantedTranscriber
from ari_assistant.webhooks.redirects import stays_at_its_origin
from ari_assistant.webhooks.sender import WebhookSender
from ari_assistant.webhooks.url_policy import UrlPolicy, guarded_session

__all__ = ["ORG_ID", "Server", "shipped_assistants_file"]

log = get_logger("server")

ORG_ID = file_id("org", "self-hosted")
_DRAIN_SECONDS = 15.0
_THREADS = 8
_WARM_ASSISTANTS = 50
"""For files, name resolution and the built-in dialogue."""
_PACKAGES = {
    "moonshine": ("moonshine_voice", "local"),
    "faster-whisper": ("faster_whisper", "whisper"),
    "piper": ("piper", "piper"),
}
_END_OF_TURN = "smart-turn"


def shipped_assistants_file() -> Path:
    """The worked example: the working directory's `assistants.yaml`, else the one that ships."""
    package = Path(__file__).resolve().parent
    for candidate in (Path("assistants.yaml"), package.parent / "assistants.yaml", package / "assistants.yaml"):
        if candidate.is_file():
            return candidate
    return Path("assistants.yaml")


class Server:
    """One running ari-assistant."""

    def __init__(
        self,
        settings: Settings,
        *,
        progress: Progress = lambda *_: None,
        announce: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`progress` hears of long work, `announce` gets the lines that the operator must see."""
        self._settings = settings
        self._progress = progress
        self._announce = announce
        self._stopping = asyncio.Event()
        self._starting: asyncio.Task[None] | None = None
        self._live = LiveCalls()
        self._ready: dict[str, bool] = dict.fromkeys(
            ("database", "asterisk", "ari", "transcriber", "voice", "media"), False
        )
        self._start: Start | None = None
        self._lasting: set[asyncio.Task[None]] = set()
        self._ari: AriClient | None = None
        self._catalogue: Catalogue | None = None
        self._authenticator: SipAuthenticator | None = None
        self._webhooks: WebhookSender | None = None
        self._org_server: WebhookServer | None = None
        self._media: MediaPlane | None = None
        self._engines: list[EngineProcess] = []
        self._loop_watch = LoopWatch()
        self._admission = Admission(max_calls=settings.max_calls)

    def stop(self) -> None:
        """End the calls and `run`, in order; a start that is still under way is given up."""
        self._stopping.set()
        if self._starting is not None:
            self._starting.cancel()

    def health(self) -> dict[str, bool]:
        """Part → ready."""
        connected = self._ari is not None and self._ari.connected.is_set()
        return self._ready | {"ari": connected and self._ready["ari"]}

    def load(self) -> JsonObject:
        """How many calls there are and could be, what the media process tells of itself, how much log was lost."""
        media = self._media
        told = (
            {**media.health, "serverLag": dict(media.lag), "restarts": media.restarts} if media is not None else {}
        )
        return {
            "admission": self._admission.wire(),
            "media": told,
            "loop": self._loop_watch.wire(),
            "log": {"linesLost": lines_lost()},
        }

    def _measured(self) -> None:
        """A second is over for the media process."""
        assert self._media is not None
        health = self._media.health
        gaps = health["gaps"]
        load = Load(
            packets=gaps["packets"],
            over_40=gaps["over40"],
            over_50=gaps["over50"],
            media_busy=health["busy"],
            server_late_ms=self._media.lag["p50"],
            engine_queue=max((engine.queued for engine in self._engines), default=0),
        )
        self._admission.observe(load, now=time.monotonic())

    async def run(self) -> None:
        """Start, serve until `stop`, SIGTERM, SIGINT or SIGHUP, and leave nothing behind.

        Raises Fault, or an exception group that holds one (`fault.faults_in`).
        """
        loop = asyncio.get_running_loop()
        endings = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # `nohup` means it to outlive its terminal
            endings.append(signal.SIGHUP)
        for number in endings:
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGUSR1, _log_tasks)
        self._starting = serving = asyncio.create_task(self._start_and_serve(), name="serve")
        try:
            await asyncio.wait({serving})
            if not serving.cancelled() or not self._stopping.is_set():
                serving.result()
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            for number in (*endings, signal.SIGUSR1):
                loop.remove_signal_handler(number)

    async def _start_and_serve(self) -> None:
        async with AsyncExitStack() as stack:
            await self._bring_up(stack)
            self._starting = None  # from here on `stop` is waited for, not thrown
            await self._stopping.wait()
            log.info("stopping", calls=len(self._live))

    async def _bring_up(self, stack: AsyncExitStack) -> None:
        """Everything up to the line that says what to dial; `stack` takes it down again in reverse order."""
        settings = self._settings
        began = time.monotonic()
        await _start_threads()
        data = make_data_dir(settings.data_dir)
        try:
            stack.enter_context(locked_directory(data))
        except DirectoryInUse:
            raise Fault(
                f"another ari-assistant uses {data}",
                cure="stop it, or set ARI_ASSISTANT_DATA_DIR (and the ports) for this one",
            ) from None
        self._keep_private(data)
        self._check_ports()
        if settings.uses_running_asterisk:
            _ari_password(settings)
        if settings.bench is not None:
            log.warning(
                "BENCHMARK_MODE", mode=settings.bench, hint="nobody is answered: unset ARI_ASSISTANT_BENCH"
            )
        file = self._assistants_file()
        key = self._api_key(data)

        self._start = start = await stack.enter_async_context(_background())
        engines = self._start_engines(start)

        engine = open_database(settings.database)
        stack.push_async_callback(engine.dispose)
        calls = Calls(engine, org_id=ORG_ID, server_id=_server_id(data))
        catalogue = Catalogue(
            engine, org_id=ORG_ID, file_assistants=file.assistants, file_numbers=file.phone_numbers
        )
        context = ApiContext(
            engine=engine,
            catalogue=catalogue,
            calls=calls,
            keys=ApiKeys(engine),
            data_dir=data,
            public_url=settings.api_base,
            api_key=key,
            health=self.health,
            webhooks=lambda: self._webhooks.counters.wire() if self._webhooks is not None else {},
            load=self.load,
            place_call=self._live.place,
            call_event=self._call_event,
            numbers_changed=lambda: self._authenticator.changed() if self._authenticator is not None else None,
        )
        self._catalogue = catalogue
        await migrate(settings.database)
        await open_connections(engine)
        self._ready["database"] = True
        if abandoned := await calls.end_abandoned(reason=ABANDONED.reason):
            log.warning("calls_abandoned", count=abandoned, hint="the server was killed while they ran")
        await stack.enter_async_context(self._api(context))

        credentials = await self._start_asterisk(start, data)
        session = await stack.enter_async_context(aiohttp.ClientSession(trace_configs=[stays_at_its_origin()]))
        policy = self._url_policy(credentials)
        guarded = await stack.enter_async_context(guarded_session(policy))
        models = ModelChoice(
            chat_endpoint(settings),
            policy,
        )
        stack.push_async_callback(models.aclose)
        loading = start(models.load(), name="load-models")
        self._ari = AriClient(credentials, settings.ari_app, reconcile=self._reconcile)
        media_address = None if settings.uses_running_asterisk else callers_address(settings)
        self._authenticator = SipAuthenticator(self._ari, catalogue, media_address=media_address)
        start(self._authenticator.run(), name="sip-authentication")
        voice = CachedVoice(PiperVoice(engines["piper"]))
        choice = SpeechChoice(
            transcriber=self._local_transcriber(engines), voice=voice, vendors=session, servers=guarded
        )
        end_of_turn = SmartTurn(engines[_END_OF_TURN]) if _END_OF_TURN in engines else None
        hearing = VoiceActivity(self._detectors())
        self._media = media = MediaPlane(
            host=settings.media_host, heard=hearing, measured=self._measured, log=_process_log
        )
        self._engines = list(engines.values())
        start(media.run(), name="media")
        sockets = None
        if settings.media_transport == "websocket":
            sockets = MediaSockets(session, credentials.media_url, credentials.headers, hearing)
            stack.push_async_callback(sockets.aclose)
        services = self._services(catalogue, calls, guarded, models, choice, end_of_turn, media, hearing, sockets)
        self._live.serve(services)
        self._ari.on_event("StasisStart", self._live.stasis_started)
        await self._wait_for_engines(engines, voice, services.options.prompts)
        await self._wait_for_media(media)
        self._ready["media"] = True
        await loading
        start(self._stay_connected(self._ari), name="ari")
        if settings.uses_running_asterisk:
            self._progress(f"waiting for Asterisk at {settings.asterisk}", 0, 0)
        await self._ari.connected.wait()
        self._ready["ari"] = self._ready["asterisk"] = True
        stack.push_async_callback(self._drain)
        start(_warm(voice, catalogue), name="warm")
        # What is there now stays: a full collection would look at all of it again, and stop every call for 80 ms.
        gc.collect()
        gc.freeze()
        log.info("ready", seconds=round(time.monotonic() - began, 2))
        await stack.enter_async_context(self._loop_watch.watching())
        self._announce(await self._dial_line(catalogue, self._ari))

    # -- parts ----------------------------------------------------------------------------------------------

    def _keep_private(self, data: Path) -> None:
        """What an older version, or a careless umask, left open to others. Only what is ours: the data directory may be
        somebody's home."""
        names = ("api-key", "lock", "recordings", "logs", "files")  # Asterisk's part: `render_instance`
        failed = make_private([data], below=False) + make_private(data / name for name in names)
        if (database := sqlite_file(self._settings.database)) is not None:
            failed += make_private(
                database.with_name(database.name + end) for end in ("", "-wal", "-shm", "-journal")
            )
        if failed:
            log.warning(
                "files_open_to_others", files=len(failed), first=str(failed[0]), hint="chown, or chmod go="
            )

    def _check_ports(self) -> None:
        settings = self._settings
        reason = port_fault(settings.api_host, settings.api_port, socket.SOCK_STREAM)
        if reason is not None:
            raise Fault(
                f"the API cannot have TCP port {settings.api_port} on {settings.api_host}: {reason}",
                cure="stop the program that has it, or set ARI_ASSISTANT_API_PORT or ARI_ASSISTANT_API_HOST",
            )
        if settings.uses_running_asterisk:
            return
        for kind, name in ((socket.SOCK_DGRAM, "UDP"), (socket.SOCK_STREAM, "TCP")):
            reason = port_fault(settings.sip_host, settings.sip_port, kind)
            if reason is not None:
                raise Fault(
                    f"SIP cannot have {name} port {settings.sip_port} on {settings.sip_host}: {reason}",
                    cure="stop the program that has it (another Asterisk?), or set ARI_ASSISTANT_SIP_PORT"
                    " or ARI_ASSISTANT_SIP_HOST",
                )

    def _assistants_file(self) -> AssistantsFile:
        path = self._settings.assistants_file or shipped_assistants_file()
        if not path.is_file() and self._settings.assistants_file is None:
            return AssistantsFile()
        file = load_assistants_file(path, org_id=ORG_ID)
        log.info(
            "assistants_file", path=str(path), assistants=len(file.assistants), numbers=len(file.phone_numbers)
        )
        return file

    def _api_key(self, data: Path) -> str:
        if self._settings.api_key is not None:
            return self._settings.api_key.get_secret_value()
        path = data / "api-key"
        if path.is_file() and (key := path.read_text().strip()):
            return key
        key = secrets.token_urlsafe(32)
        path.touch(mode=0o600)
        path.write_text(key + "\n")
        self._announce(f"API key (kept in {path}): {key}")
        return key

    def _start_engines(self, start: Start) -> dict[str, EngineProcess]:
        engines = {}
        for name in (self._settings.transcriber, "piper"):
            module, extra = _PACKAGES[name]
            if find_spec(module) is None:
                raise Fault(
                    f"the package {module} is not installed",
                    cure=f"pip install 'ari-assistant[{extra}]', or run `make run`, which installs it",
                )
            engines[name] = EngineProcess(name, log=_process_log, environment=self._engine_environment())
            start(engines[name].run(), name=f"engine-{name}")
        if not self._settings.end_of_turn_model:
            return engines
        if model_path() is None or find_spec("onnxruntime") is None:
            log.warning(
                "end_of_turn_missing",
                instead="the words alone",
                hint="ari-assistant fetch-models brings the model",
            )
        else:
            engines[_END_OF_TURN] = EngineProcess(_END_OF_TURN, timeout_seconds=2.0, log=_process_log)
            start(engines[_END_OF_TURN].run(), name=f"engine-{_END_OF_TURN}")
        return engines

    def _engine_environment(self) -> dict[str, str]:
        model = self._settings.whisper_model
        return {"ARI_ASSISTANT_WHISPER_MODEL": str(model)} if model is not None else {}

    def _local_transcriber(
        self, engines: dict[str, EngineProcess]
    ) -> Callable[[WantedTranscriber | None], Transcriber]:
        """What an assistant wants of it: Moonshine knows English only, Whisper languages and keywords."""
        if self._settings.transcriber == "moonshine":
            moonshine = MoonshineTranscriber(engines["moonshine"])
            return lambda wanted: moonshine
        whisper = engines["faster-whisper"]

        def chosen(wanted: WantedTranscriber | None) -> Transcriber:
            if wanted is None:
                return FasterWhisperTranscriber(whisper)
            language = (wanted.language or "en").partition("-")[0].lower()
            return FasterWhisperTranscriber(
                whisper,
                language="en" if language == "multi" else language,
                keywords=tuple(word.partition(":")[0] for word in wanted.keywords or ()),
            )

        return chosen

    async def _wait_for_engines(
        self, engines: dict[str, EngineProcess], voice: CachedVoice, prompts: Prompts
    ) -> None:
        self._progress("loading the speech models", 0, 3)
        try:
            await engines[self._settings.transcriber].wait_ready()
            self._ready["transcriber"] = True
            self._progress("loading the speech models", 1, 3)
            await engines["piper"].wait_ready()
            self._progress("loading the speech models", 2, 3)
            for text in prompts.all():
                await voice.keep(text)
        except ProviderError as fault:
            raise Fault(
                str(fault), cure="run `ari-assistant doctor`, and with ARI_ASSISTANT_ENGINE_STDERR=1 for more"
            ) from fault
        self._ready["voice"] = True
        self._progress("loading the speech models", 3, 3)

    async def _wait_for_media(self, media: MediaPlane) -> None:
        try:
            await media.wait_ready()
        except MediaUnavailable as fault:
            raise Fault(
                str(fault), cure="set ARI_ASSISTANT_MEDIA_HOST to an address of this machine that Asterisk reaches"
            ) from fault

    async def _start_asterisk(self, start: Start, data: Path) -> AriCredentials:
        settings = self._settings
        if settings.uses_running_asterisk:
            return AriCredentials(settings.asterisk, settings.ari_username, _ari_password(settings))
        binary = await asyncio.to_thread(obtain, settings.asterisk, self._progress)
        self._progress("starting Asterisk", 0, 0)
        port = settings.ari_port or free_tcp_port()
        options = instance_options(settings, ari_port=port, ari_password=new_password())
        credentials = AriCredentials(f"http://127.0.0.1:{port}", options.ari_username, options.ari_password)
        conf = await asyncio.to_thread(render_instance, data / "asterisk", binary, options)
        process = AsteriskProcess(
            binary,
            conf,
            ping_url=f"{credentials.base}/asterisk/ping",
            authorization=aiohttp.encode_basic_auth(credentials.username, credentials.password),
        )
        try:
            await process.start()
        except BaseException:
            await process.stop()
            raise
        start(process.run(), name="asterisk")
        self._progress("starting Asterisk", 1, 1)
        return credentials

    def _services(
        self,
        catalogue: Catalogue,
        calls: Calls,
        guarded: aiohttp.ClientSession,
        models: ModelChoice,
        speech: SpeechChoice,
        end_of_turn: EndOfTurnModel | None,
        media: MediaPlane,
        hearing: VoiceActivity,
        sockets: MediaSockets | None,
    ) -> Services:
        settings = self._settings
        assert self._ari is not None
        addresses = [settings.external_address] if settings.external_address else []
        secret = settings.server_secret.get_secret_value() if settings.server_secret else None
        self._webhooks = WebhookSender(
            guarded,
            find_credential=partial(authentication_plan, catalogue),
            sign_by_default=settings.sign_webhooks,
        )
        self._org_server = WebhookServer(url=settings.server_url, secret=secret) if settings.server_url else None
        return Services(
            ari=self._ari,
            catalogue=catalogue,
            router=Router(
                catalogue, is_this_machine=ThisMachine(domains=settings.sip_domains, addresses=addresses)
            ),
            calls=calls,
            webhooks=self._webhooks,
            resolver=AssistantResolver(
                catalogue, provider_access(settings), self._webhooks, speech=speech, models=models
            ),
            end_of_turn=end_of_turn,
            media=media,
            sockets=sockets,
            hearing=hearing,
            admission=self._admission,
            options=CallOptions(
                org_id=ORG_ID,
                data_dir=settings.data_dir.resolve(),
                public_url=settings.api_base,
                org_server=self._org_server,
                assistant_request_seconds=settings.assistant_request_seconds,
                waits=Waits.around(settings.endpointing_seconds),
            ),
            background=self,
            session=_session(settings.bench),
        )

    def _url_policy(self, credentials: AriCredentials) -> UrlPolicy:
        ari_port = urlsplit(credentials.base).port
        own = {self._settings.api_port} | ({ari_port} if ari_port is not None else set())
        machine = ThisMachine(domains=[], addresses=[])
        return UrlPolicy(strict=self._settings.strict_urls, own_ports=lambda: own, is_this_machine=machine)

    @staticmethod
    async def _stay_connected(ari: AriClient) -> None:
        try:
            await ari.run()
        except AriReplaced as fault:
            raise Fault(str(fault), cure="give one of the two another name (ARI_ASSISTANT_ARI_APP)") from None
        except AriUnauthorized as fault:
            raise Fault(
                f"Asterisk refuses us: {fault}",
                cure="compare ARI_ASSISTANT_ARI_USERNAME and ARI_ASSISTANT_ARI_PASSWORD with a section of its"
                " ari.conf that is not read_only",
            ) from None
        except AriError as fault:
            raise Fault(
                f"Asterisk does not do what we need: {fault}",
                cure="take 20 or later, with the modules that asterisk-conf/modules.conf names",
            ) from None

    async def _reconcile(self) -> None:
        """After every connect to Asterisk: what it must know, what it should have forgotten."""
        if self._ari is not None and self._settings.uses_running_asterisk:
            fault = await dialplan_fault(self._ari.request)
            if fault is not None:
                log.warning("asterisk_not_prepared", url=self._settings.asterisk, fault=fault)
        if self._authenticator is not None:
            await self._authenticator.synchronise(afresh=True)
        await self._live.reconcile()

    async def _call_event(self, kind: str, call: JsonObject) -> None:
        """See `reports.erasure`."""
        if self._webhooks is None or self._catalogue is None:
            return
        outbox = await erasure_message(self._catalogue, self._webhooks, self._org_server, kind, call)
        if outbox is not None:
            self.spawn(outbox.run(), f"outbox-{call['id']}")

    def _detectors(self) -> SpeechDetectors:
        if self._settings.vad == "silero":
            try:
                network = SileroNetwork()
                return SharpEnds(SileroDetectors(network))
            except ProviderUnavailable as fault:
                log.warning("vad_fallback", reason=str(fault), instead="webrtc")
        return WebRtcDetectors()

    async def _dial_line(self, catalogue: Catalogue, ari: AriClient) -> str:
        settings = self._settings
        host = callers_address(settings)
        host = f"[{host}]" if ":" in host else host
        numbers = await catalogue.phone_numbers.list(Listing(limit=1000))
        if settings.uses_running_asterisk and not await is_configured_by_us(ari.request):
            known = phone_number_schema.validate_python(numbers[-1].document).uri.user if numbers else "NUMBER"
            reached = f"Stasis({settings.ari_app})"
            return f"Ready: dial {known} at the Asterisk of {settings.asterisk}, where its dialplan has {reached}"
        if not numbers:
            return f"Dial sip:NUMBER@{host}:{settings.sip_port} (there is no number yet: POST /phone-number)"
        user = phone_number_schema.validate_python(numbers[-1].document).uri.user
        return f"Dial sip:{user}@{host}:{settings.sip_port}"

    @asynccontextmanager
    async def _api(self, context: ApiContext) -> AsyncGenerator[None, None]:
        runner = web.AppRunner(build_app(context), access_log=None, shutdown_timeout=2.0)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, self._settings.api_host, self._settings.api_port).start()
            except OSError as fault:
                raise Fault(
                    f"the API cannot listen: {fault}", cure="set ARI_ASSISTANT_API_HOST and _API_PORT"
                ) from fault
            yield
        finally:
            await runner.cleanup()

    # -- tasks ----------------------------------------------------------------------------------------------

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        """Start a task that outlives a call. What it raises is logged, never fatal."""
        assert self._start is not None

        async def guarded() -> None:
            try:
                await work
            except Exception:
                log.exception("background_failed", task=name)

        task = self._start(guarded(), name=name)
        self._lasting.add(task)
        task.add_done_callback(self._lasting.discard)

    async def _drain(self) -> None:
        """End the calls, then give their last messages a while."""
        self._ready["ari"] = False
        await self._live.aclose()
        if self._lasting:
            _, pending = await asyncio.wait(self._lasting, timeout=_DRAIN_SECONDS)
            if pending:
                log.warning("messages_not_delivered", count=len(pending))


def _session(bench: str | None) -> type[Session]:
    """Who holds conversations: a benchmark's stand-in, if one is named."""
    if bench is None:
        return Session
    try:
        stand_ins = importlib.import_module("benchmarks.media.stand_ins")
    except ImportError:
        raise Fault(
            "ARI_ASSISTANT_BENCH works in a checkout of the project only", cure="unset it, or install with pip -e"
        ) from None
    session: type[Session] = stand_ins.SESSIONS[bench]
    return session


def _ari_password(settings: Settings) -> str:
    if settings.ari_password is None:
        raise Fault(
            "a running Asterisk needs credentials",
            cure="set ARI_ASSISTANT_ARI_USERNAME and ARI_ASSISTANT_ARI_PASSWORD (or _ARI_PASSWORD_FILE) as in its"
            " ari.conf",
        )
    return settings.ari_password.get_secret_value()


async def _warm(voice: CachedVoice, catalogue: Catalogue) -> None:
    """Have the first messages of the newest assistants ready before somebody calls."""
    assistants = []
    for resource in await catalogue.assistants.list(Listing(limit=_WARM_ASSISTANTS)):
        with suppress(ValidationError):
            assistants.append(Assistant.model_validate(resource.document))
    await warm(voice, assistants)


async def _start_threads() -> None:
    """Start the threads of `asyncio.to_thread`: who starts one waits until it runs, and that must not be a call."""
    threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="asyncio")
    asyncio.get_running_loop().set_default_executor(threads)
    together = threading.Barrier(_THREADS)
    await asyncio.gather(*(asyncio.to_thread(together.wait) for _ in range(_THREADS)))


def _server_id(data: Path) -> str:
    """Who we are to a database that several servers share; kept in the data directory, which is one server's alone."""
    path = data / "server-id"
    if path.is_file() and (known := path.read_text().strip()):
        return known
    new = str(uuid.uuid4())
    path.touch(mode=0o600)
    path.write_text(new + "\n")
    return new


Start = Callable[..., asyncio.Task[None]]
"""`start(coroutine, name=…)`: a task of the server's."""


@asynccontextmanager
async def _background() -> AsyncGenerator[Start, None]:
    """Tasks that run for as long as the block does; one that fails ends the block."""
    async with asyncio.TaskGroup() as group:
        tasks: set[asyncio.Task[None]] = set()

        def start(work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
            task = group.create_task(work, name=name)
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            return task

        try:
            yield start
        finally:
            for task in tasks:
                task.cancel()


def _log_tasks() -> None:
    """SIGUSR1: what every task waits for, for the operator of a server that seems stuck."""
    for task in asyncio.all_tasks():
        waits_at = []
        step: Any = task.get_coro()
        while step is not None and (frame := getattr(step, "cr_frame", None) or getattr(step, "ag_frame", None)):
            waits_at.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}")
            step = getattr(step, "cr_await", None) or getattr(step, "ag_await", None)
        log.info("task", name=task.get_name(), waits_at=waits_at)


def _process_log(event: str, **fields: Any) -> None:
    (log.info if event.endswith("_ready") else log.error)(event, **fields)

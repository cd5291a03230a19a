"""`/call`: placing calls, records, recordings and logs (§4, §6)."""

from __future__ import annotations

import asyncio
import io
import wave
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import web

from ari_assistant.api.context import CONTEXT, ApiContext
from ari_assistant.api.crud import existing, found_in, partial
from ari_assistant.api.endpoint import EndpointGroup, Query
from ari_assistant.api.errors import ApiFault, json_object
from ari_assistant.api.listing import LIST_QUERY, listed, listing
from ari_assistant.calls.outbound import CallRefused
from ari_assistant.store.repositories import Resource
from ari_assistant.vapi.base import JsonObject, iso_now
from ari_assistant.vapi.call import Call, CallPatch, CreateCall, DeleteCalls

__all__ = ["endpoints"]

endpoints = EndpointGroup("Call")
_WAV: JsonObject = {"type": "string", "format": "binary"}
_ID = {"type": "string"}
_MAX_CUSTOMERS = 100


async def _found(request: web.Request, call_id: str | None = None) -> Resource:
    return await found_in(
        request.app[CONTEXT].store.calls, "Call", request.match_info["id"] if call_id is None else call_id
    )


@endpoints.add("POST", "/call", body=CreateCall, answer={"type": "object"}, status=201, errors=(503,))
async def create(request: web.Request) -> web.StreamResponse:
    """Dial a customer."""
    context = request.app[CONTEXT]
    body = CreateCall.model_validate(await json_object(request))
    await _check_assistant(context, body)
    customers = body.customers if body.customers is not None else [body.customer] if body.customer else []
    if body.schedule_plan is not None:
        raise ApiFault(400, ["schedulePlan must be absent: this server dials at once"])
    if not customers:
        raise ApiFault(400, "Couldn't Get Customer. Need Either `customer`, `customers`, Or `customerId`.")
    if len(customers) > _MAX_CUSTOMERS:
        raise ApiFault(400, [f"customers must contain no more than {_MAX_CUSTOMERS} elements"])
    if body.customers is None:
        try:
            return web.json_response(await context.operations.place(body, customers[0]), status=201)
        except CallRefused as fault:
            raise ApiFault(400, str(fault)) from None
    results: list[JsonObject] = []
    errors: list[JsonObject] = []
    for customer in customers:
        try:
            results.append(await context.operations.place(body, customer))
        except CallRefused as fault:
            errors.append({"customer": customer.wire(), "error": str(fault)})
    return web.json_response({"results": results, "errors": errors}, status=201)


@endpoints.add("POST", "/call/phone", body=CreateCall, answer={"type": "object"}, status=201, errors=(503,))
async def create_phone(request: web.Request) -> web.StreamResponse:
    """The older name of `POST /call`."""
    return await create(request)


async def _check_assistant(context: ApiContext, body: CreateCall) -> None:
    if body.assistant is None and body.assistant_id is None and body.squad is None and body.squad_id is None:
        raise ApiFault(
            400, "Couldn't Get Assistant. Need Either `assistant`, `assistantId`, `squad`, Or `squadId`."
        )
    if body.assistant_id is not None and await context.store.catalogue.assistants.get(body.assistant_id) is None:
        raise ApiFault(400, f"Couldn't Get Assistant. `assistantId` {body.assistant_id} Does Not Exist.")
    if body.squad_id is not None and await context.store.catalogue.squads.get(body.squad_id) is None:
        raise ApiFault(400, f"Couldn't Get Squad. `squadId` {body.squad_id} Does Not Exist.")
    if body.phone_number_id is None:
        raise ApiFault(400, "Couldn't Get Phone Number. Need Either `phoneNumberId` Or `phoneNumber`.")
    if await context.store.catalogue.phone_numbers.get(body.phone_number_id) is None:
        raise ApiFault(400, f"Couldn't Get Phone Number. `phoneNumberId` {body.phone_number_id} Does Not Exist.")


@endpoints.add(
    "GET",
    "/call",
    query=(Query("id", _ID), Query("assistantId", _ID), Query("phoneNumberId", _ID), *LIST_QUERY),
    answer={"type": "array", "items": {"type": "object"}},
    errors=(400,),
)
async def list_all(request: web.Request) -> web.StreamResponse:
    """List, newest first."""
    filters = listing(request, {"id": "id", "assistantId": "assistant_id", "phoneNumberId": "phone_number_id"})
    return await listed(request, request.app[CONTEXT].store.calls.json_pages(filters))


@endpoints.add("GET", "/call/{id}", answer=Call, errors=(404,))
async def get(request: web.Request) -> web.Response:
    """Get a call, with its artifact once it has ended."""
    return web.json_response((await _found(request)).document)


@endpoints.add("PATCH", "/call/{id}", body=partial("CallPatch", CallPatch), answer=Call, errors=(404,))
async def update(request: web.Request) -> web.Response:
    """Give a call a name."""
    patch = CallPatch.model_validate(await json_object(request))

    async def change(document: JsonObject) -> JsonObject:
        return document | patch.wire() | {"updatedAt": iso_now()}

    calls = request.app[CONTEXT].store.calls
    call = await existing(calls, "Call", request.match_info["id"], lambda own, id_: own.change(id_, change))
    return web.json_response(call.document)


@endpoints.add("DELETE", "/call/{id}", body=DeleteCalls, body_required=False, answer=Call, errors=(404,))
async def delete(request: web.Request) -> web.Response:
    """Erase the data of ended calls, the recordings too, and return the call as it was."""
    body = await json_object(request) if request.can_read_body else {}
    further = dict.fromkeys(DeleteCalls.model_validate(body).ids or [])
    call = await _found(request)
    calls = [call, *[await _found(request, other) for other in further if other != call.id]]
    for one in calls:
        if one.document["status"] != "ended":
            raise ApiFault(400, f"Call {one.id} has not ended.")
    context = request.app[CONTEXT]
    for one in calls:
        try:
            for path in (context.data.recording(one.id), context.data.log(one.id)):
                await asyncio.to_thread(path.unlink, missing_ok=True)
        except OSError as fault:
            await context.operations.call_event("call.delete.failed", one.document)
            raise ApiFault(503, f"Call {one.id}: its artifacts could not be erased: {fault.strerror}") from fault
        await existing(context.store.calls, "Call", one.id, lambda own, id_: own.delete(id_))
        await context.operations.call_event("call.deleted", one.document)
    return web.json_response(call.document)


async def _recording(request: web.Request) -> Path:
    call = await _found(request)
    path = request.app[CONTEXT].data.recording(call.id)
    if not await asyncio.to_thread(path.is_file):
        raise ApiFault(404, f"Call {call.id} has no recording.")
    return path


@endpoints.add("GET", "/call/{id}/stereo-recording", answer=_WAV, answer_type="audio/wav", errors=(404,))
async def stereo(request: web.Request) -> web.StreamResponse:
    """WAV, 8 kHz (16 kHz with G.722), 16 bit: caller left, assistant right."""
    return web.FileResponse(await _recording(request), headers={"Content-Type": "audio/wav"})


def _add_mono(path: str, side: int | None, summary: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        source = await _recording(request)
        return web.Response(body=await asyncio.to_thread(_mono, source, side), content_type="audio/wav")

    endpoints.add(
        "GET", f"/call/{{id}}/{path}", answer=_WAV, answer_type="audio/wav", errors=(404,), summary=summary
    )(handler)


_add_mono("mono-recording", None, "WAV, 8 kHz (16 kHz with G.722), 16 bit: both sides mixed")
_add_mono("customer-recording", 0, "WAV, 8 kHz (16 kHz with G.722), 16 bit: the caller alone")
_add_mono("assistant-recording", 1, "WAV, 8 kHz (16 kHz with G.722), 16 bit: the assistant alone")


@endpoints.add(
    "GET", "/call/{id}/call-logs", answer={"type": "string"}, answer_type="application/x-ndjson", errors=(404,)
)
async def logs(request: web.Request) -> web.StreamResponse:
    """What the server logged about the call, a JSON object a line."""
    call = await _found(request)
    path = request.app[CONTEXT].data.log(call.id)
    if not await asyncio.to_thread(path.is_file):
        raise ApiFault(404, f"Call {call.id} has no log.")
    return web.FileResponse(path, headers={"Content-Type": "application/x-ndjson"})


def _add_absent(path: str, what: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        call = await _found(request)
        raise ApiFault(404, f"Call {call.id} has no {what}.")

    answer: dict[str, Any] = {"type": "string", "format": "binary"}
    endpoints.add(
        "GET",
        f"/call/{{id}}/{path}",
        answer=answer,
        answer_type="application/octet-stream",
        errors=(404,),
        summary=f"There is never a {what}: 404",
    )(handler)


_add_absent("pcap", "packet capture")
_add_absent("video-recording", "video recording")


def _mono(path: Path, side: int | None) -> bytes:
    """The WAV file of one side (0 caller, 1 assistant), or of both mixed."""
    with wave.open(str(path), "rb") as source:
        rate = source.getframerate()
        sides = np.frombuffer(source.readframes(source.getnframes()), "<i2").reshape(-1, 2)
    if side is None:
        samples = np.clip(sides.astype(np.int32).sum(axis=1), -32768, 32767).astype("<i2")
    else:
        samples = np.ascontiguousarray(sides[:, side])
    sink = io.BytesIO()
    with wave.open(sink, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(rate)
        target.writeframes(samples.tobytes())
    return sink.getvalue()

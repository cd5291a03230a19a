"""`/file` (§6): uploads, kept in the data directory."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict

from ari_assistant.api.context import CONTEXT
from ari_assistant.api.crud import Act, existing, found_in, stored
from ari_assistant.api.endpoint import EndpointGroup, Query
from ari_assistant.api.errors import ApiFault, json_object, not_found
from ari_assistant.api.listing import LIST_QUERY, listed, listing, wired
from ari_assistant.private_files import create_private
from ari_assistant.store.repositories import Resource
from ari_assistant.vapi.base import JsonObject, new_id
from ari_assistant.vapi.file import File, FilePatch
from ari_assistant.vapi.json_text import read_json

__all__ = ["endpoints"]

endpoints = EndpointGroup("File")
_MAX_BYTES = 50 << 20
_MAX_METADATA = 4_096
_ANSWER = stored("StoredFile", File)
_UPLOAD: JsonObject = {
    "type": "object",
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "purpose": {"type": "string"},
        "metadata": {"type": "string", "maxLength": _MAX_METADATA},
    },
    "required": ["file"],
}
_MIMETYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,60}", re.ASCII)


async def _found(request: web.Request) -> Resource:
    return await found_in(request.app[CONTEXT].store.catalogue.files, "File", request.match_info["id"])


async def _existing(request: web.Request, act: Act) -> Resource:
    return await existing(request.app[CONTEXT].store.catalogue.files, "File", request.match_info["id"], act)


@endpoints.add("POST", "/file", body=_UPLOAD, body_type="multipart/form-data", answer=_ANSWER, status=201)
async def upload(request: web.Request) -> web.Response:
    """Upload a file: multipart, the part's name is `file`."""
    context = request.app[CONTEXT]
    if not request.content_type.startswith("multipart/"):
        raise ApiFault(400, ["file must be sent as multipart/form-data"])
    file_id = new_id()
    path = context.data.file(file_id)
    document: JsonObject | None = None
    fields: dict[str, str] = {}
    try:
        async for part in await _parts(request):
            if not isinstance(part, BodyPartReader):
                continue
            if part.name == "file" and document is None:
                size = await _receive(part, path)
                name = _printable(part.filename or "file")
                kind = part.headers.get("Content-Type", "").partition(";")[0].strip()
                document = {
                    "object": "file",
                    "status": "done",
                    "name": name[-40:],
                    "originalName": name,
                    "bytes": size,
                    "mimetype": kind if _MIMETYPE.fullmatch(kind) else "application/octet-stream",
                    "url": f"{context.public_url}/file/{file_id}/content",
                }
            elif part.name in ("purpose", "metadata"):
                raw = bytes(await part.read_chunk(_MAX_METADATA + 1))
                if len(raw) > _MAX_METADATA:
                    raise ApiFault(
                        400, [f"{part.name} must be shorter than or equal to {_MAX_METADATA} characters"]
                    )
                fields[part.name] = _printable(raw.decode("utf-8", "replace"))
        if document is None:
            raise ApiFault(400, ["file should not be null or undefined"])
        document |= _further(fields)
    except ApiFault:
        await asyncio.to_thread(path.unlink, missing_ok=True)
        raise
    except (ValueError, web.HTTPException, AssertionError, HttpProcessingError) as fault:
        await asyncio.to_thread(path.unlink, missing_ok=True)
        raise ApiFault(400, f"the body is not multipart/form-data: {fault}") from None
    except BaseException:  # the client went away
        await asyncio.shield(asyncio.to_thread(path.unlink, missing_ok=True))
        raise
    resource = await context.store.catalogue.files.create(file_id, document)
    return web.json_response(resource.wire(), status=201)


class _FromFirstLine:
    """A stream whose first line has been read already, and is read once more."""

    def __init__(self, line: bytes, stream: Any) -> None:
        self._line = line
        self._stream = stream

    async def readline(self, **options: Any) -> bytes:
        line, self._line = self._line, b""
        return line or bytes(await self._stream.readline(**options))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


async def _parts(request: web.Request) -> MultipartReader:
    """The parts of the body. Vapi's Python SDK 0.8.1 names no boundary in its header: then it is the first line."""
    if "boundary=" in request.headers.get("Content-Type", ""):
        return await request.multipart()
    line = await request.content.readline()
    boundary = line.strip().removeprefix(b"--").decode("ascii", "replace")
    if not line.startswith(b"--") or not re.fullmatch(r"[\w'()+,./:=?-]{1,70}", boundary, re.ASCII):
        raise ApiFault(400, "the body is not multipart/form-data: it has no boundary")
    header = {"Content-Type": f'multipart/form-data; boundary="{boundary}"'}
    stream: Any = _FromFirstLine(line, request.content)
    return MultipartReader(CIMultiDict(header), stream)


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())


def _further(fields: dict[str, str]) -> JsonObject:
    found: JsonObject = {}
    if "purpose" in fields:
        found["purpose"] = fields["purpose"]
    if "metadata" in fields:
        try:
            metadata = read_json(fields["metadata"])
        except ValueError:
            metadata = None
        if not isinstance(metadata, dict):
            raise ApiFault(400, ["metadata must be a JSON object"])
        found["metadata"] = metadata
    return found


async def _receive(part: BodyPartReader, path: Path) -> int:
    size = 0
    with await asyncio.to_thread(create_private, path) as sink:
        while chunk := await part.read_chunk(1 << 16):
            size += len(chunk)
            if size > _MAX_BYTES:
                raise ApiFault(413, f"a file may have {_MAX_BYTES} bytes")
            await asyncio.to_thread(sink.write, chunk)
    return size


@endpoints.add(
    "GET",
    "/file",
    query=(Query("purpose", {"type": "string"}), *LIST_QUERY),
    answer={"type": "array", "items": {"type": "object"}},
    errors=(400,),
)
async def list_all(request: web.Request) -> web.StreamResponse:
    """List, newest first."""
    wanted = listing(request, in_document={"purpose"})
    return await listed(request, wired(request.app[CONTEXT].store.catalogue.files.pages(wanted), Resource.wire))


@endpoints.add("GET", "/file/{id}", answer=_ANSWER, errors=(404,))
async def get(request: web.Request) -> web.Response:
    """Get a file's description."""
    return web.json_response((await _found(request)).wire())


@endpoints.add("GET", "/file/{id}/content", answer={"type": "string", "format": "binary"},
               answer_type="application/octet-stream", errors=(404,))  # fmt: skip
async def content(request: web.Request) -> web.StreamResponse:
    """Get a file's bytes."""
    file = await _found(request)
    path = request.app[CONTEXT].data.file(file.id)
    if not await asyncio.to_thread(path.is_file):
        raise not_found("File", file.id)
    # Never as what it says it is: a browser must not run an uploaded page.
    headers = {"Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff"}
    return web.FileResponse(path, headers=headers)


@endpoints.add("PATCH", "/file/{id}", body=FilePatch, answer=_ANSWER, errors=(404,))
async def update(request: web.Request) -> web.Response:
    """Rename a file."""
    patch = FilePatch.model_validate(await json_object(request))

    async def change(document: JsonObject) -> JsonObject:
        return document | ({"name": patch.name} if patch.name is not None else {})

    return web.json_response((await _existing(request, lambda files, id_: files.change(id_, change))).wire())


@endpoints.add("DELETE", "/file/{id}", answer=_ANSWER, errors=(404,))
async def delete(request: web.Request) -> web.Response:
    """Delete a file and return what it was."""
    file = await _found(request)
    await asyncio.to_thread(request.app[CONTEXT].data.file(file.id).unlink, missing_ok=True)
    return web.json_response((await _existing(request, lambda files, id_: files.delete(id_))).wire())

"""Every error leaves in the contract's shape (§1.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from pydantic import ValidationError

from ari_assistant.store.catalogue import FromFile
from ari_assistant.store.repositories import SipUriTaken
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.error import error_body, validation_messages
from ari_assistant.vapi.json_text import MAX_DOCUMENT_BYTES, read_json

__all__ = ["ApiFault", "Handler", "error_middleware", "json_object", "not_found"]

log = get_logger("api")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiFault(Exception):
    """Answer with this status and message."""

    def __init__(self, status: int, message: str | Sequence[str]) -> None:
        super().__init__(str(message))
        self.status = status
        self.message = message


def not_found(kind: str, resource_id: str) -> ApiFault:
    """The 404 of a resource."""
    return ApiFault(404, f"{kind} {resource_id} does not exist.")


def _response(status: int, message: str | Sequence[str]) -> web.Response:
    return web.json_response(error_body(status, message), status=status)


@web.middleware
async def error_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn exceptions into error bodies; what was not foreseen is logged and answered with a bare 500."""
    try:
        return await handler(request)
    except ApiFault as fault:
        return _response(fault.status, fault.message)
    except ValidationError as fault:
        return _response(400, validation_messages(fault))
    except (SipUriTaken, FromFile) as fault:
        return _response(400, str(fault))
    except web.HTTPNotFound:
        return _response(404, f"Cannot {request.method} {request.path}")
    except web.HTTPMethodNotAllowed:
        return _response(404, f"Cannot {request.method} {request.path}")
    except web.HTTPRequestEntityTooLarge:
        return _response(413, f"request entity too large: a document has at most {MAX_DOCUMENT_BYTES} bytes")
    except web.HTTPException:
        raise
    except Exception:
        log.exception("api_failed", method=request.method, path=request.path)
        return _response(500, "Internal Server Error")


async def json_object(request: web.Request) -> JsonObject:
    """The request's JSON object. Raises ApiFault (400) when it is none, or cannot be stored."""
    try:
        body = read_json(await request.read())
    except ValueError as fault:
        raise ApiFault(400, f"the body is not JSON that can be taken: {fault}") from None
    if not isinstance(body, dict):
        raise ApiFault(400, ["body must be an object"])
    return body

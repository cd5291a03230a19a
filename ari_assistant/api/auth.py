"""`Authorization: Bearer <private key>` on every request but `/health`."""

from __future__ import annotations

import secrets

from aiohttp import web

from ari_assistant.api.context import CONTEXT
from ari_assistant.api.errors import ApiFault, Handler
from ari_assistant.vapi.error import INVALID_KEY

__all__ = ["auth_middleware"]

_OPEN_PATHS = frozenset({"/health"})


@web.middleware
async def auth_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let only the holder of the key in."""
    if request.path not in _OPEN_PATHS:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        expected = request.app[CONTEXT].api_key.encode()
        if scheme.lower() != "bearer" or not secrets.compare_digest(key.strip().encode(), expected):
            raise ApiFault(401, INVALID_KEY)
    return await handler(request)

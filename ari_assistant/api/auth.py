"""`Authorization: Bearer <private key>` on every request but those of open endpoints."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Collection

from aiohttp import web
from aiohttp.typedefs import Middleware

from ari_assistant.api.context import CONTEXT, ApiContext
from ari_assistant.api.errors import ApiFault, Handler
from ari_assistant.store.api_keys import KeyKind
from ari_assistant.vapi.error import INVALID_KEY

__all__ = ["auth_middleware"]

_REMEMBERED_SECONDS = 1.0
"""So long after its revocation a key may still be good: a look into the database for each request costs more
than the request."""
_REMEMBERED = 1_000


def auth_middleware(open_paths: Collection[str]) -> Middleware:
    """Let only the holders of a private key in. A public key is for browsers and opens nothing here yet."""
    keys = _Keys()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in open_paths:
            scheme, _, key = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not await keys.is_good(request.app[CONTEXT], key.strip(), "private"):
                raise ApiFault(401, INVALID_KEY)
        return await handler(request)

    return check


class _Keys:
    def __init__(self) -> None:
        self._kinds: OrderedDict[str, tuple[float, str | None]] = OrderedDict()

    async def is_good(self, context: ApiContext, key: str, kind: KeyKind) -> bool:
        operators = secrets.compare_digest(key.encode("utf-8", "surrogateescape"), context.api_key.encode())
        return operators or await self._kind(context, key) == kind

    async def _kind(self, context: ApiContext, key: str) -> str | None:
        now = asyncio.get_running_loop().time()
        known = self._kinds.get(key)
        if known is not None and now - known[0] < _REMEMBERED_SECONDS:
            return known[1]
        found = await context.store.keys.find(key) if key else None
        self._kinds[key] = (now, found.kind if found is not None else None)
        self._kinds.move_to_end(key)
        while len(self._kinds) > _REMEMBERED:
            self._kinds.popitem(last=False)
        return self._kinds[key][1]

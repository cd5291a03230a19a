"""`GET /health`: 200 when every part has come up and ARI is connected, else 503."""

from __future__ import annotations

from aiohttp import web

from ari_assistant.api.context import CONTEXT
from ari_assistant.api.endpoint import EndpointGroup

__all__ = ["endpoints"]

endpoints = EndpointGroup("Health")


@endpoints.add("GET", "/health", access="open", answer={"type": "object"}, errors=(503,))
async def get(request: web.Request) -> web.Response:
    """Which parts are ready, how many calls there are and could be, and how the media process is doing."""
    health = request.app[CONTEXT].health
    parts = health.parts()
    ready = all(parts.values())
    body = {"status": "ok" if ready else "starting", "parts": parts, **health.wire()}
    return web.json_response(body, status=200 if ready else 503)

"""The aiohttp application."""

from __future__ import annotations

from aiohttp import web

from ari_assistant.api import assistants, calls, health, phone_numbers
from ari_assistant.api.auth import auth_middleware
from ari_assistant.api.context import CONTEXT, ApiContext
from ari_assistant.api.errors import error_middleware

__all__ = ["build_app"]

_MAX_BODY_BYTES = 4 << 20


def build_app(context: ApiContext) -> web.Application:
    """All routes, behind the error and the auth middleware."""
    app = web.Application(middlewares=[error_middleware, auth_middleware], client_max_size=_MAX_BODY_BYTES)
    app[CONTEXT] = context
    for module in (health, assistants, phone_numbers, calls):
        app.add_routes(module.routes)
    return app

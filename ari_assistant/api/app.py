"""The aiohttp application."""

from __future__ import annotations

from aiohttp import web

from ari_assistant.api import (
    analytics,
    assistants,
    calls,
    credentials,
    evals,
    files,
    health,
    phone_numbers,
    squads,
    structured_outputs,
    tools,
)
from ari_assistant.api.auth import auth_middleware
from ari_assistant.api.context import CONTEXT, ApiContext
from ari_assistant.api.endpoint import EndpointGroup, add_routes
from ari_assistant.api.errors import error_middleware
from ari_assistant.api.openapi import documentation_endpoints
from ari_assistant.vapi.json_text import MAX_DOCUMENT_BYTES

__all__ = ["ENDPOINTS", "build_app"]

ENDPOINTS: tuple[EndpointGroup, ...] = (
    assistants.endpoints,
    phone_numbers.endpoints,
    calls.endpoints,
    tools.endpoints,
    squads.endpoints,
    files.endpoints,
    structured_outputs.endpoints,
    credentials.endpoints,
    analytics.endpoints,
    evals.endpoints,
    health.endpoints,
)
"""Everything that the API has, in the order of its documentation."""


def build_app(context: ApiContext) -> web.Application:
    """All routes, behind the error and the auth middleware."""
    groups = (*ENDPOINTS, documentation_endpoints(ENDPOINTS))
    open_paths = {e.path for group in groups for e in group.items if e.access == "open"}
    middlewares = [error_middleware, auth_middleware(open_paths)]
    app = web.Application(middlewares=middlewares, client_max_size=MAX_DOCUMENT_BYTES)
    app[CONTEXT] = context
    add_routes(app, groups)
    return app

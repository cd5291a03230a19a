"""Where a redirect may take a request that carries a secret, a signature or what was said in a call.

Only within the address that was configured: same scheme, host and port (an origin, RFC 6454), or from plain HTTP to
HTTPS of the same host, both at their own ports. Elsewhere nothing goes, neither the headers nor the body: the one who
set the address is told of the other one instead. A download carries nothing of ours, and may be sent anywhere.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import aiohttp
from yarl import URL

__all__ = ["ROAMING", "RedirectRefused", "followed", "stays_at_its_origin"]

ROAMING = object()
"""`trace_request_ctx` of a request that carries nothing of ours."""


class RedirectRefused(OSError):
    """A redirect leads away from the configured address."""


def followed(url: str | URL, location: str) -> URL:
    """Where `url` leads by the Location header of its answer. Raises RedirectRefused."""
    here = URL(url)
    try:
        there = here.join(URL(location))
        before, after = _origin(here), _origin(there)
        stays = before == after or (before, after) == (("http", here.host, 80), ("https", here.host, 443))
    except ValueError:
        stays = False
    if not stays:
        raise RedirectRefused(
            f"it redirects to {location[:200]}, and secrets and messages only go to the configured address:"
            " configure that one"
        )
    return there


def _origin(url: URL) -> tuple[str, str | None, int | None]:
    return url.scheme, url.host, url.port


async def _check(_: aiohttp.ClientSession, context: SimpleNamespace, params: Any) -> None:
    if context.trace_request_ctx is ROAMING:
        return
    try:
        followed(params.url, params.response.headers.get("Location", ""))
    except RedirectRefused:
        params.response.close()
        raise


def stays_at_its_origin() -> aiohttp.TraceConfig:
    """For a client session: every redirect of its requests, a websocket's handshake among them, is checked."""
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_check)
    return trace

"""The `Server` object: where webhooks go (§7.1), and its older spelling `serverUrl`/`serverUrlSecret`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ari_assistant.vapi.base import Contract, JsonObject
from ari_assistant.vapi.secret import Secret, SecretHeaders

__all__ = ["BackoffPlan", "Server", "ServerFailed", "first_server", "normalise_server"]


class ServerFailed(Exception):
    """A server of the user's could not be asked, or has not answered as it should; the text says what was wrong."""


class BackoffPlan(Contract):
    """How a webhook is tried again (§7.1). Absent: it is not."""

    type: Literal["fixed", "exponential"] = "fixed"
    max_retries: Annotated[int, Field(ge=0, le=10)] = 0
    base_delay_seconds: Annotated[float, Field(ge=0, le=10)] = 1
    excluded_status_codes: list[int | JsonObject] | None = None


class Server(Contract):
    """A webhook receiver. `secret` travels as `X-Vapi-Secret`; `timeoutSeconds` is in seconds, 20 by default."""

    url: str | None = None
    secret: Secret | None = None
    timeout_seconds: Annotated[float, Field(ge=1, le=300)] | None = None
    headers: SecretHeaders | None = None
    credential_id: str | None = None
    backoff_plan: BackoffPlan | None = None
    static_ip_addresses_enabled: bool | None = None
    encrypted_paths: list[str] | None = None


def first_server(*candidates: Server | None) -> Server | None:
    """Which one server gets a message (§7.1): the first that has a URL, in the order given, or None."""
    return next((server for server in candidates if server is not None and server.url), None)


def normalise_server(document: JsonObject) -> JsonObject:
    """Fold `serverUrl` and `serverUrlSecret` into `server`, and echo both forms (§3.1).

    Takes and returns the document of an assistant or a phone number; the argument is left alone. Where only
    one form was given the other follows it; where both were, the older form wins, since only programs that
    know nothing of `server` send it. An explicit null clears.
    """
    result = dict(document)
    if "serverUrl" in result or "serverUrlSecret" in result:
        server = dict(result.get("server") or {})
        for old, new in (("serverUrl", "url"), ("serverUrlSecret", "secret")):
            if old in result:
                if result[old] is None:
                    server.pop(new, None)
                else:
                    server[new] = result[old]
        result["server"] = server or None
    server = result.get("server") or {}
    if "server" in result:
        result["serverUrl"] = server.get("url")
        if server.get("secret") is not None or "serverUrlSecret" in result:
            result["serverUrlSecret"] = server.get("secret")
    return result

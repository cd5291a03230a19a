"""One webhook request, with its time limit and its size limit."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp

from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.server import Server

__all__ = ["ANSWER_LIMIT_BYTES", "WebhookFailed", "WebhookRejected", "WebhookSender", "WebhookUnreadable"]

ANSWER_LIMIT_BYTES = 1 << 20
"""An answer longer than this is not read."""


class WebhookFailed(Exception):
    """No answer: time-out or connection error. Base of the other two."""


class WebhookRejected(WebhookFailed):
    """An answer that is not 2xx. `status` is its HTTP status."""

    def __init__(self, text: str, *, status: int) -> None:
        super().__init__(text)
        self.status = status


class WebhookUnreadable(WebhookFailed):
    """A 2xx answer that is no JSON object, or is too long."""


class WebhookSender:
    """Posts server messages. The owner closes the session that it gives."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def post(
        self, server: Server, message: JsonObject, *, call_id: str, timeout_seconds: float | None = None
    ) -> JsonObject:
        """Send one message and return the answer's JSON object (empty for an empty body).

        `timeout_seconds` covers everything from the connect to the last byte; None takes the server's own
        (`timeoutSeconds`, 20). Raises WebhookFailed, WebhookRejected, WebhookUnreadable.
        """
        status, body = await self._send(server, message, call_id, timeout_seconds)
        if not 200 <= status < 300:
            raise WebhookRejected(f"{server.url} answered {status}", status=status)
        if not body.strip():
            return {}
        try:
            answer: Any = json.loads(body)
        except ValueError:
            raise WebhookUnreadable(f"{server.url} answered {status} with a body that is not JSON") from None
        if not isinstance(answer, dict):
            raise WebhookUnreadable(f"{server.url} answered {status} with JSON that is not an object")
        return answer

    async def deliver(self, server: Server, message: JsonObject, *, call_id: str) -> None:
        """Send a message whose answer does not matter, trying again as `backoffPlan` says.

        Raises WebhookFailed or WebhookRejected after the last try.
        """
        plan = server.backoff_plan
        tries = 1 + (plan.max_retries if plan is not None else 0)
        for attempt in range(tries):
            try:
                status, _ = await self._send(server, message, call_id, None)
                if 200 <= status < 300:
                    return
                fault: WebhookFailed = WebhookRejected(f"{server.url} answered {status}", status=status)
            except WebhookFailed as failed:
                fault = failed
            excluded = plan.excluded_status_codes or () if plan is not None else ()
            if plan is None or attempt + 1 == tries or getattr(fault, "status", None) in excluded:
                raise fault
            factor = 2**attempt if plan.type == "exponential" else 1
            await asyncio.sleep(plan.base_delay_seconds * factor)

    async def _send(
        self, server: Server, message: JsonObject, call_id: str, timeout_seconds: float | None
    ) -> tuple[int, bytes]:
        limit = timeout_seconds if timeout_seconds is not None else (server.timeout_seconds or 20)
        headers = {"X-Call-Id": call_id}
        if server.secret:
            headers["X-Vapi-Secret"] = server.secret
        headers |= server.headers or {}
        try:
            async with (
                asyncio.timeout(limit),
                self._session.post(
                    server.url or "", json=message, headers=headers, allow_redirects=False
                ) as response,
            ):
                body = b""
                async for chunk in response.content.iter_chunked(1 << 16):
                    body += chunk
                    if len(body) > ANSWER_LIMIT_BYTES:
                        raise WebhookUnreadable(f"{server.url} answered more than {ANSWER_LIMIT_BYTES} bytes")
                return response.status, body
        except TimeoutError:
            raise WebhookFailed(f"{server.url} gave no answer within {limit:g} seconds") from None
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            raise WebhookFailed(f"{server.url} cannot be reached: {fault}") from fault

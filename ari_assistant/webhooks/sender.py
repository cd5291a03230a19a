"""Requests to servers of the user's: who we say we are, time limit, size limit, redirects, retries."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass

import aiohttp

from ari_assistant.vapi.base import JsonObject, new_id
from ari_assistant.vapi.credential import AuthenticationPlan, BearerPlan, HmacPlan, OAuth2Plan
from ari_assistant.vapi.json_text import MAX_DOCUMENT_BYTES, read_json
from ari_assistant.vapi.secret import without_user_info
from ari_assistant.vapi.server import Server, ServerFailed
from ari_assistant.webhooks.redirects import ROAMING, followed
from ari_assistant.webhooks.signing import SigningFault, bearer_headers, default_signature, hmac_headers

__all__ = [
    "ANSWER_LIMIT_BYTES",
    "WebhookCounters",
    "WebhookFailed",
    "WebhookRejected",
    "WebhookSender",
    "WebhookUnreadable",
]

ANSWER_LIMIT_BYTES = MAX_DOCUMENT_BYTES
"""An answer longer than this is not read."""
_MAX_REDIRECTS = 3
_REDIRECTS = (307, 308)
"""The ones that keep method and body (RFC 9110 §15.4); another 3xx is an answer that is not 2xx."""
_OAUTH2_SECONDS = 10.0

FindCredential = Callable[[str], Awaitable[AuthenticationPlan | None]]


class WebhookFailed(ServerFailed):
    """No answer: time-out or connection error. Base of the other two."""


class WebhookRejected(WebhookFailed):
    """An answer that is not 2xx. `status` is its HTTP status."""

    def __init__(self, text: str, *, status: int) -> None:
        super().__init__(text)
        self.status = status


class WebhookUnreadable(WebhookFailed):
    """A 2xx answer that is no JSON object, or is too long."""


@dataclass(slots=True)
class WebhookCounters:
    """What became of the messages since the start."""

    delivered: int = 0
    failed: int = 0
    """Given up after the last try."""
    retried: int = 0
    dropped: int = 0
    """Never sent, because too many waited for a slow receiver, or they had waited too long."""
    waiting: int = 0

    def wire(self) -> JsonObject:
        """As JSON."""
        return asdict(self)


async def _no_credentials(_: str) -> None:
    return None


class WebhookSender:
    """Posts server messages. The owner closes the session that it gives, which guards where it connects to."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        find_credential: FindCredential = _no_credentials,
        sign_by_default: bool = True,
    ) -> None:
        """`find_credential(id)` gives a credential's plan. `sign_by_default`: a message to a server with a secret
        is also signed with it."""
        self._session = session
        self._find_credential = find_credential
        self._sign_by_default = sign_by_default
        self._tokens: dict[tuple[str, str, str], tuple[float, str]] = {}
        self.counters = WebhookCounters()

    async def post(
        self, server: Server, message: JsonObject, *, call_id: str, timeout_seconds: float | None = None
    ) -> JsonObject:
        """Send one message and return the answer's JSON object (empty for an empty body).

        `timeout_seconds` covers everything from the connect to the last byte; None takes the server's own
        (`timeoutSeconds`, 20). Raises WebhookFailed, WebhookRejected, WebhookUnreadable.
        """
        status, body = await self._exchange(server, message, call_id, timeout_seconds)
        if not 200 <= status < 300:
            raise WebhookRejected(f"{_name(server)} answered {status}", status=status)
        if not body.strip():
            return {}
        try:
            answer = read_json(body)
        except ValueError as fault:
            raise WebhookUnreadable(
                f"{_name(server)} answered {status} with a body that is not JSON that can be taken: {fault}"
            ) from None
        if not isinstance(answer, dict):
            raise WebhookUnreadable(f"{_name(server)} answered {status} with JSON that is not an object")
        return answer

    async def ask(self, server: Server, message: JsonObject, *, call_id: str) -> JsonObject:
        """`post`, trying again as the server's `backoffPlan` says."""
        return await self._with_retries(server, lambda: self.post(server, message, call_id=call_id))

    async def deliver(self, server: Server, message: JsonObject, *, call_id: str) -> None:
        """Send a message whose answer does not matter, trying again as `backoffPlan` says.

        Raises WebhookFailed or WebhookRejected after the last try.
        """

        async def once() -> JsonObject:
            status, _ = await self._exchange(server, message, call_id, None)
            if not 200 <= status < 300:
                raise WebhookRejected(f"{_name(server)} answered {status}", status=status)
            return {}

        try:
            await self._with_retries(server, once)
        except WebhookFailed:
            self.counters.failed += 1
            raise
        self.counters.delivered += 1

    async def download(self, url: str, *, limit_bytes: int = 8 << 20, seconds: float = 5.0) -> bytes:
        """The bytes at `url`. Raises WebhookFailed, also when there are too many."""
        try:
            async with (
                asyncio.timeout(seconds),
                self._session.get(url, max_redirects=_MAX_REDIRECTS, trace_request_ctx=ROAMING) as response,
            ):
                if response.status != 200:
                    raise WebhookRejected(f"{url} answered {response.status}", status=response.status)
                return await _limited(response, limit_bytes)
        except TimeoutError:
            raise WebhookFailed(f"{url} gave no answer within {seconds:g} seconds") from None
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            raise WebhookFailed(f"{url} cannot be reached: {_reason(fault)}") from fault

    async def request(
        self, server: Server, method: str, body: JsonObject | None, *, call_id: str
    ) -> tuple[int, str]:
        """Any HTTP request (an `apiRequest` tool's): status and text. GET and DELETE carry `body` as their query.

        Raises WebhookFailed; a status that is not 2xx is no fault here, but is retried as `backoffPlan` says.
        """
        answered: tuple[int, str] = (0, "")

        async def once() -> JsonObject:
            nonlocal answered
            answered = await self._request(server, method, body, call_id)
            if not 200 <= answered[0] < 300:
                raise WebhookRejected(f"{_name(server)} answered {answered[0]}", status=answered[0])
            return {}

        with suppress(WebhookRejected):
            await self._with_retries(server, once)
        return answered

    async def _request(
        self, server: Server, method: str, body: JsonObject | None, call_id: str
    ) -> tuple[int, str]:
        limit = server.timeout_seconds or 20
        in_query = method in ("GET", "DELETE")
        data = b"" if in_query or body is None else json.dumps(body, ensure_ascii=False).encode()
        query = (
            {k: v if isinstance(v, str) else json.dumps(v) for k, v in (body or {}).items()} if in_query else None
        )
        try:
            async with asyncio.timeout(limit):
                headers = await self.headers(server, data, call_id=call_id, method=method)
                async with self._session.request(
                    method,
                    server.url or "",
                    params=query,
                    data=data or None,
                    headers=headers,
                    allow_redirects=False,
                ) as response:
                    return response.status, (await _limited(response)).decode("utf-8", "replace")
        except TimeoutError:
            raise WebhookFailed(f"{_name(server)} gave no answer within {limit:g} seconds") from None
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            raise WebhookFailed(f"{_name(server)} cannot be reached: {_reason(fault)}") from fault

    async def _with_retries(self, server: Server, once: Callable[[], Awaitable[JsonObject]]) -> JsonObject:
        plan = server.backoff_plan
        tries = 1 + (plan.max_retries if plan is not None else 0)
        excluded = plan.excluded_status_codes or () if plan is not None else ()
        for attempt in range(tries):
            try:
                return await once()
            except WebhookFailed as fault:
                if plan is None or attempt + 1 == tries or getattr(fault, "status", None) in excluded:
                    raise
            self.counters.retried += 1
            factor = 2**attempt if plan.type == "exponential" else 1
            await asyncio.sleep(plan.base_delay_seconds * factor)
        raise AssertionError("unreachable")

    async def _exchange(
        self, server: Server, message: JsonObject, call_id: str, timeout_seconds: float | None
    ) -> tuple[int, bytes]:
        async with self.open(server, message, call_id=call_id, timeout_seconds=timeout_seconds) as response:
            return response.status, await _limited(response)

    @asynccontextmanager
    async def open(
        self, server: Server, message: JsonObject, *, call_id: str, timeout_seconds: float | None = None
    ) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        """Send a message; the answer can be read as it comes. The time limit is for the whole block.

        Raises WebhookFailed, also from reading within the block.
        """
        limit = timeout_seconds if timeout_seconds is not None else (server.timeout_seconds or 20)
        url = server.url or ""
        data = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        try:
            async with asyncio.timeout(limit):
                headers = await self.headers(server, data, call_id=call_id)
                for _ in range(_MAX_REDIRECTS):
                    async with self._session.post(
                        url, data=data, headers=headers, allow_redirects=False
                    ) as response:
                        if response.status in _REDIRECTS and "Location" in response.headers:
                            url = str(followed(url, response.headers["Location"]))
                            continue
                        yield response
                        return
                raise WebhookFailed(f"{_name(server)} redirects more than {_MAX_REDIRECTS} times")
        except TimeoutError:
            raise WebhookFailed(f"{_name(server)} gave no answer within {limit:g} seconds") from None
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            raise WebhookFailed(f"{_name(server)} cannot be reached: {_reason(fault)}") from fault

    async def headers(self, server: Server, body: bytes, *, call_id: str, method: str = "POST") -> dict[str, str]:
        """The headers of one request. `server.headers` win over everything else (§7.1).

        Raises WebhookFailed when the credential is missing or gives no token.
        """
        headers = {"Content-Type": "application/json", "X-Call-Id": call_id}
        now = time.time()
        if server.secret:
            headers["X-Vapi-Secret"] = server.secret
            if self._sign_by_default:
                headers |= default_signature(server.secret, body, now=now)
        if server.credential_id:
            plan = await self._find_credential(server.credential_id)
            match plan:
                case None:
                    raise WebhookFailed(f"{_name(server)}: credentialId {server.credential_id} does not exist")
                case BearerPlan():
                    headers |= bearer_headers(plan)
                case HmacPlan():
                    try:
                        headers |= hmac_headers(
                            plan, body, now=now, method=method, url=server.url or "", message_id=new_id()
                        )
                    except SigningFault as fault:
                        raise WebhookFailed(f"{_name(server)}: {fault}") from None
                case OAuth2Plan():
                    headers["Authorization"] = f"Bearer {await self._token(plan, now)}"
        own = {name.lower(): name for name in headers}
        for name, value in (server.headers or {}).items():
            headers.pop(own.get(name.lower(), name), None)
            headers[name] = value
        return headers

    async def _token(self, plan: OAuth2Plan, now: float) -> str:
        """A client-credentials token, kept until shortly before it expires."""
        identity = (plan.url, plan.client_id, plan.scope or "")
        known = self._tokens.get(identity)
        if known is not None and known[0] > now:
            return known[1]
        form = {
            "grant_type": "client_credentials",
            "client_id": plan.client_id,
            "client_secret": plan.client_secret,
            **({"scope": plan.scope} if plan.scope else {}),
        }
        try:
            async with (
                asyncio.timeout(_OAUTH2_SECONDS),
                self._session.post(plan.url, data=form, allow_redirects=False) as response,
            ):
                if response.status != 200:
                    raise WebhookFailed(f"{plan.url} gave no token: it answered {response.status}")
                answer = read_json(await _limited(response))
            token, seconds = str(answer["access_token"]), float(answer.get("expires_in", 300))
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, KeyError, TypeError) as fault:
            raise WebhookFailed(f"{plan.url} gave no token: {fault!r}") from fault
        self._tokens[identity] = (now + max(0.0, seconds - min(60.0, seconds / 10)), token)
        return token


def _name(server: Server) -> str:
    return without_user_info(server.url or "")


def _reason(fault: Exception) -> str:
    """aiohttp's own text leaves out why when a name has several addresses."""
    return str(fault.os_error) if isinstance(fault, aiohttp.ClientConnectorError) else str(fault)


async def _limited(response: aiohttp.ClientResponse, limit: int = ANSWER_LIMIT_BYTES) -> bytes:
    """The whole body. Raises WebhookUnreadable when it is too long."""
    body = b""
    async for chunk in response.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > limit:
            raise WebhookUnreadable(f"{response.url} answered more than {limit} bytes")
    return body

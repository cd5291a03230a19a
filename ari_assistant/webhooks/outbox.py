"""The messages of one call, delivered in their order, without delaying the call."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.server import Server
from ari_assistant.webhooks.sender import WebhookFailed, WebhookSender

__all__ = ["Outbox"]

log = get_logger("webhooks")

_LASTING = frozenset({"status-update", "end-of-call-report", "call.deleted", "call.delete.failed"})
"""What a receiver must not miss; everything else describes a moment that passes."""


@dataclass(frozen=True, slots=True)
class _Delivery:
    server: Server
    message: JsonObject
    at: float

    @property
    def kind(self) -> str:
        return str(self.message["message"]["type"])


class Outbox:
    """A bounded queue in front of the sender.

    Drop policy, for a receiver that is slower than the call: when `limit` messages wait, the oldest that only
    describes a moment goes first (the oldest at all when there is none); one that has waited for
    `stale_seconds` goes too. Status updates and the end-of-call report are kept. What is dropped is counted
    and, once a call, logged. Memory does not grow, and the report is not stuck behind what is old news.
    """

    def __init__(
        self, sender: WebhookSender, *, call_id: str, limit: int = 256, stale_seconds: float = 30.0
    ) -> None:
        self._sender = sender
        self._call_id = call_id
        self._queue: deque[_Delivery] = deque()
        self._limit = limit
        self._stale_seconds = stale_seconds
        self._news = asyncio.Event()
        self._closed = False
        self._now = asyncio.get_running_loop().time
        self.dropped = 0

    def put(self, server: Server | None, message: JsonObject) -> None:
        """Queue a message; without a server nothing is sent."""
        if server is None:
            return
        if len(self._queue) >= self._limit:
            passing = next((d for d in self._queue if d.kind not in _LASTING), self._queue[0])
            self._queue.remove(passing)
            self._drop(passing)
        self._queue.append(_Delivery(server, message, self._now()))
        self._sender.counters.waiting += 1
        self._news.set()

    def close(self) -> None:
        """Nothing more will be put; `run` returns when the rest is delivered."""
        self._closed = True
        self._news.set()

    async def run(self) -> None:
        """Deliver until closed and empty. A message that cannot be delivered is logged and left."""
        try:
            while True:
                await self._news.wait()
                while self._queue:
                    await self._deliver(self._queue.popleft())
                if self._closed:
                    return
                self._news.clear()
        finally:
            self._sender.counters.waiting -= len(self._queue)

    async def _deliver(self, delivery: _Delivery) -> None:
        if delivery.kind not in _LASTING and self._now() - delivery.at > self._stale_seconds:
            self._drop(delivery)
            return
        self._sender.counters.waiting -= 1
        try:
            await self._sender.deliver(delivery.server, delivery.message, call_id=self._call_id)
        except WebhookFailed as fault:
            log.warning("webhook_failed", call_id=self._call_id, type=delivery.kind, reason=str(fault))

    def _drop(self, delivery: _Delivery) -> None:
        self._sender.counters.waiting -= 1
        self._sender.counters.dropped += 1
        self.dropped += 1
        if self.dropped == 1:
            log.warning(
                "webhooks_dropped",
                call_id=self._call_id,
                type=delivery.kind,
                url=delivery.server.url,
                hint="the receiver is slower than the call: it should answer at once, or choose fewer serverMessages",
            )

"""The messages of one call, delivered in their order, without delaying the call."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.server import Server
from ari_assistant.webhooks.sender import WebhookFailed, WebhookSender

__all__ = ["Outbox"]

log = get_logger("webhooks")


@dataclass(frozen=True, slots=True)
class _Delivery:
    server: Server
    message: JsonObject


class Outbox:
    """A bounded queue in front of the sender.

    When the receiver is slower than the call, the oldest waiting message is dropped and counted: memory does
    not grow, and the newest messages, the end-of-call report among them, still go out.
    """

    def __init__(self, sender: WebhookSender, *, call_id: str, limit: int = 256) -> None:
        self._sender = sender
        self._call_id = call_id
        self._queue: list[_Delivery] = []
        self._limit = limit
        self._news = asyncio.Event()
        self._closed = False
        self.dropped = 0
        self.failed = 0

    def put(self, server: Server | None, message: JsonObject) -> None:
        """Queue a message; without a server nothing is sent."""
        if server is None:
            return
        if len(self._queue) >= self._limit:
            del self._queue[0]
            self.dropped += 1
        self._queue.append(_Delivery(server, message))
        self._news.set()

    def close(self) -> None:
        """Nothing more will be put; `run` returns when the rest is delivered."""
        self._closed = True
        self._news.set()

    async def run(self) -> None:
        """Deliver until closed and empty. A message that cannot be delivered is logged and left."""
        while True:
            await self._news.wait()
            while self._queue:
                delivery = self._queue.pop(0)
                kind = delivery.message["message"]["type"]
                try:
                    await self._sender.deliver(delivery.server, delivery.message, call_id=self._call_id)
                except WebhookFailed as fault:
                    self.failed += 1
                    log.warning("webhook_failed", call_id=self._call_id, type=kind, reason=str(fault))
            if self._closed:
                return
            self._news.clear()

"""The server messages of one call (contract §7): which are wanted, what is in them, where they go."""

from __future__ import annotations

import time
from typing import Any

from ari_assistant.reports.record import CallRecord
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.server import Server, first_server
from ari_assistant.vapi.server_message import envelope, transcript_type, wants
from ari_assistant.webhooks.outbox import Outbox
from ari_assistant.webhooks.sender import WebhookSender

__all__ = ["CallMessages"]


class CallMessages:
    """Builds, selects and queues. What needs an answer is asked for at once, beside the queue. Who gets what, and what
    is in it, is as the record says at that moment."""

    def __init__(
        self,
        sender: WebhookSender,
        record: CallRecord,
        outbox: Outbox,
        *,
        number_server: Server | None,
        org_server: Server | None,
    ) -> None:
        self._sender = sender
        self._record = record
        self._outbox = outbox
        self._number_server = number_server
        self._org_server = org_server

    @property
    def server(self) -> Server | None:
        """Who gets messages: the assistant's server, else the number's, else the installation's (§7.1)."""
        return first_server(self._record.answering.server, self._number_server, self._org_server)

    @property
    def number_server(self) -> Server | None:
        """Who is asked for an assistant: the number's server, else the installation's."""
        return first_server(self._number_server, self._org_server)

    def wants(self, kind: str) -> bool:
        """Does anybody get messages of this type?"""
        return wants(self._record.answering.server_messages, kind) and self.server is not None

    def send(self, kind: str, **fields: Any) -> None:
        """Queue a message, if it is wanted."""
        if self.wants(kind):
            self._outbox.put(self.server, self.build(kind, **fields))

    def send_transcript(self, role: str, text: str, *, final: bool) -> None:
        """Queue a transcript under the type that was asked for (§7.3)."""
        kind = transcript_type(self._record.answering.server_messages, final=final)
        if kind is not None and self.server is not None:
            fields: JsonObject = {"role": role, "transcript": text}
            fields |= {"transcriptType": "final" if final else "partial", "isFiltered": False}
            if self._record.assistant_id is not None:
                fields["assistantId"] = self._record.assistant_id
            self._outbox.put(self.server, self.build(kind, **fields))

    async def ask(
        self, server: Server, kind: str, *, timeout_seconds: float | None = None, **fields: Any
    ) -> JsonObject:
        """Send a message whose answer is used. Raises WebhookFailed and its kinds."""
        message = self.build(kind, **fields)
        if timeout_seconds is not None:
            return await self._sender.post(
                server, message, call_id=self._record.id, timeout_seconds=timeout_seconds
            )
        return await self._sender.ask(server, message, call_id=self._record.id)

    def build(self, kind: str, **fields: Any) -> JsonObject:
        """The whole message (§7.2). Fields that are None are left out."""
        given = {**self.common(), "artifact": self._record.live_artifact(), **fields}
        return envelope(kind, timestamp_ms=int(time.time() * 1000), **given)

    def common(self) -> JsonObject:
        """`call`, `phoneNumber`, `customer`, `assistant`."""
        record = self._record
        return {
            "call": record.wire() | {"artifact": None, "messages": None},
            "phoneNumber": record.shown_number,
            "customer": record.customer,
            "assistant": record.shown_assistant,
        }

"""A runner of tools against a server that answers over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from aiohttp import web

from ari_assistant.dialogue.history import Entry, History
from ari_assistant.dialogue.tools import offered_tools
from ari_assistant.dialogue.variables import Variables
from ari_assistant.providers.model import ToolCall
from ari_assistant.reports.messages import CallMessages
from ari_assistant.reports.record import CallRecord, Dialled, Installation
from ari_assistant.session.tool_outcome import Outcome
from ari_assistant.session.tool_runner import ToolRunner
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.model import Model
from ari_assistant.vapi.server import Server
from ari_assistant.webhooks.outbox import Outbox
from ari_assistant.webhooks.sender import WebhookSender
from tests.support.conversation import FakeControl, fake_surroundings
from tests.support.webhook import Webhook

BOOK: JsonObject = {"type": "function", "function": {"name": "book"}}


class Bench:
    """A runner's surroundings."""

    def __init__(self, sender: WebhookSender, webhook: Webhook) -> None:
        self.sender = sender
        self.webhook = webhook
        self.variables: JsonObject = {"first_name": "John"}
        self.control = FakeControl()
        self.tasks: list[asyncio.Task[Any]] = []

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> object:
        self.tasks.append(asyncio.create_task(work, name=name))
        return None

    def runner(self, *tools: JsonObject, **model: Any) -> ToolRunner:
        record = CallRecord(Installation("o", "http://h"), {"id": "n"}, Dialled({}))
        outbox = Outbox(self.sender, call_id=record.id)
        server = Server(url=self.webhook.url)
        messages = CallMessages(self.sender, record, outbox, number_server=server, org_server=None)
        given = Model.model_validate({"provider": "openai", "tools": list(tools), **model})
        history = History()
        history.add(Entry("user", "My name is Ada.", 0.0, 1.0))
        return ToolRunner(
            offered_tools(given, may_end_call=True),
            Variables(self.variables, history, log=get_logger("test")),
            fake_surroundings(messages=messages, control=self.control, requests=self.sender),
            self,
            call_id=record.id,
        )

    def replies(self, kind: str, body: Any, *, status: int = 200) -> None:
        async def answer(_: JsonObject) -> web.StreamResponse:
            return web.json_response(body, status=status)

        self.webhook.replies[kind] = answer


async def one(runner: ToolRunner, name: str, arguments: str = "{}") -> Outcome:
    (outcome,) = await runner.run([ToolCall("c1", name, arguments)])
    return outcome

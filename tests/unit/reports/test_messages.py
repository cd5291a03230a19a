"""Which server messages are sent, to whom, and with what in them."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from ari_assistant.assistants.lookup import Chosen
from ari_assistant.reports.messages import CallMessages
from ari_assistant.reports.record import CallRecord, Dialled, Installation
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.server import Server
from ari_assistant.webhooks.outbox import Outbox
from tests.support.telephony import FakeSender

NUMBERS = Server(url="http://number.example")
ORGS = Server(url="http://org.example")


class Post:
    """The messages of one call."""

    def __init__(self) -> None:
        self.sender = FakeSender()
        self.record = CallRecord(Installation("o", "http://h"), {"id": "n1"}, Dialled({"number": "1"}))
        self.outbox = Outbox(cast(Any, self.sender), call_id=self.record.id)
        self.messages = self.of()

    def of(self, number: Server | None = None, org: Server | None = ORGS) -> CallMessages:
        sender = cast(Any, self.sender)
        return CallMessages(sender, self.record, self.outbox, number_server=number, org_server=org)

    def answers(self, document: JsonObject) -> None:
        self.record.take_assistant(Assistant.model_validate(document), Chosen("a1", document, {}))

    async def sent(self) -> list[JsonObject]:
        self.outbox.close()
        await self.outbox.run()
        return self.sender.delivered


@pytest.fixture
async def post() -> Post:
    return Post()


async def test_the_assistants_server_beats_the_numbers_which_beats_the_installations(post: Post) -> None:
    messages = post.of(NUMBERS)
    assert (messages.server, messages.number_server) == (NUMBERS, NUMBERS)
    assert post.of().server == ORGS
    assert post.of(org=None).server is None
    post.answers({"server": {"url": "http://assistant.example"}})
    assert messages.server is not None
    assert messages.server.url == "http://assistant.example"
    assert messages.number_server == NUMBERS, "who is asked for an assistant"


async def test_a_message_shows_the_call_as_it_is_when_it_is_sent(post: Post) -> None:
    post.messages.send("status-update", status="queued", summary=None)
    post.answers({"name": "Ada"})
    post.messages.send("status-update", status="ringing")
    first, second = await post.sent()
    assert (first["status"], second["status"]) == ("queued", "ringing")
    assert first["call"]["id"] == post.record.id
    assert first["customer"] == {"number": "1"}
    assert first["phoneNumber"] == {"id": "n1"}
    assert "summary" not in first, "fields that are None are left out"
    assert "assistant" not in first
    assert second["assistant"] == {"name": "Ada"}


async def test_only_what_the_assistant_wants_is_sent_and_nothing_without_a_server(post: Post) -> None:
    post.answers({"serverMessages": ["hang"]})
    assert post.messages.wants("hang")
    assert not post.messages.wants("status-update")
    post.messages.send("status-update", status="x")
    post.messages.send("hang")
    post.of(org=None).send("hang")
    assert [message["type"] for message in await post.sent()] == ["hang"]


@pytest.mark.parametrize(
    ("wanted", "final", "kind"),
    [
        (["transcript"], False, "transcript"),
        (['transcript[transcriptType="final"]'], True, 'transcript[transcriptType="final"]'),
        (['transcript[transcriptType="final"]'], False, None),
        (None, True, None),
    ],
)
async def test_a_transcript_goes_under_the_type_that_was_asked_for(
    post: Post, wanted: list[str] | None, final: bool, kind: str | None
) -> None:
    post.answers({"serverMessages": wanted} if wanted is not None else {})
    post.messages.send_transcript("user", "Hello.", final=final)
    sent = await post.sent()
    assert [message["type"] for message in sent] == ([kind] if kind is not None else [])
    if sent:
        assert (sent[0]["transcript"], sent[0]["role"], sent[0]["assistantId"]) == ("Hello.", "user", "a1")
        assert sent[0]["transcriptType"] == ("final" if final else "partial")


async def test_a_question_goes_beside_the_queue(post: Post) -> None:
    post.sender.answer = lambda message: {"kind": message["type"]}
    post.messages.send("hang")
    answer = await post.messages.ask(ORGS, "assistant-request", timeout_seconds=1.0)
    assert answer == {"kind": "assistant-request"}
    assert post.sender.delivered == []
    await asyncio.gather(post.sent())

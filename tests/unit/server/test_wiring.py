"""From the settings to the objects of a server."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ari_assistant.api.context import NotServing
from ari_assistant.ari.client import AriCredentials
from ari_assistant.calls.outbound import CallRefused
from ari_assistant.config.settings import Settings
from ari_assistant.fault import Fault
from ari_assistant.server import wiring
from ari_assistant.server.wiring import LiveOperations, conversation_session, internet
from ari_assistant.session.session import Session
from ari_assistant.vapi.call import CreateCall, Customer
from ari_assistant.webhooks.url_policy import UrlRefused


def test_conversations_are_held_by_the_session() -> None:
    assert conversation_session(None) is Session


@pytest.mark.parametrize("stand_in", ["echo", "reply"])
def test_a_benchmark_names_a_stand_in(stand_in: str) -> None:
    session = conversation_session(stand_in)
    assert issubclass(session, Session)
    assert session is not Session


def test_a_stand_in_that_nobody_knows_is_refused_with_the_settings() -> None:
    with pytest.raises(ValueError, match="echo"):
        Settings(bench="nobody")


def test_without_the_benchmarks_beside_it_the_package_has_no_stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "benchmarks", None)
    monkeypatch.delitem(sys.modules, "benchmarks.media", raising=False)
    monkeypatch.delitem(sys.modules, "benchmarks.media.stand_ins", raising=False)
    with pytest.raises(Fault, match="checkout"):
        conversation_session("echo")


async def test_requests_of_users_never_reach_our_own_ports() -> None:
    settings = Settings(api_port=8080)
    async with internet(settings, AriCredentials("http://127.0.0.1:8088", "u", "p")) as ways:
        for port in (8080, 8088):
            with pytest.raises(UrlRefused, match="port of this server itself"):
                ways.policy.check("127.0.0.1", port)
        ways.policy.check("127.0.0.1", 9)
    assert ways.vendors.closed
    assert ways.servers.closed


async def test_a_server_that_does_not_serve_yet_says_so() -> None:
    starting = NotServing("the server is starting or stopping")
    with pytest.raises(CallRefused, match="starting"):
        await starting.place(CreateCall(), Customer())
    await starting.call_event("call.deleted", {"id": "c"})
    starting.numbers_changed()


async def test_who_erases_a_call_is_not_kept_waiting_by_the_message_about_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spawned: list[str] = []

    class Tasks:
        def spawn(self, work: Any, name: str) -> None:
            work.close()
            spawned.append(name)

    class Outbox:
        async def run(self) -> None: ...

    async def message(*_: Any) -> Outbox | None:
        return wanted.pop()

    wanted: list[Outbox | None] = [None, Outbox()]
    monkeypatch.setattr(wiring, "erasure_message", message)
    services = SimpleNamespace(
        catalogue=None, webhooks=None, records=SimpleNamespace(org_server=None), background=Tasks()
    )
    operations = LiveOperations(cast(Any, None), cast(Any, None), cast(Any, services))
    await operations.call_event("call.deleted", {"id": "c1"})
    await operations.call_event("call.deleted", {"id": "c2"})
    assert spawned == ["outbox-c1"]

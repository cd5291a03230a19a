"""What one user stores or answers does not hold up the calls of the others: the server's loop never stands, which is
looked at after every end-to-end test."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from tests.support.raw_sip import raw_call
from tests.support.running_server import RunningServer
from tests.support.webhook import Webhook

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

_FACTS = [
    {"ask": [f"what about {n} and the {n * 7} of it", f"tell me of {n}"], "say": f"{n}."} for n in range(1_000)
]
_users = itertools.count(1)
_BOMB = "{% assign a = 'aaaaaaaaaa' %}" + "{% assign a = a | append: a %}" * 40 + "{{ a }}"
_LOOPS = "{% for i in (1..100) %}{% for j in (1..100) %}" + "{{ i }}" * 400 + "{% endfor %}{% endfor %}"
_HEAVY: dict[str, dict[str, Any]] = {
    "facts": {"firstMessage": "Hello.", "model": {"provider": "built-in", "facts": _FACTS}},
    "long": {"firstMessage": "One of the many things. " * 410},
    "digits": {
        "firstMessage": "12345678 " * 1_100,
        "voice": {"provider": "vapi", "chunkPlan": {"enabled": False}},
    },
    "doubling": {"firstMessage": f"Hello. {_BOMB}"},
    "loops": {"firstMessage": f"Hello. {_LOOPS}", "endCallMessage": "Bye."},
    "wide": {"firstMessage": "Hello.", "metadata": {f"k{n}": {"v": [n]} for n in range(4_900)}},
    "prompt": {
        "firstMessage": "Hello.",
        "model": {"provider": "openai", "systemPrompt": "a long prompt " * 70_000},
    },
}


async def _answered(running: RunningServer, user: str) -> None:
    async with raw_call(user, running.sip_port) as call:
        assert await call.final() == 200
        call.acknowledge()
        await asyncio.sleep(1)  # the greeting is cut, written out and synthesised while the call is up


async def _number(running: RunningServer, user: str, **fields: Any) -> None:
    await running.created("/phone-number", {"provider": "vapi", "sipUri": f"sip:{user}@127.0.0.1", **fields})


@pytest.mark.parametrize("name", sorted(_HEAVY))
async def test_the_heaviest_assistant_that_can_be_stored_holds_nobody_up(
    running: RunningServer, name: str
) -> None:
    assistant = await running.created("/assistant", {"name": name, **_HEAVY[name]})
    await _number(running, f"heavy-{name}", assistantId=assistant["id"])
    await _answered(running, f"heavy-{name}")
    status, patched = await running.api("PATCH", f"/assistant/{assistant['id']}", {"name": "patched"})
    assert (status, patched["name"]) == (200, "patched")
    assert (await running.api("GET", "/assistant?limit=1000"))[0] == 200
    assert (await running.api("DELETE", f"/assistant/{assistant['id']}"))[0] == 200


@pytest.mark.parametrize("name", sorted(_HEAVY))
async def test_nor_does_one_that_a_server_answers_with(
    running: RunningServer, webhook: Webhook, name: str
) -> None:
    webhook.answers({"assistant": _HEAVY[name]})
    await _number(running, f"asked-{name}", serverUrl=webhook.url)
    await _answered(running, f"asked-{name}")


@pytest.mark.parametrize(
    "body",
    [
        {"model": {"provider": "built-in", "facts": _FACTS * 9}},
        {"firstMessage": "a" * 1_000_000},
        {"hooks": [1] * 300_000},
        {"metadata": {"n": float("inf")}},
    ],
)
async def test_what_is_heavier_is_refused_and_a_server_that_answers_it_has_no_assistant(
    running: RunningServer, webhook: Webhook, body: dict[str, Any]
) -> None:
    status, _ = await running.api("POST", "/assistant", body)
    assert status in (400, 413)
    webhook.answers({"assistant": body})
    user = f"too-heavy-{next(_users)}"
    await _number(running, user, serverUrl=webhook.url)
    await _answered(running, user)
    record = await running.ended_call(user)
    (told,) = [line for line in running.logged("no_assistant") if line["call_id"] == record["id"]]
    assert told["reason"].startswith("assistant-request-returned")

"""What one user stores or answers does not hold up the calls of the others: the server's loop never stands, which is
looked at after every end-to-end test."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from tests.support.house import House
from tests.support.raw_sip import raw_call
from tests.support.webhook import Webhook

pytestmark = pytest.mark.e2e

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


async def _answered(house: House, user: str) -> None:
    async with raw_call(user, house.sip_port) as call:
        assert await call.final() == 200
        call.acknowledge()
        await asyncio.sleep(1)  # the greeting is cut, written out and synthesised while the call is up


async def _number(house: House, user: str, **fields: Any) -> None:
    await house.created("/phone-number", {"provider": "vapi", "sipUri": f"sip:{user}@127.0.0.1", **fields})


@pytest.mark.parametrize("name", sorted(_HEAVY))
async def test_the_heaviest_assistant_that_can_be_stored_holds_nobody_up(house: House, name: str) -> None:
    assistant = await house.created("/assistant", {"name": name, **_HEAVY[name]})
    await _number(house, f"heavy-{name}", assistantId=assistant["id"])
    await _answered(house, f"heavy-{name}")
    status, patched = await house.api("PATCH", f"/assistant/{assistant['id']}", {"name": "patched"})
    assert (status, patched["name"]) == (200, "patched")
    assert (await house.api("GET", "/assistant?limit=1000"))[0] == 200
    assert (await house.api("DELETE", f"/assistant/{assistant['id']}"))[0] == 200


@pytest.mark.parametrize("name", sorted(_HEAVY))
async def test_nor_does_one_that_a_server_answers_with(house: House, webhook: Webhook, name: str) -> None:
    webhook.answers({"assistant": _HEAVY[name]})
    await _number(house, f"asked-{name}", serverUrl=webhook.url)
    await _answered(house, f"asked-{name}")


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
    house: House, webhook: Webhook, body: dict[str, Any]
) -> None:
    status, _ = await house.api("POST", "/assistant", body)
    assert status in (400, 413)
    webhook.answers({"assistant": body})
    user = f"too-heavy-{next(_users)}"
    await _number(house, user, serverUrl=webhook.url)
    await _answered(house, user)
    record = await house.ended_call(user)
    (told,) = [line for line in house.logged("no_assistant") if line["call_id"] == record["id"]]
    assert told["reason"].startswith("assistant-request-returned")

"""What a phone number decides before any assistant speaks: who is admitted, what its hooks say."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

import pytest

from ari_assistant.phone.line import place_call
from tests.support.caller_voice import CallerVoice, sounds_like
from tests.support.listening import heard_something
from tests.support.raw_sip import digest, raw_call
from tests.support.running_server import RunningServer

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(120)]

PASSWORD = "correct-horse-battery-staple"
USERNAME = "a-user-with-a-long-name"


async def test_a_number_that_asks_for_a_password_admits_the_right_one_only(
    running: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    authentication = {"username": USERNAME, "password": PASSWORD, "realm": "voice.example"}
    user = await running.new_number(
        {"firstMessage": "Welcome to the high mountain hotel."}, authentication=authentication
    )
    uri = f"sip:{user}@127.0.0.1:{running.sip_port}"
    await asyncio.sleep(0.3)
    for dialled in (user, user.upper()):
        async with raw_call(dialled, running.sip_port) as call:
            assert await call.final() == 401
            assert 'realm="voice.example"' in call.challenge
            challenge = call.challenge
    for password, status in ((PASSWORD + "x", 401), (PASSWORD, 200)):
        header = f"Authorization: {digest(challenge, USERNAME, password, uri)}\r\n".encode()
        async with raw_call(user, running.sip_port, header) as call:
            assert await call.final() == status, password
    async with place_call(running.uri(user), record=heard, auth=f"{USERNAME}:{PASSWORD}") as phone:
        await phone.wait_for("media")
        await heard_something(heard)
    assert sounds_like(voices.hear(heard), "welcome to the high mountain hotel")
    assert PASSWORD not in json.dumps(await running.ended_call(user))
    # Without the password again, and the door is open; the change needs no restart.
    _, numbers = await running.api("GET", f"/v2/phone-number?search={user}")
    resource = numbers["results"][0]
    status, _ = await running.api("PATCH", f"/phone-number/{resource['id']}", {"authentication": None})
    assert status == 200
    await asyncio.sleep(0.3)
    async with raw_call(user, running.sip_port) as call:
        assert await call.final() == 200


async def test_a_hook_of_the_number_answers_before_any_assistant(
    running: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    hooks = [
        {
            "on": "call.ringing",
            "filters": [{"type": "startsWith", "key": "number", "startsWith": ["1900"]}],
            "do": [{"type": "say", "exact": "We are closed for you."}],
        }
    ]
    user = await running.new_number({"firstMessage": "Welcome to the high mountain hotel."}, hooks=hooks)
    for caller, expected in (("19001234", "we are closed for you"), ("555", "welcome to the high mountain hotel")):
        with contextlib.suppress(FileNotFoundError):
            heard.unlink()
        async with place_call(running.uri(user), record=heard, caller=f"<sip:{caller}@localhost>") as call:
            await call.wait_for("media")
            if caller == "555":
                await heard_something(heard)
            else:
                await call.wait_over(timeout=20)
        assert sounds_like(voices.hear(heard), expected)
    assert (await running.ended_call(user, number=1))["endedReason"] == "call.ringing.hook-executed-say"

"""Two servers on one Asterisk, which is nobody's but its owner's; they share a database, too."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from benchmarks.caller import Caller, measured_call
from tests.e2e.test_start import run
from tests.support.raw_sip import digest, raw_call
from tests.support.running_server import RunningServer

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(180)]

DIALPLAN = """[from-sip]
; What an owner writes: numbers with a 2 are the second server's. One still goes the way of an older version.
exten => _2.,1,Gosub(ari-assistant-invite,s,1)
 same => n,Stasis(second,${ARI_ASSISTANT_INVITE})
 same => n,Hangup()
exten => 2old,1,Stasis(second)
 same => n,Hangup()
"""
LOGIN = {"username": "a-caller-with-a-long-name", "password": "correct-horse-battery-staple"}


def assistants(*users: str, **numbers: dict[str, Any]) -> dict[str, Any]:
    """An assistant that is heard all the time, and its numbers."""
    office = {"id": "office", "name": "office", "firstMessage": "Hello.", "backgroundSound": "office"}
    given: dict[str, dict[str, Any]] = {user: {} for user in users} | numbers
    return {
        "assistants": [office | {"silenceTimeoutSeconds": 600}],
        "phoneNumbers": [
            {"provider": "vapi", "sipUri": f"sip:{user}@localhost", "assistantId": "office", **more}
            for user, more in given.items()
        ],
    }


@dataclass
class Shared:
    """The first server has started the Asterisk; to the second it is a foreign one."""

    first: RunningServer
    second: RunningServer

    @property
    def sip_port(self) -> int:
        return self.first.sip_port


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    folder = tmp_path_factory.mktemp("shared")
    safe = {"authentication": LOGIN}
    first = RunningServer(folder / "first", assistants("1office", safe1=safe), ari_app="first")
    first.start()
    try:
        etc = folder / "first/data/asterisk/etc"
        for name, old, new in (
            ("extensions.conf", "[from-sip]\n", DIALPLAN),
            ("asterisk.conf", "systemname = ari-assistant", "systemname = pbx"),
        ):
            text = (etc / name).read_text()
            assert old in text
            (etc / name).write_text(text.replace(old, new))
        os.kill(first.asterisk_pid, signal.SIGTERM)  # it comes back with what its owner wrote
        wait(lambda: len(first.logged("ari_connected")) == 2)
        second = RunningServer(
            folder / "second",
            assistants("2office", "2old", safe2=safe),
            ari_app="second",
            asterisk=first.ari_url,
            ari_password=first.ari_password,
            database_url=f"sqlite+aiosqlite:///{folder}/first/data/ari-assistant.db",
        )
        second.start()
        try:
            yield Shared(first, second)
        finally:
            assert second.stop() == 0
    finally:
        assert first.stop() == 0


def wait(condition: Callable[[], bool]) -> None:
    """Until it holds; the test's time-out is the limit."""
    while not condition():
        time.sleep(0.05)


async def still_heard(caller: Caller) -> None:
    """A packet comes that was not there before."""
    count = len(caller.packets)
    async with asyncio.timeout(5):
        while len(caller.packets) <= count:
            await asyncio.sleep(0.02)


async def stored(running: RunningServer, user: str, status: str) -> None:
    """The newest call to `user` is stored with this status."""
    found: dict[str, str] = {}
    async with asyncio.timeout(5):
        while found.get(user) != status:
            _, calls = await running.api("GET", "/call?limit=100")
            found = {
                call["phoneCallProviderDetails"]["sip"]["dialedUser"]: call["status"] for call in reversed(calls)
            }
            await asyncio.sleep(0.05)


@asynccontextmanager
async def logged_in(shared: Shared, user: str) -> AsyncGenerator[int, None]:
    """A call to a number with a password, by one who has it: the final status."""
    async with raw_call(user, shared.sip_port) as call:
        assert await call.final() == 401
        challenge = call.challenge
    uri = f"sip:{user}@127.0.0.1:{shared.sip_port}"
    header = f"Authorization: {digest(challenge, LOGIN['username'], LOGIN['password'], uri)}\r\n".encode()
    async with raw_call(user, shared.sip_port, header) as call:
        yield await call.final()


async def test_where_the_asterisk_is_anothers_no_line_of_our_own_sip_settings_is_printed(shared: Shared) -> None:
    said = shared.second.out.read_text()
    assert "Dial sip:" not in said
    assert f"at the Asterisk of {shared.first.ari_url}" in said
    assert "Stasis(second)" in said


async def test_a_server_that_is_killed_and_starts_again_takes_away_its_own_calls_only(shared: Shared) -> None:
    first, second = shared.first, shared.second
    async with (
        measured_call("1office", shared.sip_port) as ours,
        measured_call("2office", shared.sip_port) as theirs,
    ):
        await still_heard(ours)
        await still_heard(theirs)
        await stored(first, "1office", "in-progress")
        await stored(first, "2office", "in-progress")
        assert second.process is not None
        os.killpg(second.process.pid, signal.SIGKILL)
        await asyncio.to_thread(second.process.wait)
        await asyncio.to_thread(second.start)
        assert second.logged("channel_swept"), "the call of the life before"
        assert len(second.logged("calls_abandoned")) == 1
        await stored(first, "2office", "ended")
        await stored(first, "1office", "in-progress")
        assert not second.logged("sip_authentication_impossible")
        await still_heard(ours)
        async with measured_call("2office", shared.sip_port) as again:
            await still_heard(again)
            await still_heard(ours)
    assert not first.logged("channel_swept")
    assert not first.logged("bridge_swept")


async def test_numbers_with_a_password_reach_the_server_that_has_them(shared: Shared) -> None:
    for user in ("safe1", "safe2"):
        async with logged_in(shared, user) as status:
            assert status == 200, user
        await stored(shared.first, user, "ended")
    for running, user in ((shared.first, "safe2"), (shared.second, "safe1")):
        assert not [line for line in running.logged("number_unknown") if user in line["uri"]]


async def test_an_old_dialplan_is_named_and_its_caller_is_answered(shared: Shared) -> None:
    async with raw_call("2old", shared.sip_port, b"X-Name: Ann\r\n") as call:
        assert await call.final() == 200
    line = shared.second.logged("invite_not_collected")[-1]
    assert line["context"] == "from-sip"
    assert "Gosub(ari-assistant-invite,s,1)" in line["hint"]


async def test_the_doctor_finds_the_foreign_asterisk_prepared(shared: Shared) -> None:
    process = await run(shared.second, "doctor")
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, (out + err).decode()
    assert "answers" in out.decode()
    assert "ari-assistant-invite" not in out.decode()


async def test_a_local_channel_is_let_go_and_named(shared: Shared) -> None:
    await shared.first.ari_post("channels?endpoint=Local/1office@from-sip&app=elsewhere")
    async with asyncio.timeout(5):
        while not (lines := shared.first.logged("channel_let_go")):
            await asyncio.sleep(0.05)
    assert lines[0]["name"].startswith("Local/1office@from-sip")
    async with asyncio.timeout(5):
        while await shared.first.ari("channels"):
            await asyncio.sleep(0.05)

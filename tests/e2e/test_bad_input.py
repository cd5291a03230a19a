"""Odd INVITEs, and parts that die: nothing is lost and no call is dropped for it."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ari_assistant.phone.line import place_call
from tests.support.caller_voice import CallerVoice, sounds_like
from tests.support.listening import ask, heard_something, speaking
from tests.support.raw_sip import raw_call
from tests.support.running_server import RunningServer

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(120)]


async def variables(running: RunningServer, headers: bytes) -> dict[str, Any]:
    """Place a call with these header lines; the variables that came of it."""
    _, before = await running.api("GET", "/call?limit=1000")
    async with raw_call("banana", running.sip_port, headers) as call:
        assert await call.final() == 200
    for _ in range(200):
        _, calls = await running.api("GET", "/call?limit=1000")
        if len(calls) > len(before) and calls[0]["status"] == "ended":
            return dict(calls[0]["assistantOverrides"]["variableValues"])
        await asyncio.sleep(0.05)
    raise AssertionError("the call was not stored")


async def test_headers_are_carried_as_they_are(running: RunningServer) -> None:
    headers = (
        'X-Quote: say "hi" \\ ${SHELL(id)} $(id) {{now}}\r\n'
        "x-EMPTY:\r\n"
        "X-Utf8: Zoë ☎ 日本\r\n"
        "X-Comma: a,b;c=d\r\n"
        "X-Twice: one\r\n"
        "X-Twice: two\r\n"
        "X-Call: shadow\r\n"
        "Y-Other: no\r\n"
    ).encode()
    values = await variables(running, headers)
    assert values["quote"] == 'say "hi" \\ ${SHELL(id)} $(id) {{now}}'
    assert values["empty"] == ""
    assert values["utf8"] == "Zoë ☎ 日本"
    assert values["comma"] == "a,b;c=d"
    assert values["twice"] == "two"
    assert "call" not in values
    assert "other" not in values


async def test_fifty_headers(running: RunningServer) -> None:
    values = await variables(running, b"".join(b"X-H%d: value %d\r\n" % (n, n) for n in range(50)))
    assert [values[f"h{n}"] for n in range(50)] == [f"value {n}" for n in range(50)]


async def test_a_value_of_four_kilobytes(running: RunningServer) -> None:
    values = await variables(running, b"X-Big: " + b"y" * 4_000 + b"\r\nX-After: here\r\n")
    assert values["big"] == "y" * 4_000
    assert values["after"] == "here"


async def test_a_value_beyond_asterisks_buffer_costs_only_itself(running: RunningServer) -> None:
    values = await variables(
        running, b"X-Before: here\r\nX-Big: " + b"y" * 5_000 + b"\r\nX-Bit: too\r\nX-After: and here\r\n"
    )
    assert "big" not in values
    assert (values["before"], values["bit"], values["after"]) == ("here", "too", "and here")
    assert running.logged("headers_unreadable")[-1]["source"].startswith("127.0.0.1:")


async def test_four_kilobytes_of_what_must_be_escaped(running: RunningServer) -> None:
    values = await variables(running, b"X-Big: " + b"%:)(" * 1_000 + b"\r\nX-After: here\r\n")
    assert values["big"] == "%:)(" * 1_000
    assert values["after"] == "here"


async def test_nothing_that_a_caller_writes_is_evaluated(running: RunningServer) -> None:
    text = "a):1:2 ${EXTEN} $[1+1] ${SHELL(touch /tmp/x)} %41 %2541 b) ;,& =\\ ("
    values = await variables(running, f"X-Odd: {text}\r\nX-n!%*_`'~+.b: name\r\n".encode())
    assert values["odd"] == text
    assert values["n!%*_`'~+.b"] == "name"


async def test_bytes_that_are_not_utf8_are_taken_for_latin_1(running: RunningServer) -> None:
    values = await variables(running, b"X-Bad: caf\xe9 \xff\r\nX-Good: yes\r\n")
    assert values["bad"] == "caf\u00e9 \u00ff"
    assert values["good"] == "yes"


async def test_an_invite_without_a_usable_body_is_refused(running: RunningServer) -> None:
    async with raw_call("banana", running.sip_port, sdp=b"v=0\r\nm=video 9 RTP/AVP 96\r\n") as call:
        assert await call.final() in (400, 415, 488)


async def test_a_voice_that_dies_mid_sentence_is_apologised_for_and_comes_back(
    running: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    piper = running.engine("piper")
    async with place_call(running.uri("talker"), record=heard) as call:
        await call.wait_for("media")
        await speaking(heard)
        os.kill(piper.pid, signal.SIGSTOP)  # it hangs first, so that the death comes within a sentence
        await asyncio.sleep(0.2)
        os.kill(piper.pid, signal.SIGKILL)
        await heard_something(heard, quiet=1.5, timeout=40)
        await ask(call, voices.say("When are you open?"))
        await heard_something(heard)
    assert sounds_like(voices.hear(heard), "nine to five")
    assert running.engine("piper").pid != piper.pid
    assert (await running.ended_call("talker"))["endedReason"] == "customer-ended-call"


async def test_a_transcriber_that_dies_is_apologised_for_and_comes_back(
    running: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    async with place_call(running.uri("banana"), record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
        running.engine("moonshine").kill()
        await ask(call, voices.say("When are you open?", after=0.0))
        await heard_something(heard)
        await asyncio.sleep(1.0)
        await ask(call, voices.say("When are you open?"))
        await heard_something(heard)
    assert sounds_like(voices.hear(heard), "nine to five")


async def test_an_asterisk_that_dies_ends_the_call_with_a_reason_and_the_next_one_is_answered(
    running: RunningServer, voices: CallerVoice, heard: Path, tmp_path: Path
) -> None:
    async with place_call(running.uri("talker"), record=heard) as call:
        await call.wait_for("media")
        await speaking(heard)
        killed = running.asterisk_pid
        os.kill(killed, signal.SIGKILL)
        for _ in range(400):
            status, _ = await running.api("GET", "/health")
            if status == 200 and running.logged("asterisk_died") and running.asterisk_pid != killed:
                break
            await asyncio.sleep(0.05)
    record = await running.ended_call("talker")
    assert record["endedReason"] == "call.in-progress.sip-completed-call"
    again = tmp_path / "again.wav"
    async with place_call(running.uri("banana"), record=again) as call:
        await call.wait_for("media")
        await heard_something(again)
    assert sounds_like(voices.hear(again), "welcome to the yellow banana company")

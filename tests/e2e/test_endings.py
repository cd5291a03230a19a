"""How calls end."""

from __future__ import annotations

from pathlib import Path

import pytest

from ari_assistant.phone.line import place_call
from tests.support.caller_voice import CallerVoice, sounds_like
from tests.support.listening import ask, heard_something
from tests.support.running_server import RunningServer

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(120)]


async def test_the_assistant_hangs_up_when_the_caller_says_goodbye(
    running: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    async with place_call(running.uri("banana"), record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
        await ask(call, voices.say("Thank you, goodbye."))
        assert (await call.wait_over(timeout=20))["code"] == 200
    record = await running.ended_call("banana")
    assert record["endedReason"] == "assistant-ended-call"
    assert record["transcript"].endswith("AI: Goodbye.\n")  # what was played to its end


async def test_an_end_call_phrase_ends_the_call_after_it_was_heard(
    running: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    async with place_call(running.uri("phrase"), record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
        await ask(call, voices.say("When are you open?"))
        await call.wait_over(timeout=20)
    assert sounds_like(voices.hear(heard), "nine to five")
    assert (await running.ended_call("phrase"))["endedReason"] == "assistant-said-end-call-phrase"


async def test_silence_ends_the_call_after_a_word_of_farewell(
    running: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    async with place_call(running.uri("quiet"), record=heard) as call:
        await call.wait_over(timeout=30)
    assert sounds_like(voices.hear(heard), "nobody is there goodbye")
    assert (await running.ended_call("quiet"))["endedReason"] == "silence-timed-out"


async def test_the_longest_duration_ends_the_call(running: RunningServer, heard: Path) -> None:
    async with place_call(running.uri("short"), record=heard) as call:
        await call.wait_over(timeout=30)
    record = await running.ended_call("short")
    assert record["endedReason"] == "exceeded-max-duration"


async def test_an_unknown_number_is_rejected_with_404_and_named_in_the_log(running: RunningServer) -> None:
    async with place_call(running.uri("nobody.here")) as call:
        ended = await call.wait_over()
    assert ended["code"] == 404
    assert "sip:nobody.here@127.0.0.1" in running.logged("number_unknown")[-1]["uri"]

"""How calls end."""

from __future__ import annotations

from pathlib import Path

import pytest

from ari_assistant.phone.line import place_call
from tests.support.house import House
from tests.support.listening import ask, heard_something
from tests.support.studio import Studio, sounds_like

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(120)]


async def test_the_assistant_hangs_up_when_the_caller_says_goodbye(
    house: House, studio: Studio, heard: Path
) -> None:
    async with place_call(house.uri("banana"), record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
        await ask(call, studio.say("Thank you, goodbye."))
        assert (await call.wait_over(timeout=20))["code"] == 200
    record = await house.ended_call("banana")
    assert record["endedReason"] == "assistant-ended-call"
    assert record["transcript"].endswith("AI: Goodbye.\n")  # what was played to its end


async def test_an_end_call_phrase_ends_the_call_after_it_was_heard(
    house: House, studio: Studio, heard: Path
) -> None:
    async with place_call(house.uri("phrase"), record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
        await ask(call, studio.say("When are you open?"))
        await call.wait_over(timeout=20)
    assert sounds_like(studio.hear(heard), "nine to five")
    assert (await house.ended_call("phrase"))["endedReason"] == "assistant-said-end-call-phrase"


async def test_silence_ends_the_call_after_a_word_of_farewell(house: House, studio: Studio, heard: Path) -> None:
    async with place_call(house.uri("quiet"), record=heard) as call:
        await call.wait_over(timeout=30)
    assert sounds_like(studio.hear(heard), "nobody is there goodbye")
    assert (await house.ended_call("quiet"))["endedReason"] == "silence-timed-out"


async def test_the_longest_duration_ends_the_call(house: House, heard: Path) -> None:
    async with place_call(house.uri("short"), record=heard) as call:
        await call.wait_over(timeout=30)
    record = await house.ended_call("short")
    assert record["endedReason"] == "exceeded-max-duration"


async def test_an_unknown_number_is_rejected_with_404_and_named_in_the_log(house: House) -> None:
    async with place_call(house.uri("nobody.here")) as call:
        ended = await call.wait_over()
    assert ended["code"] == 404
    assert "sip:nobody.here@127.0.0.1" in house.logged("number_unknown")[-1]["uri"]

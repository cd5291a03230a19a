"""What a caller hears: real SIP calls with real audio, recognised."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest

from ari_assistant.phone.line import place_call
from tests.support.caller_voice import CallerVoice, read_wav, sounds_like
from tests.support.listening import ask, heard_something, speaking
from tests.support.running_server import RunningServer

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(120)]


@pytest.mark.parametrize("header", ["X-First_Name: John", "x-first_name: John", "X-FIRST_NAME: John"])
async def test_the_caller_is_greeted_by_the_name_in_a_header_of_any_spelling(
    running: RunningServer, voices: CallerVoice, heard: Path, header: str
) -> None:
    async with place_call(running.uri("desk"), headers=[header], record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
    words = voices.hear(heard)
    assert sounds_like(words, "hello john how can i help")
    assert "john" in words or "jon" in words


async def test_a_missing_variable_is_left_out_and_logged(
    running: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    async with place_call(running.uri("desk"), record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
    assert sounds_like(voices.hear(heard), "hello how can i help")
    assert running.logged("variable_missing")[-1]["names"] == ["first_name"]


async def test_the_number_is_found_in_any_letter_case(
    running: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    async with place_call(running.uri("BANANA"), record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
    assert sounds_like(voices.hear(heard), "welcome to the yellow banana company")


async def test_a_question_is_answered_from_the_facts_and_recorded(
    running: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    async with place_call(running.uri("desk"), headers=["X-First_Name: Mary"], record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
        await ask(call, voices.say("When are you open?"))
        await heard_something(heard)
    record = await running.ended_call("desk")
    assert sounds_like(voices.hear(heard), "nine to five")
    assert record["endedReason"] == "customer-ended-call"
    roles = [message["role"] for message in record["artifact"]["messages"]]
    assert roles == ["bot", "user", "bot"]
    assert "AI: From nine to five.\n" in record["transcript"]
    latency = record["artifact"]["performanceMetrics"]["turnLatencies"][0]
    assert set(latency) == {
        "endpointingLatency",
        "transcriberLatency",
        "modelLatency",
        "voiceLatency",
        "transportLatency",
        "turnLatency",
    }
    # The recording: caller left, assistant right.
    stereo = read_wav(Path(record["artifact"]["recordingPath"]))
    assert sounds_like(voices.hear(stereo[:, 0]), "when are you open")
    assert sounds_like(voices.hear(stereo[:, 1]), "nine to five")
    assert "nine" not in voices.hear(stereo[:, 0])


async def test_the_caller_interrupts_and_history_holds_only_what_was_heard(
    running: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    async with place_call(running.uri("talker"), record=heard) as call:
        await call.wait_for("media")
        await speaking(heard)
        await asyncio.sleep(1.5)
        await ask(call, voices.say("When are you open?", after=0.1))
        await heard_something(heard)
    record = await running.ended_call("talker")
    messages = record["artifact"]["messages"]
    assert [message["role"] for message in messages] == ["bot", "user", "bot"]
    interrupted = messages[0]["message"]
    assert interrupted.startswith("This is a long answer.")
    assert "nobody ever did" not in interrupted
    assert record["artifact"]["performanceMetrics"]["numAssistantInterrupted"] == 1
    words = voices.hear(heard)
    assert sounds_like(words, "nine to five")
    assert not sounds_like(words, "bridge came later")


async def test_a_protected_greeting_is_not_interrupted_and_what_was_said_over_it_is_answered(
    running: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    question = voices.say("When are you open?", before=0.3)
    async with place_call(running.uri("mountain"), record=heard, play=question) as call:
        await call.wait_for("played")
        await heard_something(heard, quiet=2.0)
    words = voices.hear(heard)
    assert sounds_like(words, "welcome to the high mountain hotel")
    assert sounds_like(words, "nine to five")


async def test_a_caller_who_hangs_up_mid_sentence_leaves_a_record(
    running: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    async with place_call(running.uri("talker"), record=heard) as call:
        await call.wait_for("media")
        await speaking(heard)
        await asyncio.sleep(0.5)
    record = await running.ended_call("talker")
    assert record["endedReason"] == "customer-ended-call"
    (message,) = record["artifact"]["messages"]
    assert message["message"].startswith("This is")
    assert "nobody ever did" not in message["message"]


async def test_two_callers_at_once_hear_their_own_assistants_only(
    running: RunningServer, voices: CallerVoice, tmp_path: Path
) -> None:
    async def visit(user: str) -> str:
        path = tmp_path / f"{user}.wav"
        async with place_call(running.uri(user), record=path) as call:
            await call.wait_for("media")
            await heard_something(path)
            await ask(call, voices.say("When are you open?"))
            await heard_something(path)
        return voices.hear(path)

    banana, mountain = await asyncio.gather(visit("banana"), visit("mountain"))
    assert sounds_like(banana, "welcome to the yellow banana company")
    assert "mountain" not in banana
    assert sounds_like(mountain, "welcome to the high mountain hotel")
    assert "banana" not in mountain
    assert sounds_like(banana, "nine to five")
    assert sounds_like(mountain, "nine to five")


@pytest.mark.parametrize(("codec", "tcp"), [("PCMA", False), ("G722", False), ("PCMU", True)])
async def test_other_codecs_and_transports(
    running: RunningServer, voices: CallerVoice, heard: Path, codec: str, tcp: bool
) -> None:
    uri = running.uri("banana") + (";transport=tcp" if tcp else "")
    async with place_call(uri, record=heard, codec=codec, tcp=tcp) as call:
        await call.wait_for("media")
        await heard_something(heard)
        await ask(call, voices.say("When are you open?"))
        await heard_something(heard)
    words = voices.hear(heard)
    assert sounds_like(words, "welcome to the yellow banana company")
    assert sounds_like(words, "nine to five")


async def test_a_wideband_caller_hears_a_wideband_voice_and_is_recorded_wide(
    running: RunningServer, heard: Path
) -> None:
    async with place_call(running.uri("banana"), codec="G722", record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
    record = await running.ended_call("banana")
    with wave.open(str(running.folder / "data" / "recordings" / f"{record['id']}.wav")) as file:
        assert file.getframerate() == 16_000
        stereo = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    spectrum = np.abs(np.fft.rfft(stereo[:, 1].astype(np.float64)))
    hertz = np.fft.rfftfreq(len(stereo), 1 / 16_000)
    above = (spectrum[hertz > 4_200] ** 2).sum() / (spectrum**2).sum()
    assert above > 1e-4, "a narrow voice has nothing above 4 kHz"
    statistics = record["artifact"]["mediaStatistics"]
    assert statistics["packetsReceived"] > 50
    assert statistics["callerPacketsReceived"] > 50, "what Asterisk measured of the caller's own leg"

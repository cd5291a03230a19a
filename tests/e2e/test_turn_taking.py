"""Who speaks when, in real calls: replies prepared in the pause, held and resumed, keys, hooks, waits."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from ari_assistant.phone.line import place_call
from tests.support.assistants import LONG
from tests.support.caller_voice import CallerVoice, read_wav, sounds_like, write_wav
from tests.support.chat_server import ChatServer
from tests.support.listening import ask, heard_something, speaking
from tests.support.running_server import RunningServer
from tests.support.webhook import Webhook

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(120)]

FACTS = {
    "provider": "built-in",
    "facts": [{"ask": ["when are you open", "opening hours"], "say": "From nine to five."}],
    "fallback": "I do not know that.",
}
ALL = ["speech-update", "transcript", "user-interrupted", "model-output", "voice-input", "tool-calls"]


async def number(running: RunningServer, **assistant: Any) -> str:
    """A new number with a new assistant; returns its user."""
    return await running.new_number(assistant)


def spliced(voices: CallerVoice, folder: Path, *texts: str, pause: float) -> Path:
    """Several utterances with a pause between them, in one file."""
    parts: list[Any] = []
    for text in texts:
        pcm = read_wav(voices.say(text, after=0.0))
        loud = np.flatnonzero(np.abs(pcm) > 400)
        parts += [pcm[loud[0] : loud[-1]], np.zeros(round(pause * 8000), np.int16)]
    parts[-1] = np.zeros(4000, np.int16)
    return write_wav(folder / "spliced.wav", np.concatenate(parts))


def said(record: dict[str, Any], role: str) -> list[str]:
    return [m["message"] for m in record["artifact"]["messages"] if m["role"] == role]


async def test_a_reply_that_was_prepared_in_vain_leaves_no_trace(
    running: RunningServer, voices: CallerVoice, chat: ChatServer, webhook: Webhook, heard: Path, tmp_path: Path
) -> None:
    chat.behaviour = chat.says("Certainly, ", "I have noted it.")
    rule = {"type": "customer", "regex": "table", "timeoutSeconds": 2}
    user = await number(
        running,
        model={"provider": "custom-llm", "url": chat.url},
        server={"url": webhook.url},
        serverMessages=ALL,
        startSpeakingPlan={"customEndpointingRules": [rule]},
    )
    clip = spliced(voices, tmp_path, "I would like to book a table.", "For two people tomorrow.", pause=1.0)
    async with place_call(running.uri(user), record=heard) as call:
        await call.wait_for("media")
        await asyncio.sleep(0.5)
        await ask(call, clip)
        await heard_something(heard)
    record = await running.ended_call(user)
    (words,) = said(record, "user")
    assert sounds_like(words.lower(), "book a table")
    assert sounds_like(words.lower(), "two people")
    assert said(record, "bot") == ["Certainly, I have noted it."]
    assert len([m for m in webhook.messages("transcript") if m["role"] == "user"]) == 1
    outputs = "".join(str(m["output"]) for m in webhook.messages("model-output"))
    assert outputs == "Certainly, I have noted it.", "what was prepared for the half sentence was told to nobody"
    metrics = record["artifact"]["performanceMetrics"]
    assert metrics["speculation"]["prepared"] >= 2
    assert record["costBreakdown"]["ttsCharacters"] == len("Certainly,") + len("I have noted it.")
    asked = [request["messages"][-1]["content"] for request in chat.requests if request.get("stream")]
    assert "two people" not in asked[0], "it was asked in the pause …"
    assert "two people" in asked[-1], "… and again at the end"


async def test_an_acknowledgement_lets_the_reply_go_on_where_it_was(
    running: RunningServer, voices: CallerVoice, heard: Path, webhook: Webhook
) -> None:
    user = await number(
        running,
        firstMessage=LONG,
        firstMessageInterruptionsEnabled=True,
        model=FACTS,
        server={"url": webhook.url},
        serverMessages=ALL,
    )
    async with place_call(running.uri(user), record=heard) as call:
        await call.wait_for("media")
        await speaking(heard)
        await asyncio.sleep(2.0)
        await ask(call, voices.say("Okay.", after=0.1))
        await heard_something(heard, quiet=1.5, timeout=60)
    record = await running.ended_call(user)
    assert said(record, "bot") == [LONG]
    assert said(record, "user") == []
    assert webhook.messages("user-interrupted") == []
    assert record["artifact"]["performanceMetrics"]["numAssistantInterrupted"] == 0
    assert sounds_like(voices.hear(heard), "the bridge came later")


async def test_when_words_are_counted_a_short_remark_is_talked_over(
    running: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    user = await number(
        running,
        firstMessage=LONG,
        firstMessageInterruptionsEnabled=True,
        model=FACTS,
        stopSpeakingPlan={"numWords": 3, "interruptionPhrases": []},
    )
    async with place_call(running.uri(user), record=heard) as call:
        await call.wait_for("media")
        await speaking(heard)
        await asyncio.sleep(1.0)
        await ask(call, voices.say("Good morning.", after=0.1))
        await asyncio.sleep(2.0)
        before = read_wav(heard).size
        await ask(call, voices.say("Excuse me, when are you open?", after=0.1))
        await heard_something(heard)
    record = await running.ended_call(user)
    assert np.abs(read_wav(heard)[before - 8000 : before]).max() > 1500, "two words did not stop it"
    assert record["artifact"]["performanceMetrics"]["numAssistantInterrupted"] == 1
    assert sounds_like(voices.hear(heard), "nine to five")


async def test_keys_become_what_the_caller_says(running: RunningServer, chat: ChatServer, heard: Path) -> None:
    chat.behaviour = chat.says("Thank you.")
    user = await number(
        running,
        firstMessage="Please enter your number.",
        model={"provider": "custom-llm", "url": chat.url},
        keypadInputPlan={"enabled": True, "timeoutSeconds": 0, "delimiters": "#"},
    )
    async with place_call(running.uri(user), record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
        call.dial("1234#")
        await heard_something(heard)
    record = await running.ended_call(user)
    assert said(record, "user") == ["User's Keypad Entry: 1234"]
    assert chat.requests[0]["messages"][-1]["content"] == "User's Keypad Entry: 1234"


async def test_a_silent_caller_is_spoken_to_and_the_hook_of_the_end_runs_its_tool(
    running: RunningServer, voices: CallerVoice, webhook: Webhook, heard: Path
) -> None:
    tool = {
        "type": "function",
        "function": {"name": "note", "parameters": {"type": "object", "properties": {}}},
        "server": {"url": webhook.url},
    }
    user = await number(
        running,
        firstMessage="Hello.",
        model=FACTS,
        silenceTimeoutSeconds=10,
        hooks=[
            {
                "on": "customer.speech.timeout[timeoutSeconds=2]",
                "do": [{"type": "say", "exact": "Are you still there?"}],
                "options": {"triggerMaxCount": 1},
            },
            {"on": "call.timeElapsed", "options": {"seconds": 7}, "do": [{"type": "say", "exact": "Time flies."}]},
            {
                "on": "call.ending",
                "filters": [{"type": "oneOf", "key": "call.endedReason", "oneOf": ["customer-ended-call"]}],
                "do": [{"type": "tool", "tool": tool}],
            },
        ],
    )
    async with place_call(running.uri(user), record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard, quiet=0.5)
        await heard_something(heard, quiet=0.5)
        await heard_something(heard, quiet=0.5)
    record = await running.ended_call(user)
    assert said(record, "bot") == ["Hello. Are you still there? Time flies."]
    message = await webhook.wait_for("tool-calls")
    assert message["toolCallList"][0]["name"] == "note"
    assert sounds_like(voices.hear(heard), "are you still there")


async def test_after_an_interruption_the_hook_speaks_before_the_answer(
    running: RunningServer, voices: CallerVoice, heard: Path
) -> None:
    user = await number(
        running,
        firstMessage=LONG,
        firstMessageInterruptionsEnabled=True,
        model=FACTS,
        hooks=[{"on": "assistant.speech.interrupted", "do": [{"type": "say", "exact": ["Sorry, go ahead."]}]}],
    )
    async with place_call(running.uri(user), record=heard) as call:
        await call.wait_for("media")
        await speaking(heard)
        await asyncio.sleep(1.0)
        await ask(call, voices.say("When are you open?", after=0.1))
        await heard_something(heard)
    record = await running.ended_call(user)
    assert said(record, "bot")[-1] == "Sorry, go ahead. From nine to five."


async def test_the_assistants_own_server_says_how_long_to_wait(
    running: RunningServer, voices: CallerVoice, webhook: Webhook, heard: Path
) -> None:
    async def wait(_: dict[str, Any]) -> web.StreamResponse:
        return web.json_response({"timeoutSeconds": 1.8})

    webhook.replies["call.endpointing.request"] = wait
    plan = {"provider": "custom-endpointing-model", "server": {"url": webhook.url}}
    user = await number(running, model=FACTS, startSpeakingPlan={"smartEndpointingPlan": plan})
    async with place_call(running.uri(user), record=heard) as call:
        await call.wait_for("media")
        await asyncio.sleep(0.5)
        await ask(call, voices.say("When are you open?", after=0.1))
        await heard_something(heard)
    record = await running.ended_call(user)
    request = webhook.messages("call.endpointing.request")[0]
    assert sounds_like(request["messagesOpenAIFormatted"][-1]["content"].lower(), "when are you open")
    (turn,) = record["artifact"]["performanceMetrics"]["turnLatencies"]
    assert turn["endpointingLatency"] >= 1_750


async def test_text_is_said_as_people_say_it_and_kept_as_it_was_written(
    running: RunningServer, chat: ChatServer, voices: CallerVoice, webhook: Webhook, heard: Path
) -> None:
    chat.behaviour = chat.says("It costs $25. ", "Call 555-123-4567.")
    user = await number(
        running,
        model={"provider": "custom-llm", "url": chat.url},
        server={"url": webhook.url},
        serverMessages=ALL,
    )
    async with place_call(running.uri(user), record=heard) as call:
        await call.wait_for("media")
        await asyncio.sleep(0.5)
        await ask(call, voices.say("How much does it cost?"))
        await heard_something(heard)
    record = await running.ended_call(user)
    assert said(record, "bot") == ["It costs $25. Call 555-123-4567."]
    inputs = [message["input"] for message in webhook.messages("voice-input")]
    assert inputs == ["It costs twenty-five dollars.", "Call five five five, one two three, four five six seven."]
    assert sounds_like(voices.hear(heard), "twenty five dollars")

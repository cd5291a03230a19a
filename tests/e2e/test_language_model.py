"""A call answered by an OpenAI-compatible endpoint: clause by clause, cancelled when the caller interrupts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ari_assistant.phone.line import place_call
from tests.support.caller_voice import CallerVoice, sounds_like
from tests.support.chat_server import ChatServer
from tests.support.listening import ask, heard_something, speaking
from tests.support.running_server import RunningServer

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(120)]


async def number(running: RunningServer, chat: ChatServer) -> str:
    """The URI of a new number whose callers speak with the model."""
    prompt = {"role": "system", "content": "You speak with {{first_name}}."}
    assistant = {"firstMessage": "Hello {{first_name}}.", "model": chat.model(messages=[prompt])}
    return running.uri(await running.new_number(assistant))


async def test_the_reply_is_spoken_while_it_is_still_being_made(
    running: RunningServer, voices: CallerVoice, chat: ChatServer, heard: Path
) -> None:
    finished = asyncio.Event()

    async def slowly(request, body):  # type: ignore[no-untyped-def]
        texts = ["Nobody knows ", "the answer to that. ", *["And more and more. "] * 4]
        response = await chat.says(*texts, pause=0.8)(request, body)
        finished.set()
        return response

    chat.behaviour = slowly
    uri = await number(running, chat)
    async with place_call(uri, headers=["X-First_Name: John"], record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
        await ask(call, voices.say("Tell me about the garden."))
        await speaking(heard)
        assert not finished.is_set(), "the first clause is heard before the model has finished"
        await heard_something(heard, quiet=2.0, timeout=40)
    assert sounds_like(voices.hear(heard), "nobody knows the answer to that")
    messages = chat.requests[0]["messages"]
    assert messages[0] == {"role": "system", "content": "You speak with John."}
    assert messages[1] == {"role": "assistant", "content": "Hello John."}
    assert messages[2]["role"] == "user"
    assert "garden" in messages[2]["content"]


async def test_an_interruption_cancels_the_model_and_it_is_told_only_what_was_heard(
    running: RunningServer, voices: CallerVoice, chat: ChatServer, heard: Path
) -> None:
    chat.behaviour = chat.says(*["This story goes on for ever and ever, my friend. "] * 60, pause=0.5)
    uri = await number(running, chat)
    async with place_call(uri, headers=["X-First_Name: Amy"], record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
        await ask(call, voices.say("Please tell me a story."))
        await speaking(heard)
        await asyncio.sleep(2.5)
        chat.behaviour = chat.says("Certainly, I have stopped.")
        await ask(call, voices.say("Thank you, that is enough now."))
        async with asyncio.timeout(10):
            await chat.cancelled.wait()
        await heard_something(heard, quiet=1.5)
    assert sounds_like(voices.hear(heard), "i have stopped")
    told = chat.requests[1]["messages"]
    assert [m["role"] for m in told] == ["system", "assistant", "user", "assistant", "user"]
    assert told[3]["content"].startswith("This story goes on")
    assert told[3]["content"].count("story") < 5


async def test_a_model_that_fails_is_apologised_for_and_asked_again(
    running: RunningServer, voices: CallerVoice, chat: ChatServer, heard: Path
) -> None:
    async def broken(request, body):  # type: ignore[no-untyped-def]
        request.transport.abort()

    chat.behaviour = broken
    uri = await number(running, chat)
    async with place_call(uri, headers=["X-First_Name: Bob"], record=heard) as call:
        await call.wait_for("media")
        await heard_something(heard)
        await ask(call, voices.say("Can you hear me?"))
        await heard_something(heard)
        chat.behaviour = chat.says("Now it works again.")
        await ask(call, voices.say("Can you hear me?"))
        await heard_something(heard)
    words = voices.hear(heard)
    assert sounds_like(words, "something went wrong")
    assert sounds_like(words, "works again")

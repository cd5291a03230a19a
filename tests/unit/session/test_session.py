"""A whole conversation with a clock of the test's: the real session, and fakes for who listens, thinks and speaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ari_assistant.assistants.resolved import ResolvedAssistant
from ari_assistant.audio.frame import Pcm
from ari_assistant.conversation.ending import END_PHRASE, MAX_DURATION, MEDIA_LOST, SILENCE, Ending
from ari_assistant.dialogue.history import History
from ari_assistant.dialogue.variables import Variables
from ari_assistant.providers.model import TextDelta
from ari_assistant.session.interfaces import Surroundings
from ari_assistant.session.options import ConversationOptions
from ari_assistant.session.session import Session
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.destination import Destination

QUIET = np.zeros(160, np.int16)
NOISE = np.random.default_rng(11).integers(-3000, 3000, 8000 * 5).astype(np.int16)
LOUD = NOISE[:160]


class Voice:
    """Every clause lasts five seconds."""

    name = "voice"

    async def synthesize(self, text: str, *, rate: int) -> AsyncGenerator[Pcm, None]:
        yield NOISE[::-1] // 3


class Model:
    """Always the same answer; `wait` holds it back."""

    name = "model"

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.go = asyncio.Event()
        self.go.set()

    async def reply(self, request: Any) -> AsyncGenerator[TextDelta, None]:
        self.asked.append(request)
        await self.go.wait()
        yield TextDelta("This is a long answer.")


class Transcriber:
    """Understands `text`."""

    name = "transcriber"
    text = "What are your opening hours?"

    async def transcribe(self, pcm: Pcm, *, rate: int) -> str:
        return self.text


class Stream:
    """What the session plays, counted."""

    number, rate, gone = 1, 8000, False
    recording_fault: str | None = None

    def __init__(self) -> None:
        self.listener: Any = None
        self.statistics: JsonObject = {}
        self.queued = 0
        self.sent = 0
        """Since the last flush."""

    def play(self, pcm: Pcm) -> None:
        self.queued += pcm.size

    def flush(self) -> None:
        self.queued = self.sent = 0

    def fill_silence(self, pcm: Pcm) -> None: ...

    def set_background(self, pcm: Pcm) -> None: ...

    async def aclose(self) -> None: ...


class Messages:
    """A server that wants everything."""

    server = None

    def __init__(self) -> None:
        self.sent: list[tuple[str, JsonObject]] = []

    def send(self, kind: str, **fields: Any) -> None:
        self.sent.append((kind, fields))

    def send_transcript(self, *_: Any, **__: Any) -> None: ...

    def wants(self, kind: str) -> bool:
        return False

    def common(self) -> JsonObject:
        return {}


class Talk:
    """One conversation; time passes only in `passes`."""

    def __init__(self, **assistant: Any) -> None:
        loop = asyncio.get_running_loop()
        self.now = loop.time()
        loop.time = lambda: self.now  # type: ignore[method-assign]
        self.ended: list[Ending] = []
        self.stream = Stream()
        self.model = Model()
        self.transcriber = Transcriber()
        self.messages = Messages()
        document = {"firstMessageMode": "assistant-waits-for-user", "silenceTimeoutSeconds": 5, **assistant}
        given: Any = Assistant.model_validate(document), self.model, None, Voice(), self.transcriber, None, {}
        cast: Any = ResolvedAssistant(*given)

        self.transfers: list[str | None] = []
        self.task: asyncio.Task[None]

        async def transfer(destination: Destination) -> None:
            self.transfers.append(destination.sip_uri)
            self.session.step_aside()

        async def nothing(*_: Any) -> None: ...

        surroundings = Surroundings(
            messages=self.messages,  # type: ignore[arg-type]
            control=SimpleNamespace(end=self.ended.append, transfer=transfer, press=nothing),
            requests=None,  # type: ignore[arg-type]
            stored_tools=None,  # type: ignore[arg-type]
            voice_activity=SimpleNamespace(add=lambda *_: None, remove=lambda *_: None),  # type: ignore[arg-type]
            end_of_turn=None,
            background=None,  # type: ignore[arg-type]
        )
        log = get_logger("test")
        variables = Variables({}, History(), log=log)
        options = ConversationOptions(call_id="call", rate=8000)
        self.session = Session(cast, variables, surroundings, options, log=log)

    async def passes(self, seconds: float, *, voice: bool = False) -> None:
        """Time, with the caller's voice or without, and the line that plays what it was given."""
        for _ in range(round(seconds / 0.02)):
            self.now += 0.02
            frame = LOUD if voice else QUIET
            self.session.heard(frame, frame, voice, self.now)
            if self.stream.sent < self.stream.queued:
                self.stream.sent += 160
                self.session.played(self.stream.sent, self.now)
            self.session.tick(self.now)
            for _ in range(5):
                await asyncio.sleep(0)

    async def asks(self, seconds: float = 1.0) -> None:
        """The caller speaks for so long, and their turn is over."""
        await self.passes(seconds, voice=True)
        await self.passes(1.0)

    def speaks(self) -> bool:
        """The assistant is being heard: what was queued last is not all sent."""
        return self.stream.sent < self.stream.queued

    @property
    def history(self) -> list[tuple[str, str]]:
        """Who said what."""
        return [(entry.role, entry.text) for entry in self.session.history.entries]


@asynccontextmanager
async def talk(tmp_path: Path, **assistant: Any) -> AsyncGenerator[Talk, None]:
    held = Talk(**assistant)
    held.task = task = asyncio.create_task(held.session.run(held.stream, started_ms=0))
    await asyncio.sleep(0)
    try:
        yield held
    finally:
        del asyncio.get_running_loop().time
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


DELIMITER = {"enabled": True, "delimiters": "#", "timeoutSeconds": 0}


async def test_a_delimiter_alone_skips_the_reply_and_the_silence_that_follows_ends_the_call(
    tmp_path: Path,
) -> None:
    async with talk(tmp_path, keypadInputPlan=DELIMITER) as call:
        await call.asks()
        assert call.speaks()
        call.session.key("#")
        assert not call.speaks()
        await call.passes(4.0)
        assert call.ended == []
        await call.passes(2.0)
        assert call.ended == [SILENCE]


async def test_after_a_delimiter_alone_the_callers_next_words_are_answered(tmp_path: Path) -> None:
    async with talk(tmp_path, keypadInputPlan=DELIMITER) as call:
        await call.asks()
        call.session.key("#")
        call.transcriber.text = "Yeah."
        await call.asks(0.5)
        assert call.speaks()
        assert ("user", "Yeah.") in call.history


async def test_a_delimiter_alone_takes_no_words_from_a_caller_who_waits_for_the_answer(tmp_path: Path) -> None:
    async with talk(tmp_path, keypadInputPlan=DELIMITER) as call:
        call.model.go.clear()
        await call.asks()
        call.session.key("#")
        call.model.go.set()
        await call.passes(0.5)
        assert call.speaks()
        assert call.history[0] == ("user", call.transcriber.text)


async def test_keys_while_the_answer_is_being_made_are_answered_with_what_was_asked_before(tmp_path: Path) -> None:
    async with talk(tmp_path, keypadInputPlan=DELIMITER) as call:
        call.model.go.clear()
        await call.asks()
        for key in "12#":
            call.session.key(key)
        call.model.go.set()
        await call.passes(1.0)
        assert call.speaks()
        assert call.history[:2] == [("user", call.transcriber.text), ("user", "User's Keypad Entry: 12")]


async def test_who_presses_a_key_and_nothing_more_does_not_hold_the_line_for_ever(tmp_path: Path) -> None:
    async with talk(tmp_path, keypadInputPlan=DELIMITER) as call:
        await call.asks()
        call.session.key("1")
        assert not call.speaks()
        await call.passes(6.0)
        assert call.ended == [SILENCE]


@pytest.mark.parametrize("keys", ["#", "1"])
async def test_a_key_leaves_a_protected_greeting_alone(tmp_path: Path, keys: str) -> None:
    async with talk(
        tmp_path, keypadInputPlan=DELIMITER, firstMessage="Hello.", firstMessageMode="assistant-speaks-first"
    ) as call:
        call.session.key(keys)  # before the first sound
        await call.passes(1.0)
        assert call.speaks()
        call.session.key(keys)
        await call.passes(0.1)
        assert call.speaks()


async def test_on_hold_the_assistant_is_silent_and_says_the_cut_sentence_again_afterwards(tmp_path: Path) -> None:
    async with talk(tmp_path) as call:
        await call.asks()
        assert call.speaks()
        call.session.hold(True)
        assert not call.speaks()
        await call.passes(30.0, voice=True)  # the music of their telephone
        assert call.ended == []
        assert len(call.model.asked) == 1, "music is no question"
        call.session.hold(False)
        await call.passes(0.02)
        assert call.stream.queued == NOISE.size, "the whole sentence"
        await call.passes(5.2)
        assert call.history[-1] == ("bot", "This is a long answer.")
        await call.passes(6.0)
        assert call.ended == [SILENCE], "silence counts again"


async def test_an_answer_that_becomes_ready_on_hold_waits_for_the_caller(tmp_path: Path) -> None:
    async with talk(tmp_path) as call:
        call.model.go.clear()
        await call.asks()
        call.session.hold(True)
        call.model.go.set()
        await call.passes(3.0)
        assert call.stream.queued == 0
        call.session.hold(False)
        await call.passes(1.0)
        assert call.speaks()
        assert not [kind for kind, _ in call.messages.sent if kind == "hang"], "nobody kept them waiting"


async def test_the_longest_duration_ends_a_call_on_hold_without_a_farewell(tmp_path: Path) -> None:
    async with talk(tmp_path, maxDurationSeconds=10, endCallMessage="Goodbye.") as call:
        call.session.hold(True)
        await call.passes(11.0)
        assert call.ended[0] == MAX_DURATION
        assert call.stream.queued == 0


IDLE = {"on": "customer.speech.timeout[timeoutSeconds=2]", "do": [{"type": "say", "exact": "Are you there?"}]}
ELAPSED = {"on": "call.timeElapsed[seconds=6]", "do": [{"type": "say", "exact": "Six seconds."}]}


async def test_while_somebody_else_has_the_caller_no_clock_word_or_key_of_ours_counts(tmp_path: Path) -> None:
    async with talk(
        tmp_path, maxDurationSeconds=10, hooks=[IDLE, ELAPSED], keypadInputPlan={"enabled": True}
    ) as call:
        call.session.step_aside()
        await call.passes(6.0, voice=True)
        call.session.key("1")
        await call.passes(10.0)
        assert call.ended == []
        assert call.stream.queued == 0
        assert call.model.asked == []


async def test_when_the_caller_is_not_taken_the_conversation_goes_on_with_its_clocks_from_the_beginning(
    tmp_path: Path,
) -> None:
    async with talk(tmp_path, maxDurationSeconds=10) as call:
        await call.passes(4.0)
        call.session.step_aside()
        await call.passes(20.0)
        call.session.come_back()
        await call.passes(4.0)
        assert call.ended == [], "neither 5 seconds of silence nor 10 of conversation"
        await call.asks()
        assert call.speaks()


async def test_a_media_leg_that_is_lost_while_the_caller_is_handed_over_ends_the_call_only_if_they_come_back(
    tmp_path: Path,
) -> None:
    async with talk(tmp_path) as call:
        call.session.step_aside()
        call.session.media_left(MEDIA_LOST)
        await call.passes(2.0)
        assert call.ended == []
        call.session.come_back()
        assert call.ended == [MEDIA_LOST]


async def test_handing_over_cuts_what_is_being_said(tmp_path: Path) -> None:
    async with talk(tmp_path, firstMessage="Hello.", firstMessageMode="assistant-speaks-first") as call:
        await call.passes(1.0)
        assert call.speaks()
        call.session.step_aside()
        assert not call.speaks()
        call.session.come_back()
        await call.asks()
        assert call.speaks()


async def test_a_first_message_with_an_end_call_phrase_ends_the_call_when_it_has_been_heard(
    tmp_path: Path,
) -> None:
    async with talk(
        tmp_path,
        firstMessage="Goodbye until Monday.",
        firstMessageMode="assistant-speaks-first",
        endCallPhrases=["Goodbye"],
    ) as call:
        await call.passes(4.5)
        assert call.ended == []
        await call.passes(1.0)
        assert call.ended == [END_PHRASE]


async def test_another_assistant_takes_over_in_the_middle_of_a_call_and_knows_what_was_said(
    tmp_path: Path,
) -> None:
    async with talk(tmp_path, endCallMessage="The first says goodbye.") as call:
        await call.asks()
        assert call.speaks()
        second = Model()
        document = {"firstMessage": "I am new.", "silenceTimeoutSeconds": 20}
        given: Any = Assistant.model_validate(document), second, None, Voice(), call.transcriber, None, {}
        await call.session.take_over(ResolvedAssistant(*given))
        await call.passes(5.5)
        assert call.history[-1] == ("bot", "I am new.")
        await call.asks()
        assert len(second.asked) == 1
        asked = [message.content for message in second.asked[0].messages]
        assert call.transcriber.text in asked, "what the first was asked"
        assert len(call.model.asked) == 1
        started = [fields for kind, fields in call.messages.sent if kind == "assistant.started"]
        assert [one["newAssistant"].get("firstMessage") for one in started] == [None, "I am new."]
        await call.passes(12.0)
        assert call.ended == [], "the new one waits for twenty seconds"


class SlowStream:
    """A transcriber that takes its time to close."""

    name = "stream"
    confidence: float | None = None

    def __init__(self) -> None:
        self.may_close = asyncio.Event()

    async def run(self) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await self.may_close.wait()

    def push(self, caller: Pcm, assistant: Pcm) -> None: ...

    def reset(self) -> None: ...

    async def words(self) -> str:
        return "Good bye."


async def test_what_is_heard_of_while_a_conversation_ends_leads_to_nothing(tmp_path: Path) -> None:
    async with talk(tmp_path, keypadInputPlan=DELIMITER) as call:
        stream = SlowStream()
        given: Any = (
            Assistant.model_validate({"keypadInputPlan": DELIMITER}),
            call.model,
            None,
            Voice(),
            call.transcriber,
            stream,
            {},
        )
        await call.session.take_over(ResolvedAssistant(*given))
        await call.passes(0.5, voice=True)
        call.task.cancel()
        for _ in range(3):
            await asyncio.sleep(0)
        for key in "12#":
            call.session.key(key)  # the telephone system's reader calls this: nothing may be thrown at it
        await call.passes(1.5)
        assert not call.task.done(), "the stream is still closing"
        assert call.model.asked == []
        stream.may_close.set()


async def test_of_two_hooks_that_send_the_caller_on_at_once_the_first_does(tmp_path: Path) -> None:
    def send_on(uri: str) -> JsonObject:
        action = {"type": "transfer", "destination": {"type": "sip", "sipUri": uri}}
        return {"on": "call.timeElapsed[seconds=1]", "do": [action]}

    async with talk(tmp_path, hooks=[send_on("sip:one@pbx.example"), send_on("sip:two@pbx.example")]) as call:
        await call.passes(1.2)
        assert call.transfers == ["sip:one@pbx.example"]

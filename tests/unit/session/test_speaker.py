"""Saying a reply: when it may be heard, what the voice is given, and what happens when one fails."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, cast

import numpy as np
import pytest

from ari_assistant.audio.frame import Pcm
from ari_assistant.media.handle import MediaStream
from ari_assistant.providers.errors import ProviderError
from ari_assistant.session.audio_output import AudioOutput
from ari_assistant.session.clock import CallClock
from ari_assistant.session.options import Prompts
from ari_assistant.session.reply import Reply, as_clauses
from ari_assistant.session.speaker import Speaker, is_audio_url
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.server import ServerFailed
from tests.support.conversation import FakeMessages, resolved_assistant
from tests.support.tones import tone

URL = "https://files.example/hello.wav"


class Voice:
    """Says everything in a tenth of a second, and cannot say `Broken`; `hoarse`, nothing."""

    name = "voice"

    def __init__(self, *, hoarse: bool = False) -> None:
        self.said: list[str] = []
        self.hoarse = hoarse

    async def synthesize(self, text: str, *, rate: int = 8_000) -> AsyncGenerator[Pcm, None]:
        self.said.append(text)
        if self.hoarse or "Broken" in text:
            raise ProviderError("voice", "broken")
        yield tone(1000, 0.1)


class Stream:
    """Counts what it is given, and sends it frame by frame."""

    recording_fault = None

    def __init__(self) -> None:
        self.queued = self.sent = 0
        self.between: list[Pcm] = []
        self.background: Pcm | None = None

    def play(self, pcm: Pcm) -> None:
        self.queued += pcm.size

    def flush(self) -> None:
        self.queued = self.sent = 0

    def fill_silence(self, pcm: Pcm) -> None:
        self.between.append(pcm)

    def set_background(self, pcm: Pcm) -> None:
        self.background = pcm


class Files:
    """What can be downloaded."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    async def request(self, *_: Any, **__: Any) -> tuple[int, str]:
        raise AssertionError("nobody asks")

    async def download(self, url: str) -> bytes:
        if url not in self.files:
            raise ServerFailed("404")
        return self.files[url]


class Mouth:
    """A speaker whose line is open, and the reply that it is to say."""

    def __init__(self, *, opened: bool = True, confirmed: bool = True) -> None:
        self.voice, self.stream, self.files = Voice(), Stream(), Files()
        self.messages, self.clock, self.output = FakeMessages(), CallClock(), AudioOutput(rate=8_000)
        self.output.attach(cast(MediaStream, self.stream))
        self.speaker = Speaker(
            self.resolved(self.voice), self.output, self.files, Prompts(), self.clock, log=get_logger("test")
        )
        if opened:
            self.speaker.begin()
        self.reply = Reply(1, 7, self.messages, confirmed=confirmed)

    @staticmethod
    def resolved(voice: Voice) -> Any:
        made: Any = resolved_assistant()
        object.__setattr__(made, "voice", voice)
        return made

    def speaks(self, *clauses: str) -> asyncio.Task[str | None]:
        return asyncio.create_task(self.speaker.speak(self.reply, as_clauses(clauses)))

    async def passes(self, over: Callable[[], bool]) -> None:
        """20 ms after the other go out, until it is `over`."""
        while not over():
            if self.stream.sent < self.stream.queued:
                self.stream.sent += 160
                self.output.played(self.stream.sent)
            self.speaker.tick()
            await asyncio.sleep(0)

    async def heard(self, speaking: asyncio.Task[str | None]) -> str | None:
        """Until it has been said; what failed."""
        await self.passes(speaking.done)
        return speaking.result()


async def settled() -> None:
    """Whatever can happen has happened."""
    for _ in range(20):
        await asyncio.sleep(0)


def wav(pcm: Pcm) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as made:
        made.setnchannels(1)
        made.setsampwidth(2)
        made.setframerate(8_000)
        made.writeframes(pcm.tobytes())
    return file.getvalue()


async def test_a_reply_is_said_clause_by_clause_and_over_when_it_has_been_heard() -> None:
    mouth = Mouth()
    speaking = mouth.speaks("Hello.", "It costs $5.")
    await settled()
    assert not speaking.done()
    assert mouth.output.playout.text == "Hello. It costs $5."
    assert await mouth.heard(speaking) is None
    assert mouth.stream.sent == mouth.stream.queued > 0
    assert mouth.voice.said == ["Hello.", "It costs five dollars."]
    assert mouth.reply.used.voice_characters == sum(map(len, mouth.voice.said))
    assert mouth.messages.kinds == ["voice-input", "assistant.speechStarted"] * 2


async def test_a_reply_that_is_not_confirmed_is_prepared_to_its_first_sound_and_unheard() -> None:
    mouth = Mouth(confirmed=False)
    speaking = mouth.speaks("Hello.")
    await settled()
    assert mouth.voice.said == ["Hello."]
    assert (mouth.stream.queued, mouth.messages.sent) == (0, [])
    mouth.reply.confirm(not_before=float("-inf"))
    assert await mouth.heard(speaking) is None
    assert mouth.stream.queued > 0


async def test_a_confirmed_reply_waits_for_the_moment_at_which_it_may_be_heard() -> None:
    mouth = Mouth(confirmed=False)
    may = mouth.clock.now() + 0.05
    mouth.reply.confirm(not_before=may)
    speaking = mouth.speaks("Hello.")
    await mouth.passes(lambda: mouth.output.playout.turn is not None)
    assert mouth.clock.now() >= may
    await mouth.heard(speaking)


async def test_until_the_far_end_hears_words_none_is_said() -> None:
    mouth = Mouth(opened=False)
    speaking = mouth.speaks("Hello.")
    await settled()
    assert mouth.stream.queued == 0
    mouth.speaker.begin()
    await mouth.heard(speaking)


async def test_a_voice_that_fails_is_excused_by_another_sentence() -> None:
    mouth = Mouth()
    assert await mouth.heard(mouth.speaks("Broken.")) == "pipeline-error-voice-voice-failed"
    assert mouth.voice.said == ["Broken.", Prompts().trouble]


async def test_a_model_that_fails_is_told_from_a_voice() -> None:
    async def clauses() -> AsyncGenerator[str, None]:
        yield "Hello."
        raise ProviderError("openai", "overloaded")

    mouth = Mouth()
    speaking = asyncio.create_task(mouth.speaker.speak(mouth.reply, clauses()))
    assert await mouth.heard(speaking) == "pipeline-error-openai-llm-failed"


async def test_whatever_fails_an_apology_that_fails_too_ends_the_reply(log_lines: list[dict[str, Any]]) -> None:
    mouth = Mouth()
    mouth.speaker._prompts = Prompts(trouble="Broken.")
    assert await mouth.heard(mouth.speaks("Broken.")) is not None
    assert [line["event"] for line in log_lines] == ["reply_provider_failed", "apology_failed"]


async def test_the_first_clause_is_synthesised_before_the_answer_and_counted_in_the_call() -> None:
    mouth = Mouth()
    await mouth.speaker.prepare("Hello there. Welcome.")
    await mouth.heard(mouth.speaks("Hello there.", "Welcome."))
    assert mouth.voice.said == ["Hello there.", "Welcome."]
    assert mouth.reply.used.voice_characters == len("Hello there.Welcome.")


@pytest.mark.parametrize("text", [None, "", "Broken."])
async def test_preparing_what_cannot_be_said_fails_nothing(text: str | None) -> None:
    mouth = Mouth()
    await mouth.speaker.prepare(text)
    assert not mouth.speaker.has_prepared


async def test_a_first_message_may_be_a_file() -> None:
    mouth = Mouth()
    mouth.files.files[URL] = wav(tone(500, 0.2))
    await mouth.speaker.prepare(URL)
    assert mouth.speaker.has_prepared
    await mouth.heard(mouth.speaks(URL))
    assert mouth.stream.queued == 1_600
    assert (mouth.voice.said, mouth.reply.used.voice_characters) == ([], 0)


@pytest.mark.parametrize(
    ("wanted", "event"), [("prepare", "first_message_audio_failed"), ("back", "background_failed")]
)
async def test_a_file_that_is_none_is_logged(wanted: str, event: str, log_lines: list[dict[str, Any]]) -> None:
    mouth = Mouth()
    fetch: Callable[[str], Awaitable[None]] = (
        mouth.speaker.prepare if wanted == "prepare" else mouth.speaker.prepare_background
    )
    await fetch(URL)
    mouth.files.files[URL] = b"no sound"
    await fetch(URL)
    assert [line["event"] for line in log_lines] == [event, event]
    assert not mouth.speaker.has_prepared


async def test_a_background_is_an_office_a_file_or_none() -> None:
    backgrounds: list[Pcm | None] = []
    for wanted in ("off", "office", URL):
        mouth = Mouth()
        mouth.files.files[URL] = wav(tone(500, 0.2))
        await mouth.speaker.prepare_background(wanted)
        backgrounds.append(mouth.stream.background)
    none, office, file = backgrounds
    assert none is None
    assert office is not None
    assert file is not None
    assert np.array_equal(file, tone(500, 0.2))
    assert not np.array_equal(office, file)


async def test_a_backchannel_stands_beside_all_replies_and_never_fails_one(
    log_lines: list[dict[str, Any]],
) -> None:
    mouth = Mouth()
    await mouth.speaker.backchannel()
    assert len(mouth.stream.between) == 1
    assert mouth.stream.queued == 0
    mouth.speaker.use(mouth.resolved(Voice(hoarse=True)))
    await mouth.speaker.backchannel()
    assert [line["event"] for line in log_lines] == ["hum_failed"]


async def test_another_assistant_speaks_with_its_own_voice() -> None:
    mouth, other = Mouth(), Voice()
    mouth.speaker.use(mouth.resolved(other))
    await mouth.heard(mouth.speaks("Hello."))
    assert (mouth.voice.said, other.said) == ([], ["Hello."])


async def test_who_waits_until_all_is_played_waits_for_the_last_frame() -> None:
    mouth = Mouth()
    speaking = mouth.speaks("Hello.")
    await settled()
    waiting = asyncio.create_task(mouth.speaker.wait_until_played())
    await settled()
    assert not waiting.done()
    await mouth.passes(waiting.done)
    assert mouth.stream.sent == mouth.stream.queued
    await mouth.heard(speaking)


def test_an_address_with_words_around_it_is_no_file() -> None:
    assert is_audio_url(URL)
    assert not is_audio_url(f"See {URL}")

"""Saying a reply: clause by clause through the voice into the playout."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import numpy as np

from ari_assistant.assistants.resolved import ResolvedAssistant
from ari_assistant.audio.frame import Pcm
from ari_assistant.audio.trim import trim_leading_silence
from ari_assistant.audio.wav import read_wav
from ari_assistant.dialogue.clauses import plain
from ari_assistant.dialogue.spoken import Formatting, format_plan, spoken_form
from ari_assistant.providers.errors import ProviderError
from ari_assistant.session.audio_output import AudioOutput
from ari_assistant.session.clock import CallClock
from ari_assistant.session.interfaces import Requests
from ari_assistant.session.options import Prompts
from ari_assistant.session.reply import Reply, split_clauses
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.server import ServerFailed

__all__ = ["Speaker", "is_audio_url", "speaking_plan"]

log = get_logger("session.speaker")

_BACKCHANNEL = "Mm-hmm."
_AUDIO_URL = re.compile(r"https?://\S+")


class Speaker:
    """The assistant's mouth. A reply that is not confirmed is prepared up to its first sound, and waits there."""

    def __init__(
        self,
        resolved: ResolvedAssistant,
        output: AudioOutput,
        requests: Requests,
        prompts: Prompts,
        clock: CallClock,
        *,
        log: Any,
    ) -> None:
        self._output = output
        self._requests = requests
        self._prompts = prompts
        self._clock = clock
        self._log = log
        self._prepared: tuple[str, list[Pcm]] | None = None
        self._over = asyncio.Event()
        self._all_played = asyncio.Event()
        self._open_for_words = asyncio.Event()
        self.failures = 0
        """So many replies in a row were failed by a provider."""
        self._voice = resolved.voice
        self._plan = speaking_plan(resolved.assistant)

    def use(self, resolved: ResolvedAssistant) -> None:
        """Speak as this assistant does from now on."""
        self._voice = resolved.voice
        self._plan = speaking_plan(resolved.assistant)

    # -- before the call is answered ------------------------------------------------------------------------

    async def prepare(self, text: str | None) -> None:
        """Have the first clause of the first message ready. Never raises."""
        if text is not None and is_audio_url(text):
            await self._fetch_audio(text)
            return
        clauses = split_clauses(text) if text else []
        try:
            async with asyncio.timeout(3.0):
                self._prepared = (clauses[0], [pcm async for pcm in self._synthesize(clauses[0])])
        except (ProviderError, TimeoutError, IndexError):
            pass  # the reply itself will meet the fault again, and say so

    async def _fetch_audio(self, url: str) -> None:
        """A first message that is the URL of an audio file (§2). Without the file the assistant begins in silence."""
        try:
            data = await self._requests.download(url)
            self._prepared = (url, [await asyncio.to_thread(read_wav, data, self._output.rate)])
        except (ServerFailed, ValueError) as fault:
            self._log.error("first_message_audio_failed", url=url, reason=str(fault), hint="a WAV file is needed")

    async def prepare_background(self, wanted: str | None) -> None:
        """`backgroundSound`: `office`, or the URL of a WAV file. Never raises: without it the line is quiet."""
        if wanted == "office":
            self._output.set_background()
        elif wanted is not None and is_audio_url(wanted):
            try:
                data = await self._requests.download(wanted)
                pcm = await asyncio.to_thread(read_wav, data, self._output.rate)
                if pcm.size:
                    self._output.set_background(pcm)
            except (ServerFailed, ValueError) as fault:
                self._log.error("background_failed", url=wanted, reason=str(fault), hint="a WAV file is needed")

    async def backchannel(self) -> None:
        """Let the caller know that they are heard (`backchannelingEnabled`): outside every reply. Never raises."""
        try:
            async with aclosing(self._voice.synthesize(_BACKCHANNEL, rate=self._output.rate)) as audio:
                async for pcm in audio:
                    self._output.interject(pcm)
        except ProviderError as fault:
            self._log.warning("hum_failed", reason=str(fault))
        except Exception:
            self._log.exception("hum_failed")

    @property
    def has_prepared(self) -> bool:
        """The first message's audio waits."""
        return self._prepared is not None

    # -- a reply --------------------------------------------------------------------------------------------

    async def speak(self, reply: Reply, clauses: AsyncGenerator[str, None]) -> str | None:
        """Say the clauses as they come; returns when they have been heard. A provider's fault is told to the caller in
        a short sentence that was synthesised beforehand; returns which stage failed (`llm`, `voice`), or None."""
        failed: str | None = None
        who = "llm"
        try:
            async with aclosing(clauses):
                async for clause in clauses:
                    reply.times.first_clause = reply.times.first_clause or self._clock.now()
                    who = "voice"
                    await self._say(reply, clause)
                    who = "llm"
            self.failures = 0
        except ProviderError as fault:
            self._log.error("reply_provider_failed", turn=reply.turn, provider=fault.provider, reason=str(fault))
            self.failures += 1
            failed = f"pipeline-error-{fault.provider}-{who}-failed"
            await self._apologise(reply)
        await reply.confirmed.wait()
        if self._output.playout.turn == reply.turn:
            self._output.playout.finish(reply.turn)
            self._over.clear()
            await self._over.wait()
        return failed

    def begin(self) -> None:
        """From now on words are heard at the far end (`turns.opening`); what was to be said before has waited."""
        self._open_for_words.set()

    def tick(self) -> None:
        """A frame went out."""
        if self._output.playout.drained:
            self._over.set()
        if not self._output.playout.queued:
            self._all_played.set()

    async def wait_until_played(self) -> None:
        """Until nothing waits to be played."""
        while self._output.playout.queued:
            self._all_played.clear()
            await self._all_played.wait()

    async def _say(self, reply: Reply, clause: str) -> None:
        turn = reply.turn
        words = "" if is_audio_url(clause) else plain(clause)
        began = False
        async with aclosing(self._audio(clause, reply)) as audio:
            async for pcm in audio:
                if not began:
                    began = True
                    if self._output.playout.turn != reply.turn and words:
                        pcm = trim_leading_silence(pcm, self._output.rate)
                    await self._open(reply)
                    self._output.playout.clause(turn, words)
                    reply.tell(
                        "assistant.speechStarted", text=self._output.playout.text, turn=turn, source=reply.source
                    )
                self._all_played.clear()
                self._output.playout.push(turn, pcm)

    async def _audio(self, clause: str, reply: Reply) -> AsyncGenerator[Pcm, None]:
        """What was prepared, once; else the voice is asked."""
        prepared, self._prepared = self._prepared, None
        if prepared is not None and prepared[0] == clause:
            for part in () if is_audio_url(clause) else spoken_form(clause, self._plan):
                self._count(part, reply)
            for pcm in prepared[1]:
                yield pcm
            return
        async with aclosing(self._synthesize(clause, reply)) as audio:
            async for pcm in audio:
                yield pcm

    async def _synthesize(self, clause: str, reply: Reply | None = None) -> AsyncGenerator[Pcm, None]:
        # Replacements are expressions of the assistant's author: each may take its 20 ms.
        parts = (
            await asyncio.to_thread(spoken_form, clause, self._plan)
            if self._plan.replacements
            else spoken_form(clause, self._plan)
        )
        for part in parts:
            if isinstance(part, float):
                yield np.zeros(round(part * self._output.rate), np.int16)
                continue
            if reply is not None:
                self._count(part, reply)
            async with aclosing(self._voice.synthesize(part, rate=self._output.rate)) as audio:
                async for pcm in audio:
                    yield pcm

    @staticmethod
    def _count(part: str | float, reply: Reply) -> None:
        if isinstance(part, str):
            reply.used.voice_characters += len(part)
            reply.tell("voice-input", input=part)

    async def _open(self, reply: Reply) -> None:
        if self._output.playout.turn == reply.turn:
            return
        reply.times.first_audio = self._clock.now()
        await reply.confirmed.wait()
        await asyncio.sleep(max(0.0, reply.not_before - self._clock.now()))
        if reply.times.endpoint is not None:
            reply.times.endpoint = max(reply.times.endpoint, min(reply.not_before, self._clock.now()))
        await self._open_for_words.wait()
        self._output.playout.open(reply.turn)

    async def _apologise(self, reply: Reply) -> None:
        try:
            await self._say(reply, self._prompts.trouble)
        except ProviderError as fault:
            self._log.error("apology_failed", turn=reply.turn, reason=str(fault))


def speaking_plan(assistant: Assistant) -> Formatting:
    """How the assistant's words become what its voice is given."""
    language = assistant.transcriber.language if assistant.transcriber is not None else None
    return format_plan(assistant.voice, language or "en")


def is_audio_url(text: str) -> bool:
    """A first message may be the URL of an audio file."""
    return _AUDIO_URL.fullmatch(text) is not None

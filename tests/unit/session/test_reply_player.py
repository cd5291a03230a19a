"""What replies have come to: texts, times and costs, whoever decided about them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, cast

from ari_assistant.audio.frame import Pcm
from ari_assistant.audio.playout import Playout
from ari_assistant.conversation.actions import CutReply, ReplySpec
from ari_assistant.conversation.ending import ASSISTANT_ENDED
from ari_assistant.dialogue.history import History
from ari_assistant.dialogue.variables import Variables
from ari_assistant.providers.model import Usage
from ari_assistant.session.clock import CallClock
from ari_assistant.session.reply import Reply, as_clauses
from ari_assistant.session.reply_player import ReplyPlayer
from ari_assistant.session.speaker import Speaker
from ari_assistant.session.transcript import Transcript
from ari_assistant.telemetry import get_logger
from tests.support.conversation import FakeMessages
from tests.support.tones import tone

ANSWER = ReplySpec(1, 7, "model", confirmed=False, protected=False)
FIXED = ReplySpec(2, 1_000_000, "force-say", confirmed=True, protected=False)


class Sink:
    def play(self, pcm: Pcm) -> None: ...

    def flush(self) -> None: ...


class Mouth:
    """Puts everything into the playout at once; `failed` is what it says of it."""

    failed: str | None = None
    failures = 0

    def __init__(self, playout: Playout) -> None:
        self._playout = playout

    async def speak(self, reply: Reply, clauses: AsyncGenerator[str, None]) -> str | None:
        self._playout.open(reply.turn)
        async for clause in clauses:
            self._playout.clause(reply.turn, clause)
            self._playout.push(reply.turn, tone(500, 0.1))
            reply.used.voice_characters += len(clause)
        self._playout.finish(reply.turn)
        return self.failed


class Desk:
    """A player, and what it writes into."""

    def __init__(self) -> None:
        log = get_logger("test")
        self.messages, self.history = FakeMessages(), History()
        self.playout = Playout(Sink())
        self.mouth = Mouth(self.playout)
        transcript = Transcript(self.messages, Variables({}, self.history, log=log), log=log)
        self.clock = CallClock()
        speaker = cast(Speaker, self.mouth)
        self.player = ReplyPlayer(speaker, self.playout, transcript, self.messages, self.clock, log=log)

    async def said(self, spec: ReplySpec, *clauses: str, frames: int | None = None) -> None:
        """The clauses are said, and `frames` of 20 ms heard of them, all by default."""
        await self.player.play(spec, as_clauses(clauses))
        self.playout.played(self.playout.queued if frames is None else frames * 160)
        self.player.first_frame(spec.turn, self.clock.now())

    @property
    def entries(self) -> list[tuple[str, str, bool]]:
        return [(entry.role, entry.text, entry.interrupted) for entry in self.history.entries]


async def test_what_was_heard_of_a_reply_is_written_down_when_it_is_over(log_lines: list[dict[str, Any]]) -> None:
    desk = Desk()
    desk.player.answers(ANSWER, "Hello?", began=desk.clock.now(), ended=desk.clock.now())
    desk.player.confirm(1, not_before=0.0)
    await desk.said(ANSWER, "Good morning.", "Goodbye.")
    assert desk.player.commit_caller(1, 7)
    assert not desk.player.commit_caller(1, 7), "once"
    desk.player.finish(1, 7)
    assert desk.entries == [("user", "Hello?", False), ("bot", "Good morning. Goodbye.", False)]
    assert [line["event"] for line in log_lines] == ["caller_said", "turn"]


async def test_of_a_reply_that_was_cut_only_what_was_heard() -> None:
    desk = Desk()
    await desk.said(FIXED, "Good morning.", "Goodbye.", frames=5)
    desk.player.cut(CutReply(2, 7, interrupted=True, cuts_in=True))
    assert desk.entries == [("bot", "Good morning.", True)]
    (times,) = desk.player.times
    assert (times.interrupted, times.cut_in) == (True, True)
    desk.player.cut(CutReply(2, 7))
    assert len(desk.entries) == 1, "a reply that is gone is not written again"


async def test_or_what_the_model_wrote_where_the_assistant_wants_that() -> None:
    desk = Desk()
    desk.player.whole_texts = True
    desk.player.reply(ANSWER).text = "Good morning. Goodbye."
    await desk.said(ANSWER, "Good morning.", "Goodbye.", frames=5)
    desk.player.cut(CutReply(1, 7))
    assert desk.entries == [("bot", "Good morning. Goodbye.", True)]


async def test_a_reply_of_which_nothing_was_heard_leaves_no_words() -> None:
    desk = Desk()
    await desk.said(FIXED, "Good morning.", frames=0)
    desk.player.finish(2, 7)
    assert desk.entries == []


async def test_a_withdrawn_reply_costs_what_it_used_in_vain_and_is_on_nobodys_bill() -> None:
    desk = Desk()
    desk.player.prepare(ANSWER, 1.0)
    desk.player.answers(ANSWER, "Hello", began=0.0, ended=0.0)
    desk.player.reply(ANSWER).used.model += Usage(10, 5)
    await desk.player.play(ANSWER, as_clauses(["Good morning."]))
    desk.player.withdraw(1)
    speculation = desk.player.speculation
    assert (speculation.prepared, speculation.discarded) == (1, 1)
    assert (speculation.discarded_tokens, speculation.discarded_characters) == (5, len("Good morning."))
    assert desk.player.used.model == Usage()
    assert desk.entries == []


async def test_a_confirmed_replys_costs_are_the_conversations() -> None:
    desk = Desk()
    desk.player.confirm(desk.player.reply(ANSWER).number, not_before=3.0)
    desk.player.reply(ANSWER).used.model += Usage(10, 5)
    await desk.said(ANSWER, "Hello.")
    desk.player.finish(1, 7)
    assert (desk.player.used.model, desk.player.used.voice_characters) == (Usage(10, 5), len("Hello."))


async def test_the_moments_of_a_turn_are_noted_as_they_come() -> None:
    desk = Desk()
    desk.player.prepare(ANSWER, 1.0)
    desk.player.transcribed(7)
    desk.player.confirm(1, not_before=0.0)
    assert desk.player.times == [], "nothing has been heard"
    assert desk.player.first_frame(7, 5.0) == 1
    assert desk.player.first_frame(8, 5.0) is None
    desk.player.resumed()
    (times,) = desk.player.times
    assert (times.voice_ended, times.first_frame, times.resumed) == (1.0, 5.0, 1)
    assert None not in (times.transcribed, times.endpoint)


async def test_the_outcome_tells_what_was_written_and_what_follows() -> None:
    desk = Desk()
    reply = desk.player.reply(ANSWER)
    reply.text, reply.ending = "Goodbye.", ASSISTANT_ENDED
    desk.mouth.failed = "pipeline-error-voice-voice-failed"
    outcome = await desk.player.play(ANSWER, as_clauses(["Goodbye."]))
    assert (outcome.text, outcome.ending, outcome.failed) == ("Goodbye.", ASSISTANT_ENDED, desk.mouth.failed)
    fixed = await desk.player.play(FIXED, as_clauses(["Hello."]), text="Hello.")
    assert fixed.text == "Hello."


async def test_server_messages_name_the_reply_that_is_interrupted() -> None:
    desk = Desk()
    assert desk.player.turn_id(None) is None
    assert desk.player.turn_id(1) is None
    reply = desk.player.reply(ANSWER)
    assert desk.player.turn_id(1) == reply.turn_id != ""
    desk.player.reply(FIXED)
    assert desk.player.turn_id(2) is None

"""What is written down of a conversation, and what the user's server is told of it."""

from __future__ import annotations

from typing import Any

from ari_assistant.audio.playout import Spoken
from ari_assistant.dialogue.history import Entry, History
from ari_assistant.dialogue.variables import Variables
from ari_assistant.session.transcript import Transcript
from ari_assistant.telemetry import Private, get_logger
from tests.support.conversation import FakeMessages, resolved_assistant


class Deaf(FakeMessages):
    """A server that wants no `conversation-update`."""

    def wants(self, kind: str) -> bool:
        return kind != "conversation-update"


def transcript(messages: FakeMessages, **variables: Any) -> Transcript:
    log = get_logger("test").bind(call_id="call")
    return Transcript(messages, Variables(variables, History(), log=log), log=log)


def test_whoever_begins_or_ends_to_speak_is_told_of_once() -> None:
    messages = FakeMessages()
    made = transcript(messages)
    for speaks in (True, True, False, False):
        made.caller_speaks(speaks, turn=3)
    made.assistant_speaks(turn=4)
    assert messages.sent == [
        ("speech-update", {"role": "user", "status": "started", "turn": 3}),
        ("speech-update", {"role": "user", "status": "stopped", "turn": 3}),
        ("speech-update", {"role": "assistant", "status": "started", "turn": 4}),
    ]


def test_the_callers_words_go_into_history_transcript_and_the_calls_own_log(
    log_lines: list[dict[str, Any]],
) -> None:
    messages = FakeMessages()
    made = transcript(messages)
    made.caller_said(Entry("user", "Hello.", 1.0, 2.0), turn=3)
    assert messages.kinds == ["transcript", "conversation-update"]
    assert messages.sent[0][1] == {"role": "user", "text": "Hello.", "final": True}
    assert messages.sent[1][1]["conversation"] == made.openai_messages() == [{"role": "user", "content": "Hello."}]
    (line,) = log_lines
    assert (line["event"], line["turn"], line["call_id"]) == ("caller_said", 3, "call")
    assert isinstance(line["text"], Private)


def test_of_a_reply_that_was_cut_the_history_holds_what_was_heard() -> None:
    messages = Deaf()
    made = transcript(messages)
    made.assistant_said(Spoken(4, "From nine", 8_000, complete=False), turn=4, at=-0.1, until=1.0, whole=None)
    assert made.history.entries == (Entry("bot", "From nine", 0.0, 1.0, interrupted=True),)
    assert messages.kinds == ["speech-update", "transcript"]
    assert messages.sent[0][1]["status"] == "stopped"


def test_or_what_the_model_wrote_where_the_assistant_wants_that() -> None:
    messages = Deaf()
    made = transcript(messages)
    heard = Spoken(4, "From nine", 8_000, complete=True)
    made.assistant_said(heard, turn=4, at=0.0, until=1.0, whole="From nine to five.")
    assert [entry.text for entry in made.history.entries] == ["From nine to five."]
    assert messages.sent[1][1]["text"] == "From nine", "the transcript is what was heard all the same"


def test_the_system_prompt_is_that_of_the_assistant_who_speaks_now() -> None:
    made = transcript(FakeMessages(), name="Ada")
    assert made.openai_messages() == []
    for prompt in ("You serve {{name}}.", "You sell to {{name}}."):
        made.use(resolved_assistant(model={"provider": "openai", "systemPrompt": prompt}))
        assert made.openai_messages() == [{"role": "system", "content": prompt.replace("{{name}}", "Ada")}]

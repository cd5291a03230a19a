"""Whatever happens in a conversation, in whatever order: its tables hold, and no floor is taken for ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ari_assistant.conversation import actions as do
from ari_assistant.conversation.core import ConversationCore, Greeting, ReplyOutcome
from ari_assistant.conversation.ending import ASSISTANT_ENDED, MEDIA_LOST
from ari_assistant.conversation.policy import conversation_policy
from ari_assistant.conversation.reply_life import REPLY_TRANSITIONS, LiveReply, ReplyEvent, ReplyState
from ari_assistant.conversation.stages import STAGE_TRANSITIONS, Stage, StageEvent
from ari_assistant.turns.endpointing import Waits
from ari_assistant.turns.turn_taking import TurnOptions
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.destination import Destination
from tests.support.core_scene import CoreScene

SILENCE_SECONDS = 5
SAY = {"type": "say", "exact": "Are you there?"}
PROMPT = {"type": "say", "prompt": "Say something kind."}
WRITES = {"type": "message.add", "message": {"role": "user", "content": "Hello?"}}
ELSEWHERE = Destination.model_validate({"type": "sip", "sipUri": "sip:1@pbx.example"})

KEYPAD = {
    "silenceTimeoutSeconds": SILENCE_SECONDS,
    "keypadInputPlan": {"enabled": True, "delimiters": "#", "timeoutSeconds": 0},
}

PLAIN = {"silenceTimeoutSeconds": SILENCE_SECONDS}

assistants = st.fixed_dictionaries(
    {
        "silenceTimeoutSeconds": st.just(SILENCE_SECONDS),
        "endCallMessage": st.sampled_from([None, "Goodbye."]),
        "keypadInputPlan": st.sampled_from(
            [None, {"enabled": True, "delimiters": "#", "timeoutSeconds": 0}, {"enabled": True}]
        ),
        "hooks": st.lists(
            st.builds(
                lambda on, action: {"on": on, "do": [action]},
                st.sampled_from(
                    [
                        "assistant.speech.interrupted",
                        "customer.speech.interrupted",
                        "customer.speech.timeout[timeoutSeconds=1,triggerMaxCount=2]",
                        "call.timeElapsed[seconds=2]",
                        "model.response.timeout[timeoutSeconds=1]",
                        "assistant.transcriber.endpointedSpeechLowConfidence",
                        "call.ending",
                    ]
                ),
                st.sampled_from([SAY, PROMPT, WRITES]),
            ),
            max_size=3,
        ),
        "stopSpeakingPlan": st.sampled_from([None, {"numWords": 2}]),
    }
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("voice"), st.integers(1, 80)),
        st.tuples(st.just("silence"), st.integers(1, 80)),
        st.tuples(st.just("words"), st.sampled_from(["Stop, please.", "mm-hmm", "I would like a", "", None])),
        st.tuples(st.just("key"), st.sampled_from("1#")),
        st.tuples(st.just("hold"), st.booleans()),
        st.tuples(st.just("aside"), st.booleans()),
        st.tuples(st.just("writes"), st.booleans()),
        st.tuples(st.just("recognises"), st.booleans()),
        st.tuples(
            st.just("outcome"),
            st.sampled_from(
                [
                    ReplyOutcome(),
                    ReplyOutcome(failed="pipeline-error-x-llm-failed", failures=3),
                    ReplyOutcome(ending=ASSISTANT_ENDED),
                    ReplyOutcome(transfer=ELSEWHERE),
                ]
            ),
        ),
        st.tuples(st.just("tools"), st.none()),
        st.tuples(st.just("fault"), st.none()),
        st.tuples(st.just("announce"), st.none()),
        st.tuples(st.just("takeover"), st.none()),
        st.tuples(st.just("unsure"), st.sampled_from([0.1, 0.9])),
    ),
    max_size=25,
)


class _Watched:
    """Notes each event that a conversation's tables take, and what its states should be by them alone."""

    def __init__(self) -> None:
        self.stage = Stage.WAITING
        self.replies: dict[int, tuple[LiveReply, ReplyState]] = {}

    def go(self, core: ConversationCore, event: StageEvent) -> bool:
        taken = _go(core, event)
        if taken:
            self.stage = STAGE_TRANSITIONS[self.stage][event]
        return taken

    def step(self, reply: LiveReply, event: ReplyEvent) -> bool:
        before = self.replies.get(reply.spec.number, (reply, self.first_of(reply)))[1]
        taken = _step(reply, event)
        after = REPLY_TRANSITIONS[before][event] if taken else before
        self.replies[reply.spec.number] = (reply, after)
        return taken

    @staticmethod
    def first_of(reply: LiveReply) -> ReplyState:
        return ReplyState.CONFIRMED if reply.spec.confirmed else ReplyState.PREPARING

    def check(self, core: ConversationCore) -> None:
        assert core.stage is self.stage, "no change of stage but by an event of the table"
        for reply, state in self.replies.values():
            assert reply.state is state, "no change of a reply's state but by an event of the table"
        if core.reply is not None:
            assert REPLY_TRANSITIONS[core.reply.state], "what is over is not kept"


_go, _step = ConversationCore._go, LiveReply.step


@contextmanager
def watched() -> Iterator[_Watched]:
    watch = _Watched()
    with (
        patch.object(ConversationCore, "_go", lambda core, event: watch.go(core, event)),
        patch.object(LiveReply, "step", lambda reply, event: watch.step(reply, event)),
    ):
        yield watch


def does(scene: CoreScene, kind: str, value: Any) -> None:
    """One step of a script."""
    core, now = scene.core, scene.now
    number = core.reply.spec.number if core.reply is not None else 0
    match kind:
        case "voice" | "silence":
            scene.passes(value * 0.02, voice=kind == "voice")
        case "words":
            scene.words = value
        case "key":
            scene.presses(value)
        case "hold":
            scene.perform(core.hold(value, now=now))
        case "aside":
            scene.perform(core.step_aside(now=now) if value else core.come_back(now=now))
        case "writes":
            scene.writes = value
        case "recognises":
            scene.recognises = value
        case "outcome":
            scene.outcome = value
        case "tools":
            scene.perform(core.tools_called(number))
        case "fault":
            scene.perform(core.reply_failed(number, now=now))
        case "announce":
            scene.perform(core.announce((do.Text(("Nobody took you.",)),)))
        case "takeover":
            other = conversation_policy(Assistant(silence_timeout_seconds=SILENCE_SECONDS), TurnOptions(), Waits())
            scene.perform(core.take_over(other, Greeting((do.Text(("I am new.",)),)), now=now))
        case "unsure":
            scene.confidence = value


@pytest.mark.timeout(1_800)  # HYPOTHESIS_PROFILE=long
@given(assistants, steps)
@example(PLAIN, [("takeover", None), ("voice", 1), ("announce", None), ("fault", None)])
@example(PLAIN, [("voice", 3), ("silence", 11), ("voice", 2), ("announce", None), ("voice", 1)])
@example(
    PLAIN,
    [
        ("aside", True),
        ("aside", False),
        ("writes", False),
        ("announce", None),
        ("voice", 15),
        ("silence", 15),
        ("voice", 15),
    ],
)
@example(KEYPAD, [("voice", 50), ("silence", 60), ("key", "#")])
@example(KEYPAD, [("writes", False), ("voice", 50), ("silence", 60), ("key", "#"), ("key", "1")])
def test_every_change_of_state_is_in_its_table_and_a_silent_line_ends(
    document: dict[str, Any], script: list[tuple[str, Any]]
) -> None:
    policy = conversation_policy(Assistant.model_validate(document), TurnOptions(), Waits())
    with watched() as watch:
        scene = CoreScene(policy)
        for kind, value in script:
            does(scene, kind, value)
            watch.check(scene.core)
    # Now the line is silent, and everything that was being made becomes ready.
    scene.writes = scene.recognises = True
    scene.outcome = ReplyOutcome()
    scene.perform(scene.core.hold(False, now=scene.now))
    scene.perform(scene.core.come_back(now=scene.now))
    for _ in range(12):
        scene.passes(SILENCE_SECONDS)
    assert len(scene.endings) == 1, "exactly one end, and no state in which silence waits for ever"


@given(assistants, steps)
def test_after_the_end_nothing_is_begun(document: dict[str, Any], script: list[tuple[str, Any]]) -> None:
    scene = CoreScene(conversation_policy(Assistant.model_validate(document), TurnOptions(), Waits()))
    scene.passes(1.0, voice=True)
    scene.perform(scene.core.media_left(MEDIA_LOST))
    scene.perform(scene.core.closed())
    before = len(scene.done)
    for kind, value in script:
        does(scene, kind, value)
    begun = [a for a in scene.done[before:] if isinstance(a, do.Generate | do.Say | do.PrepareReply | do.EndCall)]
    assert begun == []

"""What a conversation decides: events in, actions out, on a clock of the test's."""

from __future__ import annotations

from typing import Any

import pytest

from ari_assistant.conversation import actions as do
from ari_assistant.conversation.core import Greeting, ReplyOutcome, Role
from ari_assistant.conversation.ending import (
    ASSISTANT_ENDED,
    END_PHRASE,
    MAX_DURATION,
    MEDIA_LOST,
    SILENCE,
    Ending,
)
from ari_assistant.conversation.policy import ConversationPolicy, conversation_policy
from ari_assistant.conversation.stages import Stage
from ari_assistant.turns.endpointing import Waits
from ari_assistant.turns.keypad import KeypadPlan
from ari_assistant.turns.turn_taking import TurnOptions, TurnState
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.destination import Destination
from tests.support.core_scene import CoreScene

DELIMITER = KeypadPlan(timeout_seconds=0, delimiters=frozenset("#"))
ELSEWHERE = Destination.model_validate({"type": "sip", "sipUri": "sip:1@pbx.example"})


def policy(**assistant: Any) -> ConversationPolicy:
    """As an assistant has it; silence ends the call after five seconds."""
    document = {"silenceTimeoutSeconds": 5, **assistant}
    return conversation_policy(Assistant.model_validate(document), TurnOptions(), Waits())


def greeting(text: str = "Hello.", *, protected: bool = False) -> Greeting:
    return Greeting((do.Text((text,)),), protected=protected)


# -- keys: the floor is free again ------------------------------------------------------------------------------


def test_a_lone_delimiter_cuts_the_reply_and_frees_the_floor() -> None:
    scene = CoreScene(ConversationPolicy(keypad=DELIMITER, silence_seconds=5))
    scene.asks()
    cut = len(scene.all(do.CutReply))
    scene.presses("#")
    assert len(scene.all(do.CutReply)) == cut + 1
    assert scene.core.turns.state is TurnState.LISTENING
    scene.passes(5.1)
    assert scene.endings == [SILENCE]


def test_after_a_lone_delimiter_the_next_words_are_answered() -> None:
    scene = CoreScene(ConversationPolicy(keypad=DELIMITER))
    scene.asks()
    scene.presses("#")
    scene.asks("Yeah.", seconds=0.5)
    assert scene.answered[-1] == "Yeah."


def test_a_lone_delimiter_takes_no_words_from_who_waits_for_the_answer() -> None:
    scene = CoreScene(ConversationPolicy(keypad=DELIMITER))
    scene.writes = False
    scene.asks()
    scene.presses("#")
    scene.writes = True
    scene.passes(0.1)
    assert scene.speaks


def test_keys_are_what_the_caller_says() -> None:
    scene = CoreScene(ConversationPolicy(keypad=DELIMITER))
    scene.presses("12#")
    assert scene.answered == ["User's Keypad Entry: 12"]


def test_a_keypad_without_delimiter_is_complete_when_its_time_is_over() -> None:
    scene = CoreScene(ConversationPolicy(keypad=KeypadPlan(timeout_seconds=2)))
    scene.presses("12")
    scene.passes(1.9)
    assert scene.answered == []
    scene.passes(0.2)
    assert scene.answered == ["User's Keypad Entry: 12"]


def test_an_entry_takes_the_floor_from_a_protected_greeting() -> None:
    scene = CoreScene(ConversationPolicy(keypad=DELIMITER), greeting=greeting(protected=True))
    scene.wait_for_the_reply()
    scene.presses("1")
    assert scene.speaks, "a key alone does not"
    scene.presses("#")
    assert scene.answered == ["User's Keypad Entry: 1"]


# -- the caller's turn ----------------------------------------------------------------------------------------


def test_a_pause_prepares_a_reply_that_is_heard_when_the_turn_is_over() -> None:
    scene = CoreScene()
    scene.passes(1.0, voice=True)
    scene.passes(0.24)
    assert len(scene.all(do.PrepareReply)) == 1
    assert scene.answered, "it is being written"
    assert not scene.all(do.ConfirmReply)
    scene.passes(1.0)
    assert len(scene.all(do.ConfirmReply)) == 1
    assert scene.speaks


def test_who_goes_on_gets_one_answer_to_all_of_it() -> None:
    scene = CoreScene()
    scene.words = "I would like"
    scene.passes(0.6, voice=True)
    scene.passes(0.4)
    scene.words = "I would like a table for two."
    scene.passes(0.6, voice=True)
    scene.passes(1.7)
    assert len(scene.all(do.WithdrawReply)) == 1
    assert len(scene.all(do.Collect)) == 1, "one utterance"
    assert len(scene.all(do.CommitCaller)) == 1
    assert scene.answered[-1] == "I would like a table for two."


def test_after_a_tool_was_called_the_caller_says_something_new() -> None:
    scene = CoreScene()
    scene.writes = False
    scene.asks()
    number = scene.all(do.ConfirmReply)[0].number
    scene.perform(scene.core.tools_called(number))
    assert scene.all(do.CommitCaller)
    scene.passes(0.5, voice=True)
    assert len(scene.all(do.Collect)) == 2


def test_nothing_understood_is_asked_for_again_and_a_noise_is_not() -> None:
    scene = CoreScene()
    scene.asks(None)
    assert len(scene.all(do.SayNotUnderstood)) == 1
    scene.passes(3.0)
    scene.asks("")
    assert len(scene.all(do.SayNotUnderstood)) == 1
    assert scene.core.turns.state is TurnState.LISTENING
    assert scene.core.reply is None


def test_words_that_come_after_the_turn_has_ended_are_answered() -> None:
    scene = CoreScene(ConversationPolicy(turns=TurnOptions(evidence_seconds=0.3)))
    core = scene.core
    for _ in range(50):
        scene.now += 0.02
        scene.perform(core.frame(True, now=scene.now))
    for _ in range(30):
        scene.now += 0.02
        scene.perform(core.frame(False, now=scene.now))
    assert scene.all(do.ConfirmReply)
    assert not scene.all(do.Generate)
    scene.perform(core.recognised(1, "Hello.", asked="", now=scene.now))
    scene.passes(0.1)
    assert scene.speaks


def test_a_fault_of_ours_ends_the_turn_and_not_the_call() -> None:
    scene = CoreScene()
    scene.writes = False
    scene.asks()
    scene.perform(scene.core.reply_failed(scene.all(do.ConfirmReply)[0].number, now=scene.now))
    assert scene.core.turns.state is TurnState.LISTENING
    assert scene.endings == []
    scene.writes = True
    scene.asks("Again, please.")
    assert scene.speaks


def test_a_long_sentence_that_breaks_off_gets_one_backchannel() -> None:
    scene = CoreScene(policy(backchannelingEnabled=True))
    scene.words = "I would like to book a table for"
    scene.passes(4.5, voice=True)
    scene.passes(0.4)
    scene.passes(0.5, voice=True)
    scene.passes(0.4)
    assert len(scene.all(do.BackchannelNow)) == 1


def test_nobody_is_spoken_to_who_has_just_begun_to_speak() -> None:
    scene = CoreScene(greeting=Greeting(by_model=True))
    scene.writes = False
    scene.passes(1.0)
    scene.words = "Hello?"
    scene.passes(0.2, voice=True)
    scene.writes = True  # now it would be ready
    scene.passes(0.1, voice=True)
    assert [scene.speaks] == [False]
    scene.passes(1.7)
    assert scene.speaks
    assert scene.answered == ["Hello?"]
    assert not scene.all(do.Tell), "nobody was interrupted"


def test_a_fault_of_ours_takes_no_words_from_a_caller_who_is_speaking() -> None:
    scene = CoreScene(greeting=greeting())
    scene.writes = False
    scene.passes(0.5, voice=True)
    number = scene.all(do.Say)[0].reply.number
    scene.perform(scene.core.reply_failed(number, now=scene.now))
    assert not scene.all(do.ForgetUtterance)
    scene.passes(1.7)
    assert scene.answered == [scene.words]


# -- speech over a reply --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "interrupts"), [("Stop, please.", True), ("mm-hmm", False), (None, False)])
def test_words_interrupt_and_an_acknowledgement_does_not(words: str | None, interrupts: bool) -> None:
    scene = CoreScene()
    scene.reply_seconds = 5.0
    scene.asks()
    scene.words = words
    scene.passes(0.6)
    scene.passes(0.4, voice=True)
    scene.passes(0.3)
    judged = scene.all(do.OverlapJudged)
    assert [one.interrupts for one in judged] == [interrupts]
    assert bool([cut for cut in scene.all(do.CutReply) if cut.interrupted]) is interrupts
    if not interrupts:
        assert len(scene.all(do.HoldPlayout)) == len(scene.all(do.ResumePlayout)) == 1
        assert scene.speaks


def test_who_speaks_on_right_after_the_reply_began_had_not_finished() -> None:
    scene = CoreScene()
    scene.asks()
    scene.core.turns.options = TurnOptions(num_words=0, confirm_seconds=0.2, cut_in_seconds=5)
    scene.passes(0.6, voice=True)
    assert scene.all(do.CutReply)[-1].cuts_in
    assert do.Tell("user-interrupted", scene.all(do.CutReply)[-1].number) in scene.done


def test_who_speaks_on_before_their_words_are_recognised_cuts_what_was_heard_and_takes_nothing_of_it_back() -> (
    None
):
    scene = CoreScene()
    scene.reply_seconds = 5.0
    scene.asks()
    assert scene.speaks
    scene.recognises = False
    scene.passes(0.6)
    scene.passes(0.95, voice=True)
    scene.passes(0.24)
    scene.passes(0.1, voice=True)
    assert not scene.all(do.WithdrawReply)
    assert [cut.interrupted for cut in scene.all(do.CutReply)] == [True]
    assert do.Tell("user-interrupted", scene.all(do.CutReply)[0].number) in scene.done


def test_what_is_said_over_a_protected_greeting_is_answered_after_it() -> None:
    scene = CoreScene(greeting=greeting(protected=True))
    scene.wait_for_the_reply()
    scene.passes(0.5, voice=True)
    scene.passes(3.0)
    assert not scene.all(do.CutReply)
    assert scene.answered == [scene.words]


# -- beginning, ending ----------------------------------------------------------------------------------------


def test_until_a_word_can_be_heard_the_line_gets_comfort_noise() -> None:
    scene = CoreScene(greeting=greeting())
    scene.passes(0.3)
    assert scene.all(do.PlayComfortNoise)
    assert len(scene.all(do.OpenLine)) == 1
    noises = len(scene.all(do.PlayComfortNoise))
    scene.passes(0.3)
    assert len(scene.all(do.PlayComfortNoise)) == noises


def test_a_model_may_open() -> None:
    scene = CoreScene(greeting=Greeting(by_model=True))
    (opens,) = scene.all(do.Generate)
    assert opens.words is None
    assert opens.reply.turn == 0


def test_silence_ends_the_call_after_the_assistants_last_words() -> None:
    scene = CoreScene(policy(endCallMessage="Goodbye."))
    scene.passes(5.1)
    assert scene.said == ["Goodbye."]
    assert scene.endings == []
    scene.passes(2.5)
    assert scene.endings == [SILENCE]


def test_silence_has_a_message_of_its_own() -> None:
    scene = CoreScene(policy(endCallMessage="Goodbye.", messagePlan={"silenceTimeoutMessage": "Is nobody there?"}))
    scene.passes(5.1)
    assert scene.said == ["Is nobody there?"]


def test_the_longest_duration_ends_the_call_in_the_middle_of_a_reply() -> None:
    scene = CoreScene(policy(maxDurationSeconds=10))
    scene.reply_seconds = 60.0
    scene.asks()
    scene.passes(8.0)
    assert scene.endings == [MAX_DURATION]


def test_last_words_that_never_come_are_given_up() -> None:
    scene = CoreScene(policy(endCallMessage="Goodbye."))
    scene.writes = False
    scene.passes(5.1)
    scene.passes(20.1)
    assert scene.endings == [SILENCE]
    assert do.Warn("goodbye_timed_out") in scene.done


def test_nothing_interrupts_the_last_words() -> None:
    scene = CoreScene(policy(endCallMessage="Goodbye.", keypadInputPlan={"enabled": True}))
    scene.passes(5.1)
    scene.wait_for_the_reply()
    scene.passes(1.0, voice=True)
    scene.presses("1")
    scene.passes(1.5)
    assert scene.endings == [SILENCE]
    assert scene.answered == []


def test_who_goes_on_speaking_does_not_take_back_last_words_that_are_still_being_made() -> None:
    scene = CoreScene(policy(endCallMessage="Goodbye."))
    scene.passes(0.5, voice=True)
    scene.passes(0.24)
    scene.perform(scene.core.hang_up(now=scene.now))
    scene.passes(0.5, voice=True)
    scene.passes(2.5)
    assert scene.said == ["Goodbye."]
    assert scene.endings == [ASSISTANT_ENDED]


def test_a_phrase_of_the_assistant_ends_the_call_when_it_has_been_heard() -> None:
    scene = CoreScene(policy(endCallPhrases=["goodbye for now"], endCallMessage="Never said."))
    scene.outcome = ReplyOutcome(text="Well then, Goodbye for now!")
    scene.asks()
    assert scene.endings == []
    scene.passes(2.1)
    assert scene.endings == [END_PHRASE]
    assert scene.said == []


def test_a_tool_ends_the_call_with_the_last_words() -> None:
    scene = CoreScene(policy(endCallMessage="Goodbye."))
    scene.outcome = ReplyOutcome(ending=ASSISTANT_ENDED)
    scene.asks()
    scene.passes(2.1)
    assert scene.said == ["Goodbye."]
    scene.passes(2.5)
    assert scene.endings == [ASSISTANT_ENDED]


def test_three_replies_that_a_provider_fails_end_the_call_and_two_do_not() -> None:
    scene = CoreScene(policy())
    failed = "pipeline-error-openai-llm-failed"
    scene.reply_seconds = 0.5
    for failures in (1, 2, 0, 1, 2):
        scene.outcome = ReplyOutcome(failed=failed if failures else None, failures=failures)
        scene.asks()
        scene.passes(0.6)
    assert scene.endings == []
    scene.outcome = ReplyOutcome(failed=failed, failures=3)
    scene.asks()
    scene.passes(0.6)
    assert scene.endings == [Ending(failed)]


def test_an_announcement_is_heard_whole_and_the_clocks_begin_anew() -> None:
    scene = CoreScene(policy())
    scene.passes(4.0)
    scene.perform(scene.core.announce((do.Text(("Nobody took you.",)),)))
    scene.passes(1.0, voice=True)
    scene.passes(1.2)
    assert scene.all(do.Announced)
    assert not [cut for cut in scene.all(do.CutReply) if cut.interrupted]
    scene.passes(4.0)
    assert scene.endings == []


def test_what_was_heard_of_the_last_reply_is_kept_when_the_caller_hangs_up() -> None:
    scene = CoreScene()
    scene.asks()
    assert scene.speaks
    scene.perform(scene.core.closed())
    assert isinstance(scene.done[-1], do.CutReply)
    assert scene.core.stage is Stage.OVER
    scene.passes(40.0)
    assert scene.endings == []


# -- hold, and somebody else ----------------------------------------------------------------------------------


def test_on_hold_nothing_is_heard_and_no_silence_counts_but_the_longest_duration_does() -> None:
    scene = CoreScene(policy(maxDurationSeconds=60, endCallMessage="Goodbye."))
    scene.perform(scene.core.hold(True, now=scene.now))
    scene.passes(30.0, voice=True)
    assert not scene.all(do.Collect)
    scene.perform(scene.core.hold(False, now=scene.now))
    scene.passes(4.5)
    assert scene.endings == []
    scene.perform(scene.core.hold(True, now=scene.now))
    scene.passes(30.0)
    assert scene.endings == [MAX_DURATION]
    assert scene.said == [], "nobody would hear it"


def test_while_the_caller_is_with_somebody_else_nothing_happens_here() -> None:
    scene = CoreScene(policy(maxDurationSeconds=10, keypadInputPlan={"enabled": True}))
    scene.asks()
    scene.perform(scene.core.step_aside(now=scene.now))
    before = len(scene.done)
    scene.passes(20.0, voice=True)
    scene.presses("1")
    scene.perform(scene.core.caller_wrote(do.Text(("Hello?",)), now=scene.now))
    scene.perform(scene.core.hang_up(now=scene.now))
    assert scene.done[before:] == []
    scene.perform(scene.core.come_back(now=scene.now))
    scene.passes(4.0)
    assert scene.endings == []
    scene.passes(1.1)
    assert scene.endings == [SILENCE]


def test_media_that_left_meanwhile_end_the_call_when_the_caller_is_back() -> None:
    scene = CoreScene()
    scene.perform(scene.core.step_aside(now=scene.now))
    scene.perform(scene.core.media_left(MEDIA_LOST))
    assert scene.endings == []
    scene.perform(scene.core.come_back(now=scene.now))
    assert scene.endings == [MEDIA_LOST]


def test_a_transfer_follows_what_announces_it() -> None:
    scene = CoreScene()
    scene.outcome = ReplyOutcome(transfer=ELSEWHERE)
    scene.asks()
    assert not scene.all(do.TransferCaller)
    scene.passes(2.1)
    assert scene.all(do.TransferCaller) == [do.TransferCaller(ELSEWHERE, is_template=False)]


# -- hooks ----------------------------------------------------------------------------------------------------


def hook(on: str, *actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"on": on, "do": list(actions), **more}


SAY = {"type": "say", "exact": "Are you there?"}


def test_a_silent_caller_is_asked_and_not_while_anybody_speaks() -> None:
    scene = CoreScene(policy(silenceTimeoutSeconds=60, hooks=[hook("customer.speech.timeout", SAY)]))
    scene.asks()
    scene.passes(7.0)
    assert scene.said == []
    scene.passes(3.0)
    assert scene.said == ["Are you there?"]


def test_a_sentence_for_an_interruption_comes_before_the_next_answer() -> None:
    sorry = {"type": "say", "exact": "Sorry."}
    scene = CoreScene(policy(hooks=[hook("assistant.speech.interrupted", sorry)]))
    scene.reply_seconds = 5.0
    scene.asks()
    scene.passes(0.6)
    scene.asks("Wait a moment.")
    assert scene.said == ["Sorry."]
    assert scene.all(do.Generate)[-1].preface == (do.Text(("Sorry.",)),)


def test_a_sentence_before_an_answer_is_not_lost_with_an_answer_that_is_withdrawn() -> None:
    sorry = {"type": "say", "exact": "Sorry."}
    scene = CoreScene(policy(hooks=[hook("assistant.speech.interrupted", sorry)]))
    scene.reply_seconds = 5.0
    scene.asks()
    scene.words = "Wait, I"
    scene.passes(0.6)
    scene.passes(1.2, voice=True)
    scene.passes(0.4)
    scene.words = "Wait, I want to say something else."
    scene.passes(0.6, voice=True)
    scene.passes(1.7)
    assert scene.all(do.WithdrawReply)
    assert scene.all(do.Generate)[-1].preface == (do.Text(("Sorry.",)),)


def test_a_hook_may_have_the_model_speak_and_use_a_tool() -> None:
    prompt = {"type": "say", "prompt": "Ask how they are."}
    tool = {"type": "tool", "toolId": "t"}
    scene = CoreScene(policy(hooks=[hook("call.timeElapsed[seconds=2]", prompt, tool)]))
    scene.passes(2.1)
    (speaks,) = scene.all(do.Generate)
    assert speaks.words is None
    assert speaks.prompts == (do.Text(("Ask how they are.",)),)
    assert len(scene.all(do.UseTool)) == 1
    scene.perform(scene.core.tool_done(transfer=ELSEWHERE, now=scene.now))
    assert scene.all(do.TransferCaller)


def test_a_hook_may_put_a_message_in_and_have_it_answered() -> None:
    asks = {"type": "message.add", "message": {"role": "user", "content": "Hello?"}}
    tells = {"type": "message.add", "message": {"role": "system", "content": "It is late."}}
    silent = {**tells, "triggerResponseEnabled": False}
    scene = CoreScene(policy(hooks=[hook("call.timeElapsed[seconds=1]", asks)]))
    scene.passes(1.1)
    assert scene.answered == ["Hello?"]
    scene = CoreScene(policy(hooks=[hook("call.timeElapsed[seconds=1]", silent)]))
    scene.passes(1.1)
    assert scene.all(do.AddMessage) == [do.AddMessage("system", do.Text(("It is late.",)))]
    assert not scene.all(do.Generate)


def test_words_over_a_reply_that_are_being_judged_come_before_what_a_hook_has_the_model_say() -> None:
    prompt = {"type": "say", "prompt": "Ask how they are."}
    scene = CoreScene(policy(hooks=[hook("call.timeElapsed[seconds=4]", prompt)]))
    scene.reply_seconds = 5.0
    scene.asks()
    scene.words = "Wait, and on Sunday?"
    scene.passes(4.02 - scene.now - 0.18)
    scene.passes(0.2, voice=True)
    assert scene.all(do.HookFired)
    scene.passes(1.7)
    last = scene.all(do.Generate)[-1]
    assert last.words is not None
    assert last.words.text.choices == ("Wait, and on Sunday?",)
    assert last.prompts == (do.Text(("Ask how they are.",)),)


def test_who_waits_for_an_answer_waits_no_less_for_what_replaces_it() -> None:
    late = {"type": "say", "prompt": "Say that it takes a while."}
    scene = CoreScene(policy(hooks=[hook("model.response.timeout[timeoutSeconds=2]", late)]))
    scene.writes = False
    scene.asks()
    scene.passes(4.0)
    assert scene.all(do.Tell) == [do.Tell("hang")]


def test_a_late_answer_is_told_of_once() -> None:
    late = {"type": "say", "exact": "One moment."}
    scene = CoreScene(policy(hooks=[hook("model.response.timeout[timeoutSeconds=2]", late)]))
    scene.writes = False
    scene.asks()
    scene.passes(6.0)
    assert scene.all(do.Tell) == [do.Tell("hang")]
    assert [fired.action for fired in scene.all(do.HookFired)] == ["say"]


def test_words_that_the_recogniser_is_not_sure_of_have_a_hook() -> None:
    unsure = hook("assistant.transcriber.endpointedSpeechLowConfidence", SAY)
    for confidence, fires in ((0.2, True), (0.9, False)):
        scene = CoreScene(policy(hooks=[unsure]))
        scene.confidence = confidence
        scene.asks()
        assert bool(scene.all(do.HookFired)) is fires


def test_the_ending_has_hooks_whose_words_are_said_and_whose_tools_run_afterwards() -> None:
    tool = {"type": "tool", "toolId": "t"}
    scene = CoreScene(policy(hooks=[hook("call.ending", {"type": "say", "exact": "Bye."}, tool)]))
    scene.passes(5.1)
    assert scene.said == ["Bye."]
    assert [action.type for action in scene.core.ending_hooks(SILENCE)] == ["tool"]


# -- who is in it ---------------------------------------------------------------------------------------------


def test_another_assistant_takes_over_in_the_middle_of_a_call() -> None:
    scene = CoreScene(policy(endCallMessage="The first says goodbye.", keypadInputPlan={"enabled": True}))
    scene.asks()
    assert scene.speaks
    scene.perform(
        scene.core.take_over(
            policy(silenceTimeoutSeconds=20, endCallMessage="Bye."), greeting("I am new."), now=scene.now
        )
    )
    assert scene.said == ["I am new."]
    scene.presses("1")
    assert scene.answered == ["What are your opening hours?"], "this one has no keypad"
    scene.passes(15.0)
    assert scene.endings == []
    scene.passes(10.0)
    assert scene.said[-1] == "Bye."


def test_what_had_elapsed_before_an_assistant_took_over_is_not_made_up_for() -> None:
    later = [hook("call.timeElapsed[seconds=2]", SAY), hook("call.timeElapsed[seconds=5]", SAY)]
    scene = CoreScene(policy(silenceTimeoutSeconds=60))
    scene.passes(3.0)
    scene.perform(scene.core.take_over(policy(silenceTimeoutSeconds=60, hooks=later), Greeting(), now=scene.now))
    scene.passes(1.0)
    assert scene.said == []
    scene.passes(1.1)
    assert scene.said == ["Are you there?"]


def test_who_only_listens_takes_no_turn_and_who_joins_does() -> None:
    scene = CoreScene()
    scene.core.join("supervisor", Role.LISTENS)
    for _ in range(50):
        scene.now += 0.02
        scene.perform(scene.core.frame(True, now=scene.now, party="supervisor"))
    assert not scene.all(do.Collect)
    scene.core.join("supervisor", Role.SPEAKS)
    for _ in range(50):
        scene.now += 0.02
        scene.perform(scene.core.frame(True, now=scene.now, party="supervisor"))
    assert scene.all(do.Collect)
    scene.core.leave("supervisor")
    scene.core.leave("supervisor")

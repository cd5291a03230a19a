"""What callers say to the front desk that ships, and the built-in dialogue's manners."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_assistant.dialogue.rules.config import RulesConfig
from ari_assistant.dialogue.rules.matcher import Matcher
from ari_assistant.dialogue.rules.model import RulesModel
from ari_assistant.dialogue.rules.phrases import Phrase, phrases_in
from ari_assistant.dialogue.rules.words import words_of
from ari_assistant.dialogue.template import render
from ari_assistant.providers.model import ChatMessage, ModelRequest, TextDelta, ToolCall
from tests.support.front_desk import HANGS_UP, converse, judged

_RECORDED = Path(__file__).parents[2] / "captures" / "dialogues.json"


@pytest.mark.parametrize("half", ["tuned", "unseen"])
async def test_who_takes_no_leave_is_not_hung_up_on(half: str) -> None:
    rows = await judged(half)
    assert len(rows) == 100
    assert [row.said for row in rows if row.hung_up_wrongly] == []


@pytest.mark.parametrize(("half", "least"), [("tuned", 100), ("unseen", 90)])
async def test_callers_get_what_they_should(half: str, least: int) -> None:
    assert sum(row.right for row in await judged(half)) >= least


async def test_of_the_recorded_voices_only_a_goodbye_ends_the_call() -> None:
    recorded = json.loads(_RECORDED.read_text(encoding="utf-8"))
    heard = {pause[2] for kind in recorded.values() for entry in kind for pause in entry.get("pauses", ())}
    assert len(heard) > 300
    assert [said for said in heard if (await converse(said))[-1].endswith(HANGS_UP)] == ["Okay, goodbye."]


@pytest.mark.parametrize(
    "said",
    [
        "Goodbye.", "bye", "Bye-bye!", "Okay, thanks, bye.", "good bye", "That's all.", "No, that is all, thank you.",
        "That'll be all for today.", "Nothing else, thanks.", "Have a nice day!", "Thank you so much, take care.",
        "See you on Friday.", "Talk to you later, bye!", "Please hang up.", "I think that's everything. Goodbye!",
        "thank you by", "good night",
    ],
)  # fmt: skip
def test_a_leave_taking_is_one(said: str) -> None:
    assert phrases_in(said).kind is Phrase.LEAVE


@pytest.mark.parametrize(
    "said",
    [
        "No.", "No", "no no", "Is it all right if I come at five?", "I lost all my keys.", "No, I want Friday.",
        "What's up?", "Nothing works.", "That's all right.", "That's all wrong.", "Is that all?", "That's not all.",
        "That is all I know about it.", "Goodbye?", "Bye the way, when do you open?", "Don't hang up!",
        "I'm done with it.", "Nothing else works.", "I said goodbye to my dentist.", "See, you don't understand.", "by",
        "Take care of my cat.", "Have a look.", "All of it.", "I have to go", "Stop.", "Thanks.", "",
    ],
)  # fmt: skip
def test_what_only_resembles_a_leave_taking_is_none(said: str) -> None:
    assert phrases_in(said).kind is not Phrase.LEAVE


@given(st.text(max_size=60))
def test_a_question_never_takes_leave(said: str) -> None:
    assert phrases_in(f"{said} goodbye?").kind is not Phrase.LEAVE


@given(st.text(max_size=300))
def test_any_text_has_words(said: str) -> None:
    assert words_of(words_of(said)) == words_of(said)


async def test_a_refusal_takes_leave_only_where_the_assistant_asked_for_more() -> None:
    assert not (await converse("No, thank you."))[-1].endswith(HANGS_UP)
    booked = ("I would like an appointment.", "Thursday.", "At ten.", "Mary Jones.", "Yes.")
    assert (await converse(*booked, "No, thank you."))[-1] == f"Goodbye. {HANGS_UP}"
    assert not (await converse(*booked, "No."))[-1].endswith(HANGS_UP)


async def test_when_it_is_not_sure_it_asks_and_takes_the_answer() -> None:
    assert (await converse("I can't make it on Thursday."))[-1] == (
        "Did you mean cancelling a visit or moving a visit?"
    )
    for answer in ("Cancelling.", "The first one."):  # and Thursday it is
        assert (await converse("I can't make it on Thursday.", answer))[-1] == "And your name, please?"
    assert (await converse("I need to change my flight.", "Yes."))[-1].endswith("that you want to move?")
    assert "anything else" in (await converse("I need to change my flight.", "No."))[-1]


async def test_what_it_can_do_is_said_in_place_of_a_fallback() -> None:
    assert (await converse("Do you sell bicycles?"))[-1] == (
        "I'm sorry, I didn't get that. You can ask me about our opening hours, our address, booking a visit, or"
        " leaving a message."
    )


async def test_two_questions_at_once_are_both_answered() -> None:
    reply = (await converse("When are you open and where are you?"))[-1]
    assert reply.startswith("We are open from Monday")
    assert reply.endswith("opposite the post office.")
    reply = (await converse("I'd like to book an appointment, and how much does it cost?"))[-1]
    assert reply.endswith("forty dollars an hour. Which day would you like to come?")


async def test_after_the_opening_hours_a_day_alone_is_about_them() -> None:
    assert (await converse("Are you open on Saturday?", "And on Friday?"))[-1].startswith("On Friday we are open")
    assert "didn't get that" in (await converse("And on Friday?"))[-1]


async def test_what_was_booked_can_still_be_put_right() -> None:
    booked = ("I would like an appointment.", "Thursday.", "At ten.", "Mary Jones.", "Yes.")
    replies = await converse(*booked, "No, I want Friday.", "Yes.")
    assert replies[-2:] == [
        "Friday, November 27 at 10:00 AM, for Mary Jones. Is that right?",
        "Thank you, Mary Jones. We will be expecting you. Is there anything else?",
    ]


async def test_a_name_is_put_right_in_the_confirmation() -> None:
    booked = ("I would like an appointment.", "Thursday.", "At ten.", "Mary Jones.")
    right = "Thursday, November 26 at 10:00 AM, for Marie Jones. Is that right?"
    assert (await converse(*booked, "No.", "Marie Jones."))[-1] == right
    assert (await converse(*booked, "No, it's Marie Jones."))[-1] == right
    assert (await converse(*booked, "No.", "The name.", "Marie Jones."))[-1] == right
    assert (await converse(*booked, "No.", "Whatever you like to think.", "Yes."))[-1].startswith(
        "Thank you, Mary"
    )


async def test_a_day_said_late_is_the_day() -> None:
    assert (await converse("I would like an appointment.", "Thursday.", "Then Friday.", "At ten.", "Bob"))[-1] == (
        "Friday, November 27 at 10:00 AM, for Bob. Is that right?"
    )


@pytest.mark.parametrize(
    "said", ["Never mind.", "No, I don't want that.", "That's not what I want.", "No thanks."]
)
async def test_who_does_not_want_it_gets_out_of_it(said: str) -> None:
    assert (await converse("book an appointment", said))[-1] == "All right. What else can I do for you?"


async def test_a_message_may_say_anything() -> None:
    message = "Tell him I have to cancel, I never want to talk to a human again, and that is all."
    assert (await converse("take a message", "Mary Jones", message))[-1].startswith("Thank you, Mary Jones.")


@pytest.mark.parametrize("said", ["My name is Bob.", "Hi, this is Bob.", "Bob.", "Okay, it's Bob."])
async def test_a_name_is_heard_however_it_is_given(said: str) -> None:
    assert (await converse("take a message", said, "Call me."))[-1].startswith("Thank you, Bob.")


@pytest.mark.parametrize("said", ["Okay.", "Well.", "Hi.", "No.", "Pardon?", "Why?"])
async def test_what_is_no_name_is_not_taken_for_one(said: str) -> None:
    assert (await converse("take a message", said))[-1].endswith("What is your name?")


async def test_a_farewell_can_be_the_message() -> None:
    assert (await converse("take a message", "Bob", "See you on Friday."))[-1].startswith("Thank you, Bob.")
    assert (await converse("take a message", "Bob", "Goodbye."))[-1] == f"Goodbye. {HANGS_UP}"


async def test_a_refusal_answers_the_question_that_was_asked() -> None:
    slots = [{"name": "more", "type": "yes-no", "ask": "Anything else we should know?"}]
    config = RulesConfig.model_validate(
        {"intents": [{"name": "book", "ask": ["book a table"], "slots": slots, "say": "{{more}}: booked."}]}
    )
    said = [ChatMessage("user", text) for text in ("book a table", "No, thank you.")]
    model = RulesModel(config, lambda text, slots: render(text, dict(slots)).text)
    assert [event async for event in model.reply(ModelRequest(said))] == [TextDelta("no: booked.")]


class TestAnOperatorsOwn:
    """Topics of the configuration and the phrases that the dialogue knows by itself."""

    CONFIG = RulesConfig.model_validate(
        {
            "facts": [
                {"ask": ["are you a robot"], "say": "I am Robbie."},
                {"ask": ["what do you want from me"], "say": "Nothing."},
            ],
            "intents": [
                {"name": "stop", "ask": ["we are through with it"], "say": "So long.", "then": "hang-up"},
                {"name": "thanks", "ask": ["much obliged"], "say": "Any time."},
            ],
        }
    )

    async def say(self, text: str) -> str:
        model = RulesModel(self.CONFIG, lambda text, slots: render(text, dict(slots)).text)
        reply = ""
        async for event in model.reply(ModelRequest([ChatMessage("user", text)])):
            reply += event.text if isinstance(event, TextDelta) else ""
            reply += f" {HANGS_UP}" if isinstance(event, ToolCall) else ""
        return reply

    @pytest.mark.parametrize("said", ["Am I talking to a machine?", "Hello, are you human?"])
    async def test_an_answer_to_a_phrase_stands_for_all_of_its_kind(self, said: str) -> None:
        assert await self.say(said) == "I am Robbie."

    async def test_an_example_said_word_for_word_is_understood_whatever_it_is_made_of(self) -> None:
        assert await self.say("Well, what do you want from me, please?") == "Nothing."

    @pytest.mark.parametrize("said", ["Thank you very much.", "Much obliged."])
    async def test_an_intent_with_the_name_of_a_standard_one_takes_its_place(self, said: str) -> None:
        assert await self.say(said) == "Any time."

    async def test_a_phrase_that_hangs_up_does_so_alone(self) -> None:
        assert await self.say("Okay, we're through with it.") == f"So long. {HANGS_UP}"
        assert HANGS_UP not in await self.say("We are through with it when you have called me back.")
        assert HANGS_UP not in await self.say("Are we through with it?")


@pytest.mark.parametrize("listen", [Matcher([["how much is it"]]).find, words_of, phrases_in])
def test_nothing_that_a_caller_said_is_kept_when_their_call_is_over(listen: Callable[[str], object]) -> None:
    class Said(str):
        pass

    said = Said("How much is a zebrafish?")
    alive = weakref.ref(said)
    listen(said)
    del said
    gc.collect()
    assert alive() is None

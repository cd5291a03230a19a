"""The built-in dialogue as callers have it: whole conversations."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ari_assistant.dialogue.rules.config import RulesConfig
from ari_assistant.dialogue.rules.model import RulesModel
from ari_assistant.dialogue.rules.slots import numbers_in
from ari_assistant.dialogue.template import render
from ari_assistant.providers.model import ChatMessage, ModelRequest, TextDelta, ToolCall

MONDAY = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
CONFIG = RulesConfig.model_validate(
    {
        "facts": [{"ask": ["where are you", "what is your address"], "say": "Twelve Station Road."}],
        "hours": {
            "timezone": "Europe/Berlin",
            "week": {"monday-friday": "9:00-12:00, 13-17", "saturday": "10-14"},
            "closed": ["2026-12-25"],
        },
        "handOver": {"to": "sip:boss@example.org"},
        "intents": [
            {
                "name": "book",
                "ask": ["book a table", "I would like a reservation"],
                "slots": [
                    {"name": "people", "type": "number", "ask": "For how many people?", "least": 1, "most": 12},
                    {"name": "day", "type": "date", "ask": "For which day?"},
                    {"name": "time", "type": "time", "ask": "At what time?"},
                    {"name": "guest", "type": "name", "ask": "Under what name?"},
                ],
                "confirm": "A table for {{people}} on {{day}} at {{time}}, for {{guest}}. Right?",
                "say": "Thank you, {{guest}}.",
            },
            {
                "name": "order",
                "ask": ["order a pizza"],
                "slots": [
                    {
                        "name": "size",
                        "type": "choice",
                        "choices": ["small", "large: big, family"],
                        "ask": "What size?",
                    },
                    {"name": "number", "type": "digits", "least": 4, "ask": "Your phone number?"},
                ],
                "say": "A {{size}} one, {{number}}.",
                "then": "hang-up",
            },
        ],
    }
)


async def talk(*said: str, now: datetime = MONDAY) -> list[str]:
    """The answers, tools behind them in brackets."""
    model = RulesModel(CONFIG, lambda text, slots: render(text, dict(slots)).text, now=lambda: now)
    messages: list[ChatMessage] = []
    answers = []
    for text in said:
        messages.append(ChatMessage("user", text))
        answer = ""
        async for event in model.reply(ModelRequest(messages)):
            if isinstance(event, TextDelta):
                answer += event.text
            elif isinstance(event, ToolCall):
                answer += f" [{event.name}]"
        messages.append(ChatMessage("assistant", answer))
        answers.append(answer)
    return answers


async def test_slots_are_asked_for_one_by_one_and_confirmed() -> None:
    assert await talk(
        "I'd like to book a table.", "Four.", "This Friday.", "At half past seven.", "My name is Mary Jones.", "Yes."
    ) == [
        "For how many people?",
        "For which day?",
        "At what time?",
        "Under what name?",
        "A table for 4 on Friday, November 27 at 7:30 PM, for Mary Jones. Right?",
        "Thank you, Mary Jones.",
    ]  # fmt: skip


async def test_what_was_said_with_the_wish_is_not_asked_for_again() -> None:
    assert (await talk("book a table for two people tomorrow at 8 pm"))[-1] == "Under what name?"
    assert (await talk("book a table for four on Saturday"))[-1] == "At what time?"


async def test_no_seven_not_eleven() -> None:
    answers = await talk("book a table", "Eleven.", "No, seven, not eleven.", "Friday", "at noon", "Bob", "yes")
    assert answers[2] == "For which day?"
    assert answers[5] == "A table for 7 on Friday, November 27 at 12:00 PM, for Bob. Right?"


async def test_what_is_wrong_in_the_confirmation_is_put_right() -> None:
    start = ("book a table for two tomorrow at 8 pm", "B R O W N")
    assert (await talk(*start))[-1] == "A table for 2 on Tuesday, November 24 at 8:00 PM, for Brown. Right?"
    assert (await talk(*start, "No, for five people"))[-1].startswith("A table for 5 ")
    assert (await talk(*start, "No, at nine"))[-1].endswith("at 9:00 AM, for Brown. Right?")
    assert (await talk(*start, "No."))[-1] == "What shall I change?"
    assert (await talk(*start, "No.", "the day"))[-1] == "For which day?"
    assert (await talk(*start, "No.", "the day", "on Sunday"))[-1].startswith("A table for 2 on Sunday")
    assert (await talk(*start, "No.", "Friday", "correct"))[-1] == "Thank you, Brown."


async def test_a_question_in_between_is_answered_and_the_slot_asked_for_again() -> None:
    assert (await talk("book a table", "where are you?"))[-1] == "Twelve Station Road. For how many people?"


async def test_who_changes_their_mind_gets_out_of_it() -> None:
    assert (await talk("book a table", "never mind"))[-1] == "All right. What else can I do for you?"
    assert (await talk("book a table", "goodbye"))[-1] == "Goodbye. [endCall]"


async def test_keys_fill_numbers_and_digits() -> None:
    answers = await talk("order a pizza", "the family one", "User's Keypad Entry: 1234")
    assert answers == ["What size?", "Your phone number?", "A large one, 1234. [endCall]"]


@pytest.mark.parametrize(
    ("said", "digits"),
    [
        ("oh one seven double five", "01755"),
        ("forty two eighteen", "4218"),
        ("0 1 7 4", "0174"),
        ("twenty twenty", "2020"),
    ],
)
async def test_digits_as_people_say_them(said: str, digits: str) -> None:
    assert (await talk("order a pizza", "small", said))[-1] == f"A small one, {digits}. [endCall]"


async def test_too_few_digits_are_asked_for_again() -> None:
    assert (await talk("order a pizza", "small", "one two"))[
        -1
    ] == "I'm sorry, I didn't get that. Your phone number?"


async def test_who_is_not_understood_is_handed_over() -> None:
    assert (await talk("book a table", "banana", "banana", "banana"))[-1] == (
        "One moment, I will put you through. [transferCall]"
    )
    assert (await talk("can I speak to a human please"))[-1].endswith("[transferCall]")


async def test_small_talk_comes_to_an_end() -> None:
    answers = await talk("hello", "how are you", "thanks")
    assert answers[:2] == ["Hello. How can I help?", "I'm fine, thank you."]
    assert answers[2].endswith("So, what can I do for you?")


async def test_the_same_words_always_get_the_same_answer() -> None:
    """A reply that was prepared in vain changes nothing."""
    model = RulesModel(CONFIG, lambda text, slots: render(text, dict(slots)).text, now=lambda: MONDAY)

    async def answer(*said: str) -> list[str]:
        messages = [ChatMessage("user", text) for text in said]
        return [event.text async for event in model.reply(ModelRequest(messages)) if isinstance(event, TextDelta)]

    once = await answer("book a table")
    assert await answer("book a table", "four") == ["For which day?"]
    assert await answer("book a table") == once


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("Are you open now?", "Yes, we are open until noon."),
        ("Are you open on Sunday?", "On Sunday we are closed."),
        ("What time do you close tomorrow?", "Tomorrow we are open from 9 AM to noon and from 1 PM to 5 PM."),
        (
            "When are you open?",
            "We are open from Monday to Friday, from 9 AM to noon and from 1 PM to 5 PM, and on Saturday, from 10 AM to"
            " 2 PM.",
        ),
    ],
)
async def test_opening_hours(said: str, answer: str) -> None:
    assert await talk(said) == [answer]


@pytest.mark.parametrize(
    ("now", "answer"),
    [
        ("2026-11-23T11:30+00:00", "We are closed at the moment. We open at 1 PM today."),
        ("2026-11-23T20:00+00:00", "We are closed now. We open tomorrow at 9 AM."),
        ("2026-11-28T20:00+00:00", "We are closed now. We open on Monday at 9 AM."),
        ("2026-12-25T10:00+00:00", "We are closed now. We open tomorrow at 10 AM."),
    ],
)
async def test_open_now_depends_on_the_clock_of_the_place(now: str, answer: str) -> None:
    assert await talk("are you open now", now=datetime.fromisoformat(now)) == [answer]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("twenty one", [21]), ("a hundred and five", [105]), ("two thousand", [2000]), ("one two three", [1, 2, 3]),
        ("thirty fifteen", [30, 15]), ("2 or 3", [2, 3]), ("none", []),
    ],
)  # fmt: skip
def test_numbers_in_words(text: str, numbers: list[int]) -> None:
    assert numbers_in(text) == numbers


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ({"hours": {"week": {"funday": "9-5"}}}, "funday"),
        ({"hours": {"week": {"monday": "17-9"}}}, "must begin before"),
        ({"hours": {"week": {"monday": "nine"}}}, "two times with a hyphen"),
        ({"hours": {"timezone": "Berlin", "week": {}}}, "Europe/Berlin"),
        ({"intents": [{"name": "x", "ask": ["x"], "then": "hand-over"}]}, "handOver"),
        (
            {"intents": [{"name": "x", "ask": ["x"], "slots": [{"name": "a", "ask": "?", "type": "choice"}]}]},
            "choices",
        ),
        ({"handOver": {"to": "boss"}}, "pattern"),
    ],
)
def test_what_cannot_work_is_refused(document: dict[str, object], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        RulesConfig.model_validate(document)


@pytest.mark.parametrize(
    "said", ["Nothing works.", "What's up?", "I don't know.", "That is not my day.", "Tell me thy joke."]
)
async def test_what_is_a_sentence_is_no_name(said: str) -> None:
    answers = await talk("Book a table for two on Friday at 7 pm", said, "Marie Jones")
    assert "Under what name?" in answers[-2]
    assert answers[-1].startswith("A table for 2 on Friday")
    assert "for Marie Jones" in answers[-1]

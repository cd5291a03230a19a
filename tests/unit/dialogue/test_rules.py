from __future__ import annotations

import pytest

from ari_assistant.dialogue.rules.config import RulesConfig
from ari_assistant.dialogue.rules.model import RulesModel
from ari_assistant.dialogue.template import render
from ari_assistant.providers.model import ChatMessage, ModelRequest, TextDelta, ToolCall

CONFIG = RulesConfig.model_validate(
    {
        "fallback": "I do not know that, {{first_name}}.",
        "facts": [
            {"ask": ["when are you open", "what are your opening hours"], "say": "Nine to five."},
            {"ask": ["where are you", "what is your address"], "say": "Twelve Station Road."},
            {"ask": ["how much does it cost"], "say": "Forty dollars."},
        ],
        "intents": [
            {
                "name": "message",
                "ask": ["I want to leave a message", "take a message"],
                "slots": [
                    {"name": "caller", "ask": "What is your name?"},
                    {"name": "text", "ask": "What shall I pass on?"},
                ],
                "say": "Thank you, {{caller}}: {{text}}.",
            }
        ],
    }
)


class Conversation:
    """Talks with one model."""

    def __init__(self, config: RulesConfig = CONFIG) -> None:
        self.model = RulesModel(config, lambda text, slots: render(text, {"first_name": "John", **slots}).text)
        self.messages: list[ChatMessage] = []
        self.ended = False

    async def say(self, text: str) -> str:
        self.messages.append(ChatMessage("user", text))
        answer = ""
        async for event in self.model.reply(ModelRequest(self.messages)):
            if isinstance(event, TextDelta):
                answer += event.text
            self.ended |= isinstance(event, ToolCall) and event.name == "endCall"
        self.messages.append(ChatMessage("assistant", answer))
        return answer


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("When are you open?", "Nine to five."),
        ("Hello, could you tell me what your opening hours are please?", "Nine to five."),
        ("Where is your office?", "Twelve Station Road."),
        ("What's the price?", "Forty dollars."),
        ("How much does a haircut cost?", "Forty dollars."),
        ("When are you opening?", "Nine to five."),
    ],
)
async def test_unseen_phrasings_find_their_fact(said: str, answer: str) -> None:
    assert await Conversation().say(said) == answer


@pytest.mark.parametrize("said", ["Who is the president?", "Do you sell bicycles?", "Blah blah.", "", "?!"])
async def test_what_it_does_not_know_it_says_so(said: str) -> None:
    assert await Conversation().say(said) == "I do not know that, John."


async def test_an_intent_asks_for_its_slots_and_uses_them() -> None:
    talk = Conversation()
    assert await talk.say("I want to leave a message for Bob") == "What is your name?"
    assert await talk.say("Um, my name is Mary Jones.") == "What shall I pass on?"
    assert (
        await talk.say("I will be late {{ first_name }}")
        == "Thank you, Mary Jones: I will be late {{ first_name }}."
    )
    assert await talk.say("When are you open?") == "Nine to five."


async def test_saying_goodbye_in_the_middle_of_an_intent_ends_the_call() -> None:
    talk = Conversation()
    await talk.say("take a message")
    assert await talk.say("Goodbye.") == "Goodbye."
    assert talk.ended


async def test_it_repeats_what_it_said_last() -> None:
    talk = Conversation()
    await talk.say("when are you open")
    assert await talk.say("Can you repeat that?") == "Nine to five."


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValueError, match="facts"):
        RulesConfig.model_validate({"facts": [{"ask": [], "say": "x"}]})
    with pytest.raises(ValueError, match="fact"):
        RulesConfig.model_validate({"fact": []})

"""The built-in dialogue of one call. It implements `providers.model.Model`.

It remembers nothing: where a conversation stands follows from what the caller said in it, replayed from the first
utterance at every turn. So a reply that was prepared in vain leaves no trace, and the same words always get the same
answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from ari_assistant.dialogue.rules.config import Fact, Intent, RulesConfig, Slot
from ari_assistant.dialogue.rules.hours import OpeningHours
from ari_assistant.dialogue.rules.matcher import Matcher
from ari_assistant.dialogue.rules.slots import affirms, corrects, extract, says_no
from ari_assistant.providers.model import ModelEvent, ModelRequest, TextDelta, ToolCall

__all__ = ["RulesModel"]

Render = Callable[[str, Mapping[str, str]], str]

_DEFAULT_INTENTS = (
    Intent(
        name="goodbye",
        ask=["goodbye", "bye", "bye bye", "that is all", "nothing else", "no thanks", "hang up", "thanks bye"],
        say="Goodbye.",
        then="hang-up",
    ),
    Intent(
        name="repeat",
        ask=["repeat that", "say that again", "can you repeat", "pardon", "what did you say", "come again"],
        then="repeat",
    ),
    Intent(name="greeting", ask=["hello", "hi", "good morning", "hello there"], say="Hello. How can I help?"),
    Intent(name="thanks", ask=["thank you", "thanks", "thank you very much"], say="You're welcome."),
    Intent(
        name="how-are-you", ask=["how are you", "how are you doing", "how is it going"], say="I'm fine, thank you."
    ),
)
_SMALL_TALK = frozenset({"greeting", "thanks", "how-are-you"})
_HAND_OVER = Intent(
    name="hand-over",
    ask=["speak to a person", "talk to a human", "speak to somebody", "operator", "a real person", "agent please"],
    then="hand-over",
)
_HOURS = Fact(
    ask=[
        "when are you open", "what are your opening hours", "are you open now", "are you open today",
        "are you open on Sunday", "what time do you close", "when do you close", "are you open tomorrow",
        "are you open on Saturday", "are you open on the weekend", "what time do you open",
    ],
    say="",
)  # fmt: skip
_FOR_SO_MANY = re.compile(r"\b(?:for|of|with)\s+(\w+(?:[ -]\w+)?)|(\w+)\s+(?:people|persons|guests|of us)\b", re.I)
_QUESTION = re.compile(r"\?\s*$|^(?:who|what|when|where|why|how|which|do|does|are|is|can|could)\b", re.IGNORECASE)
_GOODBYE = re.compile(r"\b(?:good-?bye|bye|hang up)\b", re.IGNORECASE)
_CANCEL = re.compile(
    r"\b(?:never ?mind|cancel that|forget it|forget about it|stop that|start over)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _State:
    """Where the conversation stands."""

    intent: Intent | None = None
    slots: Mapping[str, str] = field(default_factory=dict)
    asked: str | None = None
    """The slot that was asked for last."""
    confirming: bool = False
    changing: bool = False
    """The caller was asked what is to be changed."""
    misses: int = 0
    """Utterances in a row that were not understood."""
    small_talk: int = 0


@dataclass(frozen=True, slots=True)
class _Step:
    """The answer to one utterance."""

    state: _State
    say: str = ""
    """A template."""
    then: str = "go-on"
    literal: bool = False
    """`say` is no template."""


class RulesModel:
    """See the module. `config` has been validated."""

    name = "built-in"

    def __init__(
        self,
        config: RulesConfig,
        render: Render = lambda text, _: text,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`render(template, slots)` fills in the call's variables and the slots."""
        self._config = config
        self._render = render
        self._now = now
        self._hours = OpeningHours(config.hours) if config.hours is not None else None
        named = {intent.name for intent in config.intents}
        own: list[Fact | Intent] = [*config.facts, *config.intents]
        if self._hours is not None:
            own.append(_HOURS)
        if config.hand_over is not None and not any(i.then == "hand-over" for i in config.intents):
            own.append(_HAND_OVER)
        self._topics = [*own, *(intent for intent in _DEFAULT_INTENTS if intent.name not in named)]
        self._matcher = Matcher([topic.ask for topic in self._topics])

    async def reply(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """See `providers.model.Model`."""
        said = [message.content for message in request.messages if message.role == "user"]
        state = _State()
        for text in said[:-1]:
            state = self._step(state, text).state
        if not said:
            return
        step = self._step(state, said[-1])
        text = step.say if step.literal else self._render(step.say, step.state.slots)
        if step.then == "repeat":
            before = next((m.content for m in reversed(request.messages) if m.role == "assistant"), None)
            text = before if before is not None else self._render(self._config.fallback, {})
        if text:
            yield TextDelta(text)
        if step.then == "hang-up":
            yield ToolCall("hang-up", "endCall")
        elif step.then == "hand-over" and self._config.hand_over is not None:
            yield ToolCall("hand-over", "transferCall", json.dumps({"destination": self._config.hand_over.to}))

    # -- one utterance --------------------------------------------------------------------------------------

    def _step(self, state: _State, said: str) -> _Step:
        if state.intent is not None:
            return self._within(state, state.intent, said)
        index = self._matcher.best(said)
        return self._missed(state) if index is None else self._begin(state, self._topics[index], said)

    def _begin(self, state: _State, topic: Fact | Intent, said: str) -> _Step:
        calm = replace(state, misses=0, small_talk=0)
        if topic is _HOURS and self._hours is not None:
            return _Step(calm, self._hours.answer(said, self._now()), literal=True)
        if isinstance(topic, Fact):
            return _Step(calm, topic.say)
        if topic.name in _SMALL_TALK and topic in _DEFAULT_INTENTS:
            return self._small_talk(state, topic)
        if topic.then == "repeat":
            return _Step(state, then="repeat")
        return self._go_on(replace(calm, intent=topic, slots=self._mentioned(topic, said)), topic)

    def _small_talk(self, state: _State, topic: Intent) -> _Step:
        count = state.small_talk + 1
        say = topic.say or ""
        if count > self._config.small_talk_limit:
            say = f"{say} {self._config.small_talk_end}"
        return _Step(replace(state, small_talk=count, misses=0), say)

    def _missed(self, state: _State, say: str | None = None) -> _Step:
        missed = replace(state, misses=state.misses + 1, small_talk=0)
        if missed.misses < self._config.give_up_after:
            return _Step(missed, say if say is not None else self._config.fallback)
        if self._config.hand_over is not None:
            return _Step(_State(), self._config.hand_over.say, then="hand-over")
        if state.intent is not None or say is not None:
            return _Step(_State(), self._config.give_up, then="hang-up")
        return _Step(missed, self._config.fallback)

    # -- slots ----------------------------------------------------------------------------------------------

    def _within(self, state: _State, intent: Intent, said: str) -> _Step:
        if _CANCEL.search(said):
            return _Step(_State(), "All right. What else can I do for you?")
        index = self._matcher.best(said)
        topic = self._topics[index] if index is not None else None
        asked = next((slot for slot in intent.slots if slot.name == state.asked), None)
        takes_anything = asked is not None and asked.type in ("text", "name") and not state.confirming
        if isinstance(topic, Intent) and topic is not intent and not (takes_anything and topic.slots):
            if topic.then == "repeat":
                return _Step(state, then="repeat")
            if topic.name not in _SMALL_TALK and (topic.name != "goodbye" or _GOODBYE.search(said)):
                return self._begin(_State(), topic, said)
        if state.confirming:
            return self._confirmed(state, intent, said)
        if asked is None:
            return self._go_on(state, intent)
        value = extract(asked, said, today=self._today())
        if asked.type == "name" and isinstance(topic, Fact) and _QUESTION.search(said):
            value = None
        repaired = self._repaired(state, intent, asked, said) if corrects(said) else None
        if repaired is not None and (value is None or asked.type in ("text", "name")):
            return self._go_on(replace(repaired, misses=0), intent)
        if value is not None:
            slots = {**state.slots, asked.name: value}
            return self._go_on(replace(state, slots=slots, asked=None, misses=0, small_talk=0), intent)
        if isinstance(topic, Fact):  # a question in between: answered, then asked again
            answer = self._begin(state, topic, said)
            text = answer.say if answer.literal else self._render(answer.say, state.slots)
            return _Step(state, f"{text} {self._render(asked.ask, state.slots)}", literal=True)
        return self._missed(state, asked.again or f"I'm sorry, I didn't get that. {asked.ask}")

    def _go_on(self, state: _State, intent: Intent) -> _Step:
        missing = next((slot for slot in intent.slots if slot.name not in state.slots), None)
        if missing is not None:
            return _Step(replace(state, asked=missing.name, confirming=False, changing=False), missing.ask)
        if intent.confirm is not None and not state.confirming:
            return _Step(replace(state, asked=None, confirming=True, changing=False), intent.confirm)
        over = _State(slots=state.slots)  # what was said may be used by what is said
        say = intent.say or ""
        if intent.then == "hand-over" and not say and self._config.hand_over is not None:
            say = self._config.hand_over.say
        return _Step(over, say, then=intent.then)

    def _confirmed(self, state: _State, intent: Intent, said: str) -> _Step:
        if not state.changing and affirms(said):
            return self._go_on(replace(state, misses=0), intent)
        repaired = self._repaired(state, intent, None, said)
        if repaired is not None:
            return self._go_on(replace(repaired, confirming=False, misses=0), intent)
        named = next((slot for slot in intent.slots if _names(slot, said)), None)
        if named is not None:
            slots = {name: value for name, value in state.slots.items() if name != named.name}
            return self._go_on(replace(state, slots=slots, confirming=False, misses=0), intent)
        if says_no(said) and not state.changing:
            return _Step(replace(state, changing=True, misses=0), "What shall I change?")
        return self._missed(state, f"I'm sorry, I didn't get that. {intent.confirm}")

    def _repaired(self, state: _State, intent: Intent, asked: Slot | None, said: str) -> _State | None:
        """`No, seven, not eleven`: the newest filled slot whose kind of value is in it, and another one."""
        filled = [slot for slot in reversed(intent.slots) if slot.name in state.slots and slot is not asked]
        for slot in filled:
            if slot.type == "yes-no":
                continue
            named = _names(slot, said)
            if slot.type == "time" and _how_many(said) and not _tells_time(said):
                continue
            value = extract(slot, said, today=self._today(), whole=False)
            if value is None and slot.type in ("text", "name") and (named or len(filled) == 1):
                value = _after_the_name(slot, said)
            if value is not None and value != state.slots[slot.name]:
                return replace(state, slots={**state.slots, slot.name: value})
        return None

    def _mentioned(self, intent: Intent, said: str) -> dict[str, str]:
        """What was said along with the wish: `a table for four on Friday`. Only kinds that cannot be mistaken."""
        found: dict[str, str] = {}
        kinds = [slot.type for slot in intent.slots]
        for slot in intent.slots:
            alone = kinds.count(slot.type) == 1
            clear = slot.type in ("date", "choice", "email", "number")
            if slot.type == "time":
                clear = _tells_time(said)
            if alone and clear:
                # Next to a day and a time a number is theirs, unless it is for somebody.
                heard = said if slot.type != "number" else _how_many(said)
                value = extract(slot, heard, today=self._today(), whole=False)
                if value is not None:
                    found[slot.name] = value
        return found

    def _today(self) -> date:
        now = self._now()
        return now.date() if self._hours is None else self._hours.today(now)


def _tells_time(said: str) -> bool:
    return re.search(r"\bat\b|o'clock|\b[ap]\.?m\b|\bhalf past\b|\d:\d", said.lower()) is not None


def _how_many(said: str) -> str:
    return " ".join(part for found in _FOR_SO_MANY.findall(said) for part in found)


def _names(slot: Slot, said: str) -> bool:
    return re.search(rf"\b{re.escape(slot.name.replace('_', ' ').replace('-', ' '))}\b", said.lower()) is not None


def _after_the_name(slot: Slot, said: str) -> str | None:
    """`No, the name is Brown` → `Brown`."""
    name = re.escape(slot.name.replace("_", " "))
    match = re.search(
        rf"(?:\b{name}\b.*?\b(?:is|should be|was)|\b(?:i said|i meant|it's|it is))\s+(.+)", said, re.I
    )
    return match[1].strip(" .,!") if match is not None else None

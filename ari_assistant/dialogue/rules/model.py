"""The built-in dialogue of one call. It implements `providers.model.Model`.

It remembers nothing: where a conversation stands follows from what the caller said in it, replayed from the first
utterance at every turn. So a reply that was prepared in vain leaves no trace, and the same words always get the same
answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from ari_assistant.dialogue.rules.config import Fact, Intent, RulesConfig, Slot
from ari_assistant.dialogue.rules.hours import OpeningHours
from ari_assistant.dialogue.rules.matcher import Matcher, Verdict
from ari_assistant.dialogue.rules.phrases import Phrase, phrases_in
from ari_assistant.dialogue.rules.slots import affirms, corrects, extract, says_no
from ari_assistant.dialogue.rules.words import asks, words_of
from ari_assistant.providers.model import ModelEvent, ModelRequest, TextDelta, ToolCall

__all__ = ["RulesModel"]

RenderWithSlots = Callable[[str, Mapping[str, str]], str]
Topic = Fact | Intent

_STANDARD = (
    Intent(name=Phrase.LEAVE, ask=["goodbye"], say="Goodbye.", then="hang-up"),
    Intent(name=Phrase.REPEAT, ask=["pardon"], then="repeat"),
    Intent(name=Phrase.WAIT, ask=["one moment please"], say="Take your time."),
    Intent(
        name=Phrase.PARTING,
        ask=["I have to go"],
        say="All right, say goodbye when you are done. What else can I do for you?",
    ),
    Intent(name=Phrase.GREETING, ask=["hello"], say="Hello. How can I help?"),
    Intent(name=Phrase.THANKS, ask=["thank you"], say="You're welcome."),
    Intent(name=Phrase.HOW_ARE_YOU, ask=["how are you"], say="I'm fine, thank you."),
    Intent(name=Phrase.WHO, ask=["who are you"], say="I am an automatic assistant, a program."),
)
"""What everybody can say to it. An intent of the operator's with the same name, or a topic with a phrase of the same
kind among its examples, takes its place."""
_SMALL_TALK = frozenset({Phrase.GREETING, Phrase.THANKS, Phrase.HOW_ARE_YOU, Phrase.WHO})
_HAND_OVER = Intent(
    name="hand-over",
    about="speaking to a person",
    ask=[
        "speak to a person", "talk to a human", "speak to somebody", "operator", "a real person", "agent please",
        "put me through to somebody", "let me talk to the manager",
    ],
    then="hand-over",
)  # fmt: skip
_HOURS = Fact(
    about="our opening hours",
    ask=[
        "when are you open", "what are your opening hours", "are you open now", "are you open today",
        "are you open on Sunday", "what time do you close", "when do you close", "are you open tomorrow",
        "are you open on Saturday", "are you open on the weekend", "what time do you open",
    ],
    say="",
)  # fmt: skip
_ANSWERABLE = frozenset(Phrase(topic.name) for topic in _STANDARD) | {Phrase.HELP}
_UNKNOWN = "I'm sorry, I don't know that."
_AT_YOUR_SERVICE = "All right. Is there anything else I can do for you?"
_SURE_ENOUGH = 3.0
"""Evidence with which a wish within a wish is another one: `cancel my appointment`, and not `change it to Friday`."""
_FOR_SO_MANY = re.compile(r"\b(?:for|of|with)\s+(\w+(?:[ -]\w+)?)|(\w+)\s+(?:people|persons|guests|of us)\b", re.I)
_LEAVES_FOR_SURE = re.compile(r"\b(?:good)?bye\b|\bhang up\b|\bthat is (?:all|it)\b")
"""Also where anything may be said: `see you on Friday` may be the message."""
_INTRODUCES = re.compile(r"\b(?:name is|this is|it is|i am) \w+")
_ANYTHING_ELSE = re.compile(r"\b(?:anything|something|what) (?:else|more)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _State:
    """Where the conversation stands."""

    intent: Intent | None = None
    slots: Mapping[str, str] = field(default_factory=dict)
    asked: str | None = None
    """The name of the slot that was asked for last."""
    confirming: bool = False
    changing: bool = False
    """The caller was asked what is to be changed."""
    misses: int = 0
    """Utterances in a row that were not understood."""
    small_talk: int = 0
    offered: tuple[int, ...] = ()
    """Topics that the caller was asked about: `did you mean …?`"""
    unsure: str = ""
    """The words that they may be about."""
    done: Intent | None = None
    """The wish that was fulfilled last; its `slots` may still be put right."""
    of_hours: bool = False
    """The last answer was about the opening hours: `and on Friday?` is, too."""
    closing: bool = False
    """The caller was asked whether there is anything else."""

    @property
    def slot(self) -> Slot | None:
        """The slot that was asked for last."""
        return (
            next((s for s in self.intent.slots if s.name == self.asked), None) if self.intent is not None else None
        )

    @property
    def takes_anything(self) -> bool:
        """Whatever is said next is the answer: a message may be about anything."""
        return self.slot is not None and self.slot.type == "text" and not self.confirming


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
    """Answers by the rules of a validated `config`."""

    name = "built-in"

    def __init__(
        self,
        config: RulesConfig,
        render: RenderWithSlots = lambda text, _: text,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`render(template, slots)` fills in the call's variables and the slots."""
        self._config = config
        self._render = render
        self._now = now
        self._hours = OpeningHours(config.hours) if config.hours is not None else None
        own: list[Topic] = [*config.facts, *config.intents]
        if self._hours is not None:
            own.append(_HOURS)
        if config.hand_over is not None and not any(i.then == "hand-over" for i in config.intents):
            own.append(_HAND_OVER)
        self._topics = own
        # Who hangs up on a phrase does so on that phrase alone, and not on what resembles it.
        leaving = [t for t in config.intents if t.then == "hang-up" and not t.slots and t.confirm is None]
        self._leaving = {words_of(phrase): topic for topic in leaving for phrase in topic.ask}
        self._standard = self._answers_to_phrases(own)
        self._matcher = Matcher(
            [[] if topic in leaving else [p for p in topic.ask if not _is_phrase(p)] for topic in own],
            acts=[isinstance(topic, Intent) for topic in own],
        )

    @staticmethod
    def _answers_to_phrases(own: Sequence[Topic]) -> Mapping[Phrase, Topic]:
        found: dict[Phrase, Topic] = {Phrase(topic.name): topic for topic in _STANDARD}
        for topic in reversed(own):
            kinds = {phrases_in(phrase).kind for phrase in topic.ask}
            if isinstance(topic, Intent) and topic.name in list(Phrase):
                kinds.add(Phrase(topic.name))
            found.update({kind: topic for kind in kinds if kind in _ANSWERABLE})
        return found

    async def reply(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """See `providers.model.Model`."""
        said = [message.content for message in request.messages if message.role == "user"]
        state = _State()
        for text in said[:-1]:
            state = self._answer(state, text).state
        if not said:
            return
        step = self._answer(state, said[-1])
        text = step.say if step.literal else self._render(step.say, step.state.slots)
        if step.then == "repeat":
            before = next((m.content for m in reversed(request.messages) if m.role == "assistant"), None)
            text = before if before is not None else self._render(self._fallback(), {})
        if text:
            yield TextDelta(text)
        if step.then == "hang-up":
            yield ToolCall("hang-up", "endCall")
        elif step.then == "hand-over" and self._config.hand_over is not None:
            yield ToolCall("hand-over", "transferCall", json.dumps({"destination": self._config.hand_over.to}))

    # -- one utterance --------------------------------------------------------------------------------------

    def _answer(self, state: _State, said: str) -> _Step:
        step = self._step(state, said)
        closing = _ANYTHING_ELSE.search(step.say) is not None
        return replace(step, state=replace(step.state, closing=closing))

    def _step(self, state: _State, said: str) -> _Step:
        heard = phrases_in(said, tuple(self._leaving))
        kind = heard.kind
        done = kind is Phrase.DECLINE and state.closing and state.intent is None
        if done or (
            kind is Phrase.LEAVE and (not state.takes_anything or _LEAVES_FOR_SURE.search(words_of(said)))
        ):
            return self._begin(_State(), self._leave_taking(said), said)
        if kind is Phrase.REPEAT:
            return self._begin(state, self._standard[kind], said)
        if state.intent is not None:
            return self._within(state, state.intent, said, kind)
        offered, state = state.offered, replace(state, offered=())
        chosen = _chosen(offered, said)
        if chosen is not None:
            return self._begin(state, self._topics[chosen], state.unsure)
        if kind is not None and kind in self._standard:
            return self._begin(state, self._standard[kind], said)
        if kind is Phrase.HELP:
            return _Step(replace(state, misses=0), self._help(4) or self._fallback())
        verdict = self._matcher.find(said)
        again = [index for index in verdict.sure or verdict.perhaps if index in offered]
        if len(again) == 1:
            return self._begin(state, self._topics[again[0]], f"{state.unsure} {said}")
        if not verdict.sure and kind in (Phrase.YES, Phrase.FILLER):
            return _Step(state, "Yes? What can I do for you?")
        if not verdict.sure and kind is Phrase.NO and state.closing:
            return _Step(state, "All right. Just say goodbye, or tell me what you need.")
        if not verdict.sure and kind in (Phrase.NO, Phrase.DECLINE, Phrase.DROP):
            return _Step(state, _AT_YOUR_SERVICE)
        return self._wish(state, verdict, said)

    def _wish(self, state: _State, verdict: Verdict, said: str) -> _Step:
        """What to do about what the words are about."""
        topics = [self._topics[index] for index in verdict.sure]
        if len(topics) == 1:
            return self._begin(state, topics[0], said)
        if topics:
            steps = [self._begin(state, topic, said) for topic in topics]
            text = " ".join(s.say if s.literal else self._render(s.say, s.state.slots) for s in steps)
            return replace(steps[-1], say=text, literal=True)
        if state.of_hours and self._hours is not None and self._hours.names_a_day(said):
            return self._begin(state, _HOURS, said)
        if state.done is not None and corrects(said):
            repaired = self._repaired(state, state.done, None, said)
            if repaired is not None and state.done.confirm is not None:
                return self._go_on(replace(repaired, intent=state.done, done=None, misses=0), state.done)
        named = [index for index in verdict.perhaps if self._topics[index].about is not None]
        if named:
            meant = _listed([self._topics[index].about or "" for index in named])
            return self._missed(replace(state, offered=tuple(named), unsure=said), f"Did you mean {meant}?")
        return self._missed(state)

    def _leave_taking(self, said: str) -> Topic:
        words = words_of(said)
        own = (topic for phrase, topic in self._leaving.items() if phrase in words)
        return next(own, self._standard[Phrase.LEAVE])

    def _help(self, most: int) -> str | None:
        """What it can do, at most so many things of each kind; more than that nobody keeps in mind."""
        told = [topic for topic in self._topics if topic.about is not None]
        facts: list[Topic] = [topic for topic in (_HOURS, *self._config.facts) if topic in told]
        acts = [topic for topic in told if isinstance(topic, Intent)]
        about = [topic.about or "" for topic in (*facts[:most], *acts[:most])]
        return f"You can ask me about {_listed(about)}." if about else None

    def _fallback(self) -> str:
        if self._config.fallback is not None:
            return self._config.fallback
        offer = self._help(2)
        return _UNKNOWN if offer is None else f"I'm sorry, I didn't get that. {offer}"

    def _begin(self, state: _State, topic: Topic, said: str) -> _Step:
        calm = replace(state, misses=0, small_talk=0, offered=(), of_hours=topic is _HOURS)
        if topic is _HOURS and self._hours is not None:
            return _Step(calm, self._hours.answer(said, self._now()), literal=True)
        if isinstance(topic, Fact):
            return _Step(calm, topic.say)
        if topic in _STANDARD and topic.name in _SMALL_TALK:
            return self._small_talk(state, topic)
        if topic.then == "repeat":
            return _Step(state, then="repeat")
        if not topic.slots and topic.then == "go-on" and topic.confirm is None:
            return _Step(calm, topic.say or "")
        return self._go_on(replace(calm, intent=topic, slots=self._mentioned(topic, said), done=None), topic)

    def _small_talk(self, state: _State, topic: Intent) -> _Step:
        count = state.small_talk + 1
        say = topic.say or ""
        if count > self._config.small_talk_limit:
            say = f"{say} {self._config.small_talk_end}"
        return _Step(replace(state, small_talk=count, misses=0), say)

    def _missed(self, state: _State, say: str | None = None) -> _Step:
        missed = replace(state, misses=state.misses + 1, small_talk=0, of_hours=False)
        say = say if say is not None else self._fallback()
        if missed.misses < self._config.give_up_after:
            return _Step(missed, say)
        if self._config.hand_over is not None:
            return _Step(_State(), self._config.hand_over.say, then="hand-over")
        if state.intent is not None:
            return _Step(_State(), self._config.give_up, then="hang-up")
        return _Step(missed, say)

    # -- slots ----------------------------------------------------------------------------------------------

    def _within(self, state: _State, intent: Intent, said: str, kind: Phrase | None) -> _Step:
        asked = state.slot
        yes_or_no = state.confirming or (asked is not None and asked.type == "yes-no")
        if asked is not None and asked.type == "name" and _INTRODUCES.search(words_of(said)):
            kind = None  # "Hi, this is Bob" greets, and answers
        if state.takes_anything and kind in (Phrase.LEAVE, Phrase.PARTING):
            kind = None
        if (kind is Phrase.DROP and not (yes_or_no and " not " in words_of(said))) or (
            kind is Phrase.DECLINE and not yes_or_no
        ):
            return _Step(_State(), "All right. What else can I do for you?")
        if kind is not None and kind in self._standard:
            step = self._begin(state, self._standard[kind], said)
            question = asked.ask if asked is not None else intent.confirm
            if kind is Phrase.WAIT or question is None:
                return replace(step, state=state)
            return self._in_between(state, step, question)
        verdict = self._matcher.find(said) if not state.takes_anything else Verdict()
        topic = self._topics[verdict.sure[0]] if len(verdict.sure) == 1 else None
        if isinstance(topic, Intent) and topic is not intent and verdict.evidence >= _SURE_ENOUGH:
            return self._begin(_State(), topic, said)
        if state.confirming:
            return self._confirmed(state, intent, said)
        if asked is None:
            return self._go_on(state, intent)
        if isinstance(topic, Fact) and asks(said):
            return self._in_between(state, self._begin(state, topic, said), asked.ask)
        value = extract(asked, said, today=self._today())
        if asked.type in ("name", "text") and (
            kind in (Phrase.NO, Phrase.YES, Phrase.FILLER) or not words_of(said)
        ):
            value = None
        if asked.type == "name" and asks(said):
            value = None
        repairs = corrects(said) or (value is None and not asks(said))
        repaired = self._repaired(state, intent, asked, said) if repairs else None
        if repaired is not None and (value is None or asked.type in ("text", "name")):
            return self._go_on(replace(repaired, misses=0), intent)
        if value is not None:
            slots = {**state.slots, asked.name: value}
            return self._go_on(replace(state, slots=slots, asked=None, misses=0, small_talk=0), intent)
        if isinstance(topic, Fact):
            return self._in_between(state, self._begin(state, topic, said), asked.ask)
        if isinstance(topic, Intent) and topic is not intent and not topic.slots:
            return self._begin(_State(), topic, said)
        sorry = "I'm sorry, I don't know that." if asks(said) else "I'm sorry, I didn't get that."
        return self._missed(state, asked.again or f"{sorry} {asked.ask}")

    def _in_between(self, state: _State, step: _Step, question: str) -> _Step:
        """What was asked in between is answered, and then the slot asked for again."""
        text = step.say if step.literal else self._render(step.say, state.slots)
        return _Step(replace(state, misses=0), f"{text} {self._render(question, state.slots)}", literal=True)

    def _go_on(self, state: _State, intent: Intent) -> _Step:
        missing = next((slot for slot in intent.slots if slot.name not in state.slots), None)
        if missing is not None:
            return _Step(replace(state, asked=missing.name, confirming=False, changing=False), missing.ask)
        if intent.confirm is not None and not state.confirming:
            return _Step(replace(state, asked=None, confirming=True, changing=False), intent.confirm)
        over = _State(slots=state.slots, done=intent)  # what was said may be used by what is said
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
        named = _named(intent.slots, said)
        if named is not None:
            slots = {name: value for name, value in state.slots.items() if name != named.name}
            return self._go_on(replace(state, slots=slots, confirming=False, misses=0), intent)
        if (says_no(said) or phrases_in(said).kind is Phrase.DROP) and not state.changing:
            return _Step(replace(state, changing=True, misses=0), "What shall I change?")
        return self._missed(replace(state, changing=False), f"I'm sorry, I didn't get that. {intent.confirm}")

    def _repaired(self, state: _State, intent: Intent, asked: Slot | None, said: str) -> _State | None:
        """`No, seven, not eleven`: the newest filled slot whose kind of value is in it, and another one."""
        filled = [slot for slot in reversed(intent.slots) if slot.name in state.slots and slot is not asked]
        free = [slot for slot in filled if slot.type in ("text", "name")]
        only = free[0] if len(free) == 1 else None
        found: tuple[Slot, str] | None = None
        for slot in filled:
            if slot.type == "yes-no" or (slot.type == "time" and _how_many(said) and not _tells_time(said)):
                continue
            value = extract(slot, said, today=self._today(), whole=False)
            if value is None and slot in free and (slot is only or _named([slot], said)):
                value = _after_the_name(slot, said)
            if value is not None and value != state.slots[slot.name]:
                found = (slot, value)
                break
        if found is None and only is not None and state.changing and _is_short_answer(said):
            value = extract(only, said, today=self._today()) if _named(intent.slots, said) is None else None
            found = (only, value) if value is not None else None
        return replace(state, slots={**state.slots, found[0].name: found[1]}) if found is not None else None

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


def _is_phrase(text: str) -> bool:
    return phrases_in(text).kind in _ANSWERABLE


def _chosen(offered: Sequence[int], said: str) -> int | None:
    """Of what was offered. `Yes`, when it was one thing; `the second one`, when it was several."""
    if len(offered) == 1 and affirms(said):
        return offered[0]
    for word, index in (("first", 0), ("former", 0), ("second", 1), ("latter", 1), ("third", 2), ("last", -1)):
        if offered and re.fullmatch(rf"(?:\w+ )?(?:the )?{word}(?: one)?(?: please)?", words_of(said)):
            return offered[min(index, len(offered) - 1)]
    return None


def _listed(parts: Sequence[str]) -> str:
    """`a`; `a or b`; `a, b, or c`."""
    return " or ".join(parts) if len(parts) < 3 else f"{', '.join(parts[:-1])}, or {parts[-1]}"


def _tells_time(said: str) -> bool:
    return re.search(r"\bat\b|o'clock|\b[ap]\.?m\b|\bhalf past\b|\d:\d", said.lower()) is not None


def _how_many(said: str) -> str:
    return " ".join(part for found in _FOR_SO_MANY.findall(said) for part in found)


def _is_short_answer(said: str) -> bool:
    return len(said.split()) <= 3 and phrases_in(said).kind is None and not asks(said)


def _named(slots: Sequence[Slot], said: str) -> Slot | None:
    """The slot that is called by its name, or by the last word of it: `caller_name` is `the name`."""
    names = [(slot, re.sub("[_-]", " ", slot.name)) for slot in slots]
    for slot, name in (*names, *((slot, name.split()[-1]) for slot, name in names)):
        if re.search(rf"\b{re.escape(name)}\b", said, re.IGNORECASE):
            return slot
    return None


def _after_the_name(slot: Slot, said: str) -> str | None:
    """`No, the name is Brown` → `Brown`."""
    name = re.escape(re.split("[_-]", slot.name)[-1])
    match = re.search(
        rf"(?:\b{name}\b.*?\b(?:is|should be|was)|\b(?:i said|i meant|it's|it is))\s+(.+)", said, re.I
    )
    return match[1].strip(" .,!") if match is not None else None

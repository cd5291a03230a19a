"""A reply before and after it is certain that the caller has finished, and what it is made of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ari_assistant.conversation.ending import AFTER_MESSAGE, ASSISTANT_ENDED
from ari_assistant.dialogue.history import Entry, History
from ari_assistant.dialogue.variables import Variables
from ari_assistant.providers.model import ChatMessage, TextDelta, ToolCall, Usage
from ari_assistant.session.clock import CallClock
from ari_assistant.session.reply import (
    CallsTools,
    Reply,
    ReplyGenerator,
    Step,
    UntilHeard,
    as_clauses,
    split_clauses,
)
from ari_assistant.session.tasks import ConversationTasks
from ari_assistant.session.tool_runner import ToolRunner
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.base import JsonObject
from tests.support.conversation import FakeMessages, ScriptedModel, fake_surroundings, resolved_assistant

CALL = ToolCall("c1", "book", "{}")
WORDS = [TextDelta("Hello there. "), TextDelta("How are you?")]


def book(**more: Any) -> JsonObject:
    return {"type": "function", "function": {"name": "book"}, **more}


def said(kind: str, text: str, **more: Any) -> JsonObject:
    return {"type": kind, "content": text, **more}


class Desk:
    """A generator and what it works with. The server answers `tool-calls` with `Booked.`"""

    def __init__(self, model: ScriptedModel, tasks: ConversationTasks, /, **assistant: Any) -> None:
        self.messages = FakeMessages(tool_calls={"result": "Booked."})
        log = get_logger("test")
        self.variables = Variables({"name": "Ada"}, History(), log=log)
        self.variables.history.add(Entry("bot", "Good morning.", 0.0, 1.0))
        cast = resolved_assistant(model, **assistant)
        surroundings = fake_surroundings(messages=self.messages)
        runner = ToolRunner(cast.tools, self.variables, surroundings, tasks, call_id="call")
        self.reply = Reply(1, 1, self.messages)
        self.writer = ReplyGenerator(cast, self.variables, self.messages, runner, tasks, CallClock())

    async def writes(self, hint: Sequence[ChatMessage] = ()) -> list[Step]:
        """All steps of the answer to `Hi.`, each taken at once."""
        return [step async for step in self.writer.steps("Hi.", self.reply, hint)]

    @property
    def tools(self) -> list[str]:
        """The history, tools only."""
        return [item["role"] for item in self.variables.history.messages() if "tool" in item["role"]]


@asynccontextmanager
async def desk(
    model: ScriptedModel, /, *, confirmed: bool = True, tools: Sequence[JsonObject] = (), **assistant: Any
) -> AsyncGenerator[Desk, None]:
    given = {"provider": "custom-llm", "url": "http://model.example", "tools": list(tools)}
    given |= assistant.pop("model", {})
    if given["provider"] != "custom-llm":
        del given["url"]
    async with ConversationTasks() as tasks:
        made = Desk(model, tasks, model=given, **assistant)
        if confirmed:
            made.reply.confirm(not_before=0.0)
        yield made


# -- the reply ------------------------------------------------------------------------------------------------


def test_nobody_hears_of_a_reply_before_it_is_confirmed() -> None:
    messages = FakeMessages()
    reply = Reply(1, 1, messages)
    reply.tell("model-output", output="a")
    reply.tell("voice-input", input="a")
    assert messages.sent == []
    reply.confirm(not_before=7.0)
    assert messages.kinds == ["model-output", "voice-input"]
    assert reply.not_before == 7.0
    reply.tell("model-output", output="b")
    assert messages.sent[-1] == ("model-output", {"output": "b"})
    reply.confirm(not_before=7.0)
    assert len(messages.sent) == 3, "confirming twice tells nothing twice"


def test_fixed_words_have_no_turn_id_a_models_and_the_first_message_have_one() -> None:
    messages = FakeMessages()
    assert Reply(1, 0, messages, source="force-say").turn_id != ""
    assert Reply(1, 1, messages, source="force-say").turn_id == ""
    assert Reply(1, 1, messages).turn_id != Reply(2, 1, messages).turn_id


async def test_fixed_words_come_clause_by_clause() -> None:
    clauses = split_clauses("Hello there, this is the bakery in the old town. How can I help you today?")
    assert len(clauses) == 3
    assert [clause async for clause in as_clauses(clauses)] == clauses


# -- the model's words ----------------------------------------------------------------------------------------


async def test_the_models_text_comes_in_clauses_and_on_the_replys_own_bill() -> None:
    async with desk(ScriptedModel([*WORDS, Usage(10, 5), Usage(1, 1)]), confirmed=False) as made:
        assert await made.writes() == ["Hello there.", "How are you?"]
        assert made.reply.text == "Hello there. How are you?"
        assert made.reply.used.model == Usage(11, 6)
        assert made.messages.sent == [], "it may still be withdrawn"


async def test_the_model_is_asked_with_prompt_history_words_and_hint() -> None:
    model = ScriptedModel(WORDS)
    messages = [{"role": "system", "content": "You serve {{name}}."}]
    async with desk(model, model={"messages": messages, "temperature": 0.5, "maxTokens": 99}) as made:
        await made.writes([ChatMessage("system", "Be brief.")])
    (request,) = model.requests
    assert [(m.role, m.content) for m in request.messages] == [
        ("system", "You serve Ada."),
        ("assistant", "Good morning."),
        ("user", "Hi."),
        ("system", "Be brief."),
    ]
    assert (request.temperature, request.max_tokens) == (0.5, 99)


async def test_the_further_keys_of_a_request_are_the_providers() -> None:
    async def extra(**model: Any) -> JsonObject:
        asked = ScriptedModel(WORDS)
        async with desk(asked, model=model, metadata={"shop": "7"}) as made:
            await made.writes()
        return asked.requests[0].extra

    assert await extra() == {"metadata": {"shop": "7"}, **FakeMessages().common()}
    assert await extra(metadataSendMode="off") == {}
    assert await extra(provider="openai", model="gpt-4o", promptCacheKey="k") == {"prompt_cache_key": "k"}
    assert await extra(provider="openai", model="gpt-4o") == {}
    assert await extra(provider="groq", model="llama") == {}


async def test_a_model_that_never_ends_is_cut_off(log_lines: list[dict[str, Any]]) -> None:
    async with desk(ScriptedModel([TextDelta("word " * 3_900)] * 3)) as made:
        steps = await made.writes()
    assert len("".join(str(step) for step in steps)) <= 20_000
    assert [line["event"] for line in log_lines] == ["reply_too_long"]


# -- tools ----------------------------------------------------------------------------------------------------


async def test_tools_wait_until_the_reply_is_confirmed_and_the_callers_words_are_taken_for_good() -> None:
    async with desk(ScriptedModel([CALL], WORDS), confirmed=False, tools=[book()]) as made:
        steps = made.writer.steps("Hi.", made.reply)
        first = asyncio.ensure_future(anext(steps))
        await asyncio.sleep(0)
        assert not first.done()
        made.reply.confirm(not_before=0.0)
        assert await first == CallsTools()
        assert made.tools == [], "whoever says the reply comes first"
        assert made.messages.asked == []
        assert [step async for step in steps] == ["Just a sec.", "Hello there.", "How are you?"]
        assert made.tools == ["tool_calls", "tool_call_result"]


async def test_what_a_tool_brings_is_told_to_the_model_in_the_next_round() -> None:
    model = ScriptedModel([TextDelta("I look."), CALL], WORDS)
    async with desk(model, tools=[book()]) as made:
        assert await made.writes() == ["I look.", CallsTools(), "Hello there.", "How are you?"]
    assert [message.wire() for message in model.requests[1].messages[-2:]] == [
        {"role": "assistant", "content": "I look.", "tool_calls": [CALL.wire()]},
        {"role": "tool", "content": "Booked.", "tool_call_id": "c1"},
    ]


async def test_a_tools_own_sentences_stand_instead_of_the_filler_and_of_the_models_second_answer() -> None:
    sentences = [said("request-start", "I book for {{name}}."), said("request-complete", "That is booked.")]
    model = ScriptedModel([CALL], WORDS)
    async with desk(model, tools=[book(messages=sentences)]) as made:
        assert await made.writes() == [CallsTools(), "I book for Ada.", "That is booked."]
    assert len(model.requests) == 1


async def test_a_blocking_sentence_is_heard_before_the_tool_runs() -> None:
    sentence = said("request-start", "Hold the line.", blocking=True)
    async with desk(ScriptedModel([CALL], WORDS), tools=[book(messages=[sentence])]) as made:
        steps = made.writer.steps("Hi.", made.reply)
        assert [await anext(steps) for _ in range(3)] == [CallsTools(), "Hold the line.", UntilHeard()]
        assert made.messages.asked == []
        assert await anext(steps) == "Hello there."
        assert [kind for kind, _ in made.messages.asked] == ["tool-calls"]
        await steps.aclose()


async def test_who_waits_for_a_slow_tool_is_told_so() -> None:
    answered = asyncio.Event()

    async def slowly() -> JsonObject:
        await answered.wait()
        return {"result": "Booked."}

    late = [
        said("request-response-delayed", "Still at it.", timingMilliseconds=100),
        said("request-response-delayed", "Nobody waits so long.", timingMilliseconds=120_000),
    ]
    async with desk(ScriptedModel([CALL], WORDS), tools=[book(messages=late)]) as made:
        made.messages.answers["tool-calls"] = slowly
        heard: list[Step] = []
        async for step in made.writer.steps("Hi.", made.reply):
            heard.append(step)
            if step == "Still at it.":
                answered.set()
        assert heard == [CallsTools(), "Just a sec.", "Still at it.", "Hello there.", "How are you?"]


async def test_a_tool_goes_on_when_its_reply_is_cut_and_its_result_reaches_the_history() -> None:
    answered, asked = asyncio.Event(), asyncio.Event()

    async def slowly() -> JsonObject:
        asked.set()
        await answered.wait()
        return {"result": "Booked."}

    async with desk(ScriptedModel([CALL], WORDS), tools=[book()]) as made:
        made.messages.answers["tool-calls"] = slowly
        speaking = asyncio.create_task(made.writes())
        await asked.wait()
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)
        assert made.tools == ["tool_calls"]
        (tool,) = (task for task in asyncio.all_tasks() if task.get_name() == "tools-c1")
        answered.set()
        await tool
        assert made.tools == ["tool_calls", "tool_call_result"]


async def test_a_hint_about_an_outcome_goes_to_the_model_and_not_to_the_caller() -> None:
    model = ScriptedModel([CALL], WORDS)
    hint = said("request-complete", "Mention the weather.", role="system")
    async with desk(model, tools=[book(messages=[hint])]) as made:
        assert "Mention the weather." not in await made.writes()
    assert model.requests[1].messages[-1] == ChatMessage("system", "Mention the weather.")


async def test_an_outcome_may_end_the_call_or_send_it_on() -> None:
    async with desk(ScriptedModel([ToolCall("c1", "endCall")])) as made:
        assert await made.writes() == [CallsTools()]
        assert made.reply.ending is ASSISTANT_ENDED
    last = said("request-complete", "That is all.", endCallAfterSpokenEnabled=True)
    async with desk(ScriptedModel([CALL]), tools=[book(messages=[last])]) as made:
        assert (await made.writes())[-1] == "That is all."
        assert made.reply.ending is AFTER_MESSAGE
    destination = {"type": "sip", "sipUri": "sip:bob@pbx"}
    move = {"type": "transferCall", "destinations": [destination]}
    async with desk(ScriptedModel([ToolCall("c1", "transferCall")]), tools=[move]) as made:
        assert (await made.writes())[-1] == "Transferring the call now."
        assert made.reply.transfer is not None


async def test_a_model_that_only_calls_tools_is_stopped(log_lines: list[dict[str, Any]]) -> None:
    model = ScriptedModel([CALL])
    async with desk(model, tools=[book()]) as made:
        await made.writes()
    assert len(model.requests) == 8
    assert [line["event"] for line in log_lines] == ["too_many_tool_rounds"]


# -- knowledge bases ------------------------------------------------------------------------------------------

BASE = {"provider": "custom-knowledge-base", "server": {"url": "http://base.example"}}


async def test_a_knowledge_bases_documents_are_told_to_the_model() -> None:
    model = ScriptedModel(WORDS)
    async with desk(model, model={"knowledgeBase": BASE}) as made:
        made.messages.answers["knowledge-base-request"] = {"documents": [{"content": "A"}, {"content": "B"}]}
        await made.writes()
        assert made.messages.asked[0][1]["messagesOpenAIFormatted"][-1] == {"role": "user", "content": "Hi."}
    assert model.requests[0].messages[-1] == ChatMessage("system", "Documents:\n\nA\n\nB")


async def test_a_knowledge_base_may_answer_itself() -> None:
    model = ScriptedModel(WORDS)
    async with desk(model, model={"knowledgeBase": BASE}) as made:
        made.messages.answers["knowledge-base-request"] = {"message": {"role": "assistant", "content": "At nine."}}
        assert await made.writes() == ["At nine."]
        assert made.reply.text == "At nine."
    assert model.requests == []


async def test_a_knowledge_base_is_asked_about_nothing_that_may_be_withdrawn() -> None:
    async with desk(ScriptedModel(WORDS), confirmed=False, model={"knowledgeBase": BASE}) as made:
        speaking = asyncio.create_task(made.writes())
        for _ in range(5):
            await asyncio.sleep(0)
        assert made.messages.asked == []
        made.reply.confirm(not_before=0.0)
        await speaking
        assert [kind for kind, _ in made.messages.asked] == ["knowledge-base-request"]

"""The template variables of a call."""

from __future__ import annotations

from datetime import UTC, datetime

from ari_assistant.assistants.lookup import Chosen
from ari_assistant.calls.variables import call_variables
from ari_assistant.dialogue.callers_text import FromCaller
from ari_assistant.reports.invite import Invite
from ari_assistant.reports.record import CallRecord, Dialled, Installation
from ari_assistant.vapi.assistant import Assistant

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
OWNER = Installation("o", "http://h")
NUMBER = {"id": "n1", "number": "desk", "authentication": {"username": "u", "password": "p"}}
INVITE = Invite("sip:desk@h", "sip-1", "sip:+4930@h", "Ada", "", headers=(("X-First-Name", "Ada"),))


def test_what_a_caller_says_is_the_callers_text_and_what_a_program_says_is_not() -> None:
    inbound = call_variables(CallRecord(OWNER, NUMBER, INVITE), NOW)
    outbound = call_variables(CallRecord(OWNER, NUMBER, Dialled({"number": "+4930", "name": "Ada"})), NOW)
    assert inbound["customer"]["name"] == outbound["customer"]["name"] == "Ada"
    assert isinstance(inbound["customer"]["name"], FromCaller)
    assert isinstance(inbound["first-name"], FromCaller)
    assert isinstance(inbound["transport"]["sbcCallSid"], FromCaller)
    assert not isinstance(outbound["customer"]["name"], FromCaller)


def test_a_call_has_its_ids_and_no_password() -> None:
    record = CallRecord(OWNER, NUMBER, INVITE)
    values = call_variables(record, NOW)
    assert values["call"]["id"] == record.id
    assert values["call"]["status"] == "ringing"
    assert values["phoneNumber"]["id"] == "n1"
    assert "'p'" not in str(values)


def test_the_programs_values_beat_the_headers_and_the_overrides_beat_the_assistants() -> None:
    record = CallRecord(OWNER, NUMBER, INVITE)
    document = {"name": "Bob", "variableValues": {"first-name": "Grace", "a": "assistant", "b": "assistant"}}
    overrides = {"variableValues": {"b": "overrides"}}
    record.take_assistant(Assistant(), Chosen("a1", document, overrides))
    values = call_variables(record, NOW)
    assert (values["first-name"], values["a"], values["b"]) == ("Grace", "assistant", "overrides")
    assert values["assistant"] == {"id": "a1", "name": "Bob"}

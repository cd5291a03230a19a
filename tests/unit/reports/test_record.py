"""The Call object, from its first moment to its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ari_assistant.assistants.lookup import Chosen
from ari_assistant.conversation.ending import ASSISTANT_ENDED
from ari_assistant.conversation.result import Conversation
from ari_assistant.conversation.timings import Speculation
from ari_assistant.conversation.usage import Consumption
from ari_assistant.dialogue.history import Entry, History
from ari_assistant.dialogue.variables import Variables
from ari_assistant.reports.call_state import CallEvent, CallState
from ari_assistant.reports.invite import Invite
from ari_assistant.reports.record import CallRecord, Dialled, Installation
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject

OWNER = Installation("o", "http://h/")
INVITE = Invite("sip:desk@h", "sip-1", "sip:+4930@h", "Ada", "<sip:desk@h>", headers=(("X-Lang", "en"),))


class Talk:
    """A conversation of two sentences so far."""

    def __init__(self) -> None:
        self.history = History()
        self.history.add(Entry("bot", "Hello.", 0.0, 1.0))
        self.history.add(Entry("user", "Hi.", 1.0, 2.0))

    def conversation(self) -> Conversation:
        used = Consumption(voice_characters=6)
        names = {"model": "rules", "voice": "piper", "transcriber": "moonshine"}
        counted: JsonObject = {"packetsLost": 1}
        return Conversation(self.history, [{"role": "assistant"}], [], Speculation(), counted, used, names)


def inbound() -> CallRecord:
    return CallRecord(OWNER, {"id": "n1", "server": {"url": "http://s", "secret": "hidden"}}, INVITE)


def follows(record: CallRecord, **variables: Any) -> Talk:
    talk = Talk()
    record.follow(talk, Variables(variables, talk.history, log=None))
    return talk


def test_an_inbound_call_begins_ringing_with_what_the_invite_says() -> None:
    record = inbound()
    wire = record.wire()
    assert (wire["type"], wire["status"], wire["phoneNumberId"]) == ("inboundPhoneCall", "ringing", "n1")
    assert wire["customer"] == {"number": "+4930", "sipUri": "sip:+4930@h", "name": "Ada"}
    assert wire["assistantOverrides"]["variableValues"] == {"lang": "en", "cid": "sip-1"}
    assert wire["phoneCallProviderDetails"]["sbcCallId"] == "sip-1"
    assert wire["phoneCallProviderDetails"]["sip"]["dialedUser"] == "desk"
    assert wire["transport"]["sbcCallSid"] == "sip-1"


def test_an_outbound_call_begins_queued_with_its_name_and_its_customer_without_secrets() -> None:
    customer = {"number": "1", "squadOverrides": {"server": {"secret": "hidden"}}}
    wire = CallRecord(OWNER, {"id": "n1"}, Dialled(customer, "Reminder")).wire()
    assert (wire["type"], wire["status"], wire["name"]) == ("outboundPhoneCall", "queued", "Reminder")
    assert "hidden" not in str(wire)
    assert "sbcCallSid" not in wire["transport"]


def test_its_times_are_those_of_the_answer_and_the_end() -> None:
    record = inbound()
    assert record.seconds == 0.0
    assert not record.happened(CallEvent.DIALLED), "they have called us"
    assert record.happened(CallEvent.ANSWERED)
    assert not record.happened(CallEvent.ANSWERED)
    record.ending = ASSISTANT_ENDED
    assert record.happened(CallEvent.ENDED)
    assert record.state is CallState.ENDED
    assert record.started is not None
    assert record.ended is not None
    assert record.seconds == (record.ended - record.started).total_seconds()
    assert record.wire()["endedReason"] == "assistant-ended-call"


def test_a_stored_assistant_is_named_by_its_id_and_a_transient_one_shown_without_secrets() -> None:
    record = inbound()
    document = {"name": "Ada", "server": {"url": "http://s", "secret": "hidden"}}
    record.take_assistant(Assistant.model_validate(document), Chosen("a1", document, {}))
    assert (record.wire()["assistantId"], record.wire()["assistant"]) == ("a1", None)
    record.take_assistant(Assistant.model_validate(document), Chosen(None, document, {}))
    assert record.wire()["assistant"]["name"] == "Ada"
    assert "hidden" not in str(record.wire())
    assert record.shown_assistant is record.shown_assistant, "walked once"
    assert "hidden" not in str(record.shown_number)


def test_without_a_conversation_there_is_no_artifact() -> None:
    record = inbound()
    record.take_results()
    assert record.live_artifact() is None
    assert record.wire()["artifact"] is None
    assert record.costs == []


def test_while_it_goes_on_the_artifact_is_what_was_said_so_far() -> None:
    record = inbound()
    talk = follows(record, lang="en")
    artifact = record.live_artifact()
    assert artifact is not None
    assert [message["message"] for message in artifact["messages"]] == ["Hello.", "Hi."]
    assert artifact["variableValues"] == artifact["variables"] == {"lang": "en"}
    talk.history.add(Entry("bot", "Bye.", 2.0, 3.0))
    later = record.live_artifact()
    assert later is not None
    assert "Bye." in later["transcript"]
    assert record.wire()["artifact"] is None, "it is kept when the call is over"


@pytest.mark.parametrize(
    ("plan", "transcript"),
    [
        ({}, "AI: Hello.\nUser: Hi.\n"),
        ({"assistantName": "Bob", "userName": "Ada"}, "Bob: Hello.\nAda: Hi.\n"),
        ({"enabled": False}, None),
    ],
)
def test_the_transcript_is_written_as_the_assistants_plan_says(plan: JsonObject, transcript: str | None) -> None:
    record = inbound()
    record.assistant = {"artifactPlan": {"transcriptPlan": plan}}
    follows(record)
    artifact = record.live_artifact()
    assert artifact is not None
    assert artifact.get("transcript") == transcript


def test_the_results_have_the_measurements_and_links_to_what_is_kept() -> None:
    record = inbound()
    follows(record)
    record.line_quality = {"callerJitterMs": 0.25}
    record.transfers.append({"status": "busy"})
    record.structured_outputs = {"x": {"name": "x", "result": 1}}
    record.recording_path, record.log_kept = Path("/data/c.wav"), True
    record.take_results()
    artifact, url = record.artifact, f"http://h/call/{record.id}"
    assert artifact["mediaStatistics"] == {"packetsLost": 1, "callerJitterMs": 0.25}
    assert artifact["recordingUrl"] == artifact["recording"]["mono"]["combinedUrl"] == f"{url}/mono-recording"
    assert artifact["stereoRecordingUrl"] == f"{url}/stereo-recording"
    assert artifact["logUrl"] == f"{url}/call-logs"
    assert artifact["transfers"] == [{"status": "busy"}]
    wire = record.wire()
    assert (wire["recordingUrl"], wire["transcript"]) == (f"{url}/mono-recording", artifact["transcript"])
    assert wire["costBreakdown"]["ttsCharacters"] == 6
    assert wire["analysis"] == {}


def test_what_is_not_kept_has_no_link() -> None:
    record = inbound()
    follows(record)
    record.take_results()
    assert not {"recordingUrl", "logUrl", "transfers", "structuredOutputs"} & set(record.artifact)

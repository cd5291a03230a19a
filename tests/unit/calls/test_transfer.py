from __future__ import annotations

from typing import Any

import pytest

from ari_assistant.ari.events import AriEvent, parse_event
from ari_assistant.calls.outbound import ending_of_cause
from ari_assistant.calls.transfer import is_redirect, refer_target, sip_headers
from ari_assistant.vapi.destination import Destination


def destination(**fields: Any) -> Destination:
    return Destination.model_validate({"type": "sip", "sipUri": "sip:op@pbx.example", **fields})


def test_headers_go_into_refer_to_when_the_plan_says_so_and_are_escaped() -> None:
    headers = {"X-A": "1 & 2", "X-B": "é?"}
    plan = {"mode": "blind-transfer", "sipHeadersInReferToEnabled": True}
    assert refer_target(destination(sipHeaders=headers)) == "sip:op@pbx.example"
    given = destination(sipHeaders=headers, transferPlan=plan)
    assert refer_target(given) == "sip:op@pbx.example?X-A=1%20%26%202&X-B=%C3%A9%3F"
    more = destination(sipUri="sip:op@pbx.example?Subject=x", sipHeaders={"X-A": "1"}, transferPlan=plan)
    assert refer_target(more) == "sip:op@pbx.example?Subject=x&X-A=1"


def test_a_number_needs_a_trunk() -> None:
    with pytest.raises(ValueError, match="trunk"):
        refer_target(Destination.model_validate({"type": "number", "number": "+15551230000"}))


def test_what_a_template_brought_in_begins_no_header_of_its_own() -> None:
    given = destination(sipHeaders={"X-A": "1\r\nX-Evil: 2", "X B": "x", "X-C)": "x", "X-N": 5})
    assert sip_headers(given) == {"X-A": "1X-Evil: 2", "X-N": "5"}


@pytest.mark.parametrize(
    ("cause", "status", "reason"),
    [
        (17, 0, "customer-busy"),
        (0, 600, "customer-busy"),
        (19, 0, "customer-did-not-answer"),
        (21, 0, "call.in-progress.error-providerfault-outbound-sip-403-forbidden"),
        (21, 407, "call.in-progress.error-providerfault-outbound-sip-407-proxy-authentication-required"),
        (1, 404, "call.in-progress.error-sip-outbound-call-failed-to-connect"),
    ],
)
def test_an_unanswered_call_ends_with_the_sip_cause(cause: int, status: int, reason: str) -> None:
    ending = ending_of_cause(cause, status, "text")
    assert ending.reason == reason
    assert f"Q.850 cause {cause} (text)" in (ending.message or "")


def test_a_party_that_forwards_its_calls_is_told_from_one_that_is_not_there() -> None:
    def event(kind: str, **more: Any) -> AriEvent:
        peer = {"id": "aa-out-app.c", "name": "PJSIP/outbound-1"}
        return parse_event({"type": kind, "peer" if kind == "Dial" else "channel": peer, **more})

    assert event("Dial", forward="desk").channel is not None, "who is dialled hears of it"
    assert is_redirect(event("Dial", dialstatus="CANCEL", forward="desk"))
    assert not is_redirect(event("Dial", dialstatus="", forward=""))
    assert is_redirect(event("ChannelDestroyed", cause=23))
    assert is_redirect(event("ChannelDestroyed", cause=0, tech_cause=302))
    assert not is_redirect(event("ChannelDestroyed", cause=17, tech_cause=486))

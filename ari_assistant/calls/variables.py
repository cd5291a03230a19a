"""The template variables of one call: the built-in ones, and what its caller and its program gave (contract §9)."""

from __future__ import annotations

from datetime import UTC, datetime

from ari_assistant.dialogue.callers_text import from_caller
from ari_assistant.dialogue.history import History
from ari_assistant.dialogue.template import builtin_variables
from ari_assistant.dialogue.variables import Variables
from ari_assistant.reports.invite import Invite
from ari_assistant.reports.record import CallRecord
from ari_assistant.reports.recorded import Recorded
from ari_assistant.vapi.base import JsonObject

__all__ = ["call_variables", "variables_of"]


def call_variables(record: CallRecord, now: datetime) -> JsonObject:
    """Name → value. What an INVITE says is the caller's text, which chooses no host and opens no template."""
    wire = record.wire()
    customer, transport = record.customer, record.transport
    if isinstance(record.origin, Invite):
        customer, transport = from_caller(customer), from_caller(transport)
    builtin = builtin_variables(
        now,
        customer=customer,
        phoneNumber=record.shown_number,
        call={key: wire[key] for key in ("id", "type", "status", "createdAt", "assistantId")}
        | {"phoneCallProvider": wire["phoneCallProvider"], "transport": transport},
        transport=transport,
        assistant={"id": record.assistant_id, "name": (record.assistant or {}).get("name")},
    )
    given: JsonObject = record.overrides["variableValues"]
    return builtin | given


def variables_of(recorded: Recorded) -> Variables:
    """The variables as they are now, and a history that is still empty."""
    return Variables(call_variables(recorded.record, datetime.now(UTC)), History(), log=recorded.log)

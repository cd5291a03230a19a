"""What there is of every call from the moment it is recorded: its record, and all that tells and keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ari_assistant.assistants.resolved import ResolvedAssistant
from ari_assistant.dialogue.variables import Variables
from ari_assistant.reports.call_state import CallEvent
from ari_assistant.reports.journal import Journal
from ari_assistant.reports.messages import CallMessages
from ari_assistant.reports.record import CallRecord
from ari_assistant.session.interfaces import TaskOwner
from ari_assistant.session.session import Session
from ari_assistant.store.repositories import Calls
from ari_assistant.telemetry import CallLog, get_logger
from ari_assistant.vapi.server import Server
from ari_assistant.webhooks.outbox import Outbox
from ari_assistant.webhooks.sender import WebhookSender

__all__ = ["CallRecords", "Held", "Recorded"]

log = get_logger("calls")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A call that is stored, logged and told of."""

    record: CallRecord
    messages: CallMessages
    outbox: Outbox
    journal: Journal
    call_log: CallLog
    log: Any

    def answered(self) -> None:
        """The caller and we are connected. Harmless when repeated."""
        record = self.record
        if record.started is None and record.happened(CallEvent.ANSWERED):
            self.journal.save_soon()
            self.messages.send("status-update", status=record.state.value)

    def close(self) -> None:
        """Nothing more is told or logged of it."""
        self.call_log.close()
        self.outbox.close()


@dataclass(frozen=True, slots=True)
class Held:
    """A conversation of a call: what is found out about it afterwards starts from here."""

    session: Session
    resolved: ResolvedAssistant
    variables: Variables


@dataclass(frozen=True, slots=True)
class CallRecords:
    """Where calls are recorded; the installation has one."""

    calls: Calls
    sender: WebhookSender
    org_server: Server | None
    """Where messages go when neither the assistant nor the number names a server."""
    background: TaskOwner
    """Runs what outlives the call: the delivery of its messages, its saving."""

    def open(self, record: CallRecord, *, number_server: Server | None) -> Recorded:
        """From now on the call is stored, logged and told of."""
        outbox = Outbox(self.sender, call_id=record.id)
        messages = CallMessages(
            self.sender, record, outbox, number_server=number_server, org_server=self.org_server
        )
        journal = Journal(self.calls, record, messages, self.background)
        self.background.spawn(outbox.run(), f"outbox-{record.id}")
        journal.save_soon()
        return Recorded(record, messages, outbox, journal, CallLog(record.id), log.bind(call_id=record.id))

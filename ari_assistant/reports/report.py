"""After the last word: what is found out about a call, its log, its record, the end-of-call report (contract §12)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from ari_assistant.assistants.resolved import ResolvedAssistant
from ari_assistant.conversation.ending import Ending
from ari_assistant.private_files import create_private
from ari_assistant.reports.analysis import Analyst, CallText, analyse, structured_outputs
from ari_assistant.reports.record import CallRecord
from ari_assistant.reports.recorded import Held, Recorded
from ari_assistant.session.interfaces import Stored
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.error import validation_messages
from ari_assistant.vapi.structured_output import StructuredOutput

__all__ = ["CallReport", "StoredOutputs"]


class StoredOutputs(Protocol):
    """The structured outputs that were made by `POST /structured-output`. `store.catalogue` implements it."""

    async def get(self, resource_id: str, /) -> Stored | None:
        """The one with this id, or None."""


class CallReport:
    """Made once the caller has gone: a model may take seconds over it, and nobody's line waits for that."""

    def __init__(self, recorded: Recorded, ending: Ending, outputs: StoredOutputs, log_path: Path) -> None:
        """`log_path`: where the call's log goes."""
        self._recorded = recorded
        self._ending = ending
        self._outputs = outputs
        self._log_path = log_path

    async def make(self, held: Held | None) -> None:
        """Analyse, keep the log, complete the record, send the report, and close what recorded the call. Never raises:
        what fails is left out. `held` is the call's conversation, None where there was none."""
        record, journal = self._recorded.record, self._recorded.journal
        try:
            if held is not None:
                await held.session.after_the_end(self._ending)
                await self._analyse(held)
            if await journal.is_kept():  # it may have been erased already
                await self._keep_log(held.resolved if held is not None else None)
            record.take_results()
            record.touch()
            await journal.complete()
        except Exception:
            self._recorded.log.exception("report_incomplete")
        finally:
            try:
                self._recorded.messages.send("end-of-call-report", **_report_of(record, self._ending))
            finally:
                self._recorded.close()

    async def _analyse(self, held: Held) -> None:
        session, resolved, record = held.session, held.resolved, self._recorded.record
        if record.assistant is None:  # it was an announcement
            return
        text = CallText(
            transcript=session.history.transcript(),
            ended_reason=self._ending.reason,
            system_prompt="\n".join(message.content for message in session.system()),
            messages=len(session.history.entries),
        )
        analyst = None
        if resolved.analyst is not None:
            analyst = Analyst(resolved.analyst, held.variables.fill, text, session.used)
            record.analysis = await analyse(resolved.assistant.analysis_plan, analyst, text)
        outputs = await self._structured_outputs(resolved)
        if outputs:
            record.structured_outputs = await structured_outputs(outputs, analyst, text)

    async def _structured_outputs(self, resolved: ResolvedAssistant) -> dict[str, StructuredOutput]:
        """Those that the assistant's `artifactPlan` names by id, and those that stand in it."""
        plan = resolved.assistant.artifact_plan
        found: dict[str, StructuredOutput] = {}
        documents: list[tuple[str, JsonObject]] = []
        for output_id in (plan.structured_output_ids or ()) if plan else ():
            resource = await self._outputs.get(output_id)
            if resource is not None:
                documents.append((output_id, resource.document))
        documents += [(str(d.get("name")), d) for d in ((plan.structured_outputs or ()) if plan else ())]
        for key, document in documents:
            try:
                found[key] = StructuredOutput.model_validate(document)
            except ValidationError as fault:
                self._recorded.log.warning(
                    "structured_output_unreadable", id=key, reason="; ".join(validation_messages(fault))
                )
        return found

    async def _keep_log(self, resolved: ResolvedAssistant | None) -> None:
        plan = resolved.assistant.artifact_plan if resolved is not None else None
        if plan is not None and plan.logging_enabled is False:
            return
        text = self._recorded.call_log.text()

        def write() -> None:
            with create_private(self._log_path) as file:
                file.write(text.encode())

        try:
            await asyncio.to_thread(write)
            self._recorded.record.log_kept = True
        except OSError as fault:
            self._recorded.log.error("call_log_not_kept", reason=str(fault))


def _report_of(record: CallRecord, ending: Ending) -> dict[str, Any]:
    """The fields of the `end-of-call-report` (§7.4)."""
    artifact, wire = record.artifact, record.wire()
    return {
        "endedReason": ending.reason,
        "startedAt": wire["startedAt"],
        "endedAt": wire["endedAt"],
        "durationSeconds": round(record.seconds, 3),
        "durationMs": round(record.seconds * 1000),
        "durationMinutes": round(record.seconds / 60, 4),
        "transcript": artifact.get("transcript", ""),
        "summary": wire["summary"],
        "messages": artifact.get("messages", []),
        "recordingUrl": artifact.get("recordingUrl"),
        "stereoRecordingUrl": artifact.get("stereoRecordingUrl"),
        "analysis": wire["analysis"] or {},
        "artifact": artifact,
        "cost": 0,
        "costBreakdown": wire["costBreakdown"],
        "costs": record.costs,
        "destination": record.destination,
    }

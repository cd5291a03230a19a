"""After the last word: what is found out about a call, its log, its record, the end-of-call report (contract §12)."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import ValidationError

from ari_assistant.assistants.resolved import ResolvedAssistant
from ari_assistant.conversation.session import Session
from ari_assistant.data_directory import DataDirectory
from ari_assistant.dialogue.template import TemplateRenderer
from ari_assistant.private_files import create_private
from ari_assistant.reports.analysis import analyse, structured_outputs
from ari_assistant.reports.messages import CallMessages
from ari_assistant.reports.record import CallRecord
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.store.repositories import Calls
from ari_assistant.telemetry import CallLog
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.error import validation_messages
from ari_assistant.vapi.structured_output import StructuredOutput

__all__ = ["Report"]


class Report:
    """Made once the caller has gone: a model may take seconds over it, and nobody's line waits for that."""

    def __init__(
        self,
        calls: Calls,
        catalogue: Catalogue,
        record: CallRecord,
        messages: CallMessages,
        *,
        session: Session | None,
        cast: ResolvedAssistant | None,
        variables: JsonObject,
        fill: TemplateRenderer,
        call_log: CallLog,
        data: DataDirectory,
        log: Any,
    ) -> None:
        """`data`: where the call's log is kept."""
        self._calls = calls
        self._catalogue = catalogue
        self._data = data
        self._record = record
        self._messages = messages
        self._session = session
        self._cast = cast
        self._variables = variables
        self._fill = fill
        self._call_log = call_log
        self._log = log

    async def make(self) -> None:
        """Analyse, keep the log, complete the record, send the report. Never raises: what fails is left out."""
        record, calls = self._record, self._calls
        try:
            await self._run_hooks()
            await self._analyse()
            if await calls.get(record.id) is not None:  # it may have been erased already
                await self._keep_log()
            if self._session is not None:
                record.take_results(self._session.conversation(), self._variables)
            record.touch()
            await calls.save(record.wire(), if_there=True)
        except Exception:
            self._log.exception("report_incomplete")
        finally:
            self._call_log.close()
            self._send()

    async def _run_hooks(self) -> None:
        """`call.ending` hooks whose tools run when the call is over."""
        if self._session is not None and self._record.ending is not None:
            await self._session.after_the_end(self._record.ending)

    async def _analyse(self) -> None:
        session, cast, record = self._session, self._cast, self._record
        if session is None or cast is None or record.assistant is None:
            return
        assert record.ending is not None
        transcript = session.history.transcript()
        if cast.analyst is not None:
            record.analysis = await analyse(
                cast.assistant.analysis_plan,
                cast.analyst,
                fill=self._fill,
                messages=len(session.history.entries),
                transcript=transcript,
                ended_reason=record.ending.reason,
                system_prompt="\n".join(message.content for message in session.system()),
                used=session.used,
            )
        outputs = await self._structured_outputs(cast)
        if outputs:
            record.structured_outputs = await structured_outputs(
                outputs,
                cast.analyst,
                fill=self._fill,
                transcript=transcript,
                ended_reason=record.ending.reason,
                used=session.used,
            )

    async def _structured_outputs(self, cast: ResolvedAssistant) -> dict[str, StructuredOutput]:
        """Those that the assistant's `artifactPlan` names by id, and those that stand in it."""
        plan = cast.assistant.artifact_plan
        found: dict[str, StructuredOutput] = {}
        documents: list[tuple[str, JsonObject]] = []
        for output_id in (plan.structured_output_ids or ()) if plan else ():
            resource = await self._catalogue.structured_outputs.get(output_id)
            if resource is not None:
                documents.append((resource.id, resource.document))
        documents += [(str(d.get("name")), d) for d in ((plan.structured_outputs or ()) if plan else ())]
        for key, document in documents:
            try:
                found[key] = StructuredOutput.model_validate(document)
            except ValidationError as fault:
                self._log.warning(
                    "structured_output_unreadable", id=key, reason="; ".join(validation_messages(fault))
                )
        return found

    async def _keep_log(self) -> None:
        plan = self._cast.assistant.artifact_plan if self._cast is not None else None
        if plan is not None and plan.logging_enabled is False:
            return
        text = self._call_log.text()
        path = self._data.log(self._record.id)

        def write() -> None:
            with create_private(path) as file:
                file.write(text.encode())

        try:
            await asyncio.to_thread(write)
            self._record.log_kept = True
        except OSError as fault:
            self._log.error("call_log_not_kept", reason=str(fault))

    def _send(self) -> None:
        record = self._record
        assert record.ending is not None
        artifact, wire = record.artifact, record.wire()
        self._messages.send(
            "end-of-call-report",
            endedReason=record.ending.reason,
            startedAt=wire["startedAt"],
            endedAt=wire["endedAt"],
            durationSeconds=round(record.seconds, 3),
            durationMs=round(record.seconds * 1000),
            durationMinutes=round(record.seconds / 60, 4),
            transcript=artifact.get("transcript", ""),
            summary=wire["summary"],
            messages=artifact.get("messages", []),
            recordingUrl=artifact.get("recordingUrl"),
            stereoRecordingUrl=artifact.get("stereoRecordingUrl"),
            analysis=wire["analysis"] or {},
            artifact=artifact,
            cost=0,
            costBreakdown=wire["costBreakdown"],
            costs=record.costs,
            destination=record.destination,
        )

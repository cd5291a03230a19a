"""Reading and writing resources."""

from __future__ import annotations

import asyncio
import json
import operator
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy import Text, cast, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from ari_assistant.store.memory import ReadMemory
from ari_assistant.store.tables import AssistantRow, CallRow, PhoneNumberRow, ResourceRow
from ari_assistant.vapi.base import JsonObject, iso
from ari_assistant.vapi.phone_number import phone_number_schema

__all__ = [
    "Assistants",
    "Calls",
    "Change",
    "Listing",
    "PhoneNumbers",
    "Resource",
    "Resources",
    "SipUriTaken",
]

Row = TypeVar("Row", AssistantRow, PhoneNumberRow, CallRow, ResourceRow)

Change = Callable[[JsonObject], Awaitable[JsonObject]]
"""`await change(document)`: the document as it shall be. It may raise, and may be asked again with a newer one."""

_PAGE = 50
_NO_SESSION = {"synchronize_session": False}
"""The session holds nothing that the statement changes."""
_LONGEST_CALL = timedelta(hours=13)
"""`maxDurationSeconds` is at most 12 hours; the rest is for ringing and the report."""
_COMPARISONS = {"gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le}


class SipUriTaken(Exception):
    """Another phone number has this SIP URI. `holder` is its id."""

    def __init__(self, uri: str, holder: str) -> None:
        super().__init__(f"sipUri {uri} is in use by phone number {holder}")
        self.holder = holder


@dataclass(frozen=True, slots=True)
class Resource:
    """A stored resource. Times are ISO 8601 in UTC."""

    id: str
    org_id: str
    created_at: str
    updated_at: str
    document: JsonObject

    def wire(self) -> JsonObject:
        """The resource as the API returns it."""
        return {
            "id": self.id,
            "orgId": self.org_id,
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
            **self.document,
        }


@dataclass(frozen=True, slots=True)
class Listing:
    """Which resources are listed, newest first (contract §1)."""

    limit: int = 100
    times: Mapping[str, str] = field(default_factory=dict)
    """`created_at_gt` … `updated_at_le` → ISO 8601 in UTC."""
    equal: Mapping[str, str] = field(default_factory=dict)
    """Columns that must have a value."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Text fields of the document that must have a value."""
    search: str | None = None
    """A part of the name, the number or the SIP URI, in any letter case."""
    offset: int = 0
    oldest_first: bool = False

    def conditions(self, resource: Any) -> list[Any]:
        """The time conditions on `created_at` and `updated_at` of a row class (SQL) or of a resource (bools)."""
        found = []
        for name, value in self.times.items():
            column, _, comparison = name.rpartition("_")
            found.append(_COMPARISONS[comparison](getattr(resource, column), value))
        return found


class Repository(Generic[Row]):
    """One kind of resource."""

    _row: type[Row]
    _kind: str | None = None
    _remembers = True

    def __init__(self, engine: AsyncEngine, *, org_id: str) -> None:
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        self._org_id = org_id
        self._memory = ReadMemory(enabled=self._remembers and engine.dialect.name == "sqlite")
        self._writers: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    def _columns(self, document: JsonObject) -> dict[str, Any]:
        """The searched columns of a document."""
        return {}

    async def _check(self, resource_id: str, document: JsonObject) -> None:
        """Raise when the document cannot be stored beside the others."""

    async def create(self, resource_id: str, document: JsonObject) -> Resource:
        """Store a new resource."""
        await self._check(resource_id, document)
        now = iso(datetime.now(UTC))
        row = self._row(
            id=resource_id,
            org_id=self._org_id,
            created_at=now,
            updated_at=now,
            document=document,
            **self._columns(document),
            **({} if self._kind is None else {"kind": self._kind}),
        )
        try:
            async with self._writing() as session:
                session.add(row)
        except IntegrityError:
            await self._check(resource_id, document)  # somebody was faster: say who
            raise
        return _resource(row)

    async def get(self, resource_id: str) -> Resource | None:
        """The resource, or None."""

        async def query() -> Resource | None:
            async with self._sessions() as session:
                row = await session.get(self._row, resource_id)
                if row is None or self._kind != getattr(row, "kind", None):
                    return None
                return _resource(row)

        return await self._memory.answer(f"id {resource_id}", query)

    async def list(self, listing: Listing) -> list[Resource]:
        """Newest first, unless the listing says otherwise."""

        async def query() -> list[Resource]:
            return [resource async for page in self.pages(listing) for resource in page]

        return await self._memory.answer(f"list {listing!r}", query)

    async def pages(self, listing: Listing) -> AsyncGenerator[Sequence[Resource], None]:
        """`list`, some at a time, read in a thread: a thousand documents at once would hold the event loop."""
        async with aclosing(self._texts(listing)) as texts:
            async for page in texts:
                yield await asyncio.to_thread(_read_all, page)

    async def _texts(self, listing: Listing) -> AsyncGenerator[Sequence[Any], None]:
        """Rows of (id, org_id, created_at, updated_at, document as text). Which ones they are is settled first."""
        row = self._row
        columns = (row.id, row.org_id, row.created_at, row.updated_at, cast(row.document, Text).label("text"))
        async with self._sessions() as session:
            ids = list(await session.scalars(self._selected(select(row.id), listing)))
        for start in range(0, len(ids), _PAGE):
            wanted = ids[start : start + _PAGE]
            async with self._sessions() as session:
                found = {
                    text.id: text for text in await session.execute(select(*columns).where(row.id.in_(wanted)))
                }
            yield [found[resource_id] for resource_id in wanted if resource_id in found]

    @asynccontextmanager
    async def _writing(self) -> AsyncGenerator[AsyncSession, None]:
        """A transaction; what was read before it, or while it is open, is not true any more."""
        try:
            async with self._sessions.begin() as session:
                yield session
        finally:
            self._memory.forget()

    async def count(self, listing: Listing) -> int:
        """How many the listing would give without its limit."""
        query = self._filtered(select(func.count()).select_from(self._row), listing)
        async with self._sessions() as session:
            return int(await session.scalar(query) or 0)

    def _selected(self, query: Any, listing: Listing) -> Any:
        row = self._row
        order = (row.created_at, row.id) if listing.oldest_first else (row.created_at.desc(), row.id.desc())
        return self._filtered(query, listing).order_by(*order).limit(listing.limit).offset(listing.offset)

    def _filtered(self, query: Any, listing: Listing) -> Any:
        row = self._row
        if self._kind is not None:
            query = query.where(ResourceRow.kind == self._kind)
        for condition in listing.conditions(row):
            query = query.where(condition)
        for name, value in listing.equal.items():
            query = query.where(getattr(row, name) == value)
        for name, value in listing.fields.items():
            query = query.where(row.document[name].as_string() == value)
        if listing.search:
            texts = (row.document[key].as_string() for key in ("name", "number", "sipUri"))
            part = listing.search.lower()
            query = query.where(or_(*(func.lower(text).contains(part, autoescape=True) for text in texts)))
        return query

    async def change(self, resource_id: str, change: Change) -> Resource | None:
        """Read, change and store a document in one step; None when there is none.

        Those who change it at the same time take turns, here by a lock. Another server on the same database is
        noticed when the document is not what was read any more: then `change` is asked again.
        """
        async with self._alone(resource_id):
            while True:
                async with self._sessions() as session:
                    query = select(cast(self._row.document, Text).label("text")).where(*self._is(resource_id))
                    text = await session.scalar(query)
                if text is None:
                    return None
                document = await change(json.loads(text))
                await self._check(resource_id, document)
                changed = await self._store(resource_id, document, instead_of=text)
                if changed is not None:
                    return changed

    async def _store(self, resource_id: str, document: JsonObject, *, instead_of: str) -> Resource | None:
        """None: what is stored is not `instead_of`."""
        values = {"document": document, "updated_at": iso(datetime.now(UTC)), **self._columns(document)}
        query = (
            update(self._row)
            .where(*self._is(resource_id), cast(self._row.document, Text) == instead_of)
            .values(**values)
            .returning(self._row)
        )
        try:
            async with self._writing() as session:
                row = await session.scalar(query, execution_options=_NO_SESSION)
                return None if row is None else _resource(row)
        except IntegrityError:
            await self._check(resource_id, document)  # somebody was faster: say who
            raise

    async def delete(self, resource_id: str) -> Resource | None:
        """Remove it and return what it was; None when it was not there."""
        query = delete(self._row).where(*self._is(resource_id)).returning(self._row)
        async with self._alone(resource_id), self._writing() as session:
            row = await session.scalar(query, execution_options=_NO_SESSION)
            return None if row is None else _resource(row)

    def _alone(self, resource_id: str) -> asyncio.Lock:
        """Held by who writes this resource."""
        return self._writers.setdefault(resource_id, asyncio.Lock())

    def _is(self, resource_id: str) -> Sequence[Any]:
        """The conditions that select one resource."""
        mine = self._row.id == resource_id
        return (mine,) if self._kind is None else (mine, ResourceRow.kind == self._kind)


def _resource(row: AssistantRow | PhoneNumberRow | CallRow | ResourceRow) -> Resource:
    return Resource(row.id, row.org_id, row.created_at, row.updated_at, row.document)


def _read_all(rows: Sequence[Any]) -> Sequence[Resource]:
    return [Resource(r.id, r.org_id, r.created_at, r.updated_at, json.loads(r.text)) for r in rows]


class Assistants(Repository[AssistantRow]):
    """Stored assistants."""

    _row = AssistantRow


class PhoneNumbers(Repository[PhoneNumberRow]):
    """Stored phone numbers."""

    _row = PhoneNumberRow

    def _columns(self, document: JsonObject) -> dict[str, Any]:
        uri = phone_number_schema.validate_python(document).uri
        return {"sip_uri": str(uri), "sip_user": uri.user}

    async def _check(self, resource_id: str, document: JsonObject) -> None:
        uri = str(phone_number_schema.validate_python(document).uri)
        async with self._sessions() as session:
            holder = await session.scalar(select(PhoneNumberRow.id).where(PhoneNumberRow.sip_uri == uri))
        if holder is not None and holder != resource_id:
            raise SipUriTaken(uri, holder)

    async def with_user(self, user: str) -> list[Resource]:
        """The numbers whose SIP URI has this user part (lower case)."""

        async def query() -> list[Resource]:
            async with self._sessions() as session:
                rows = await session.scalars(select(PhoneNumberRow).where(PhoneNumberRow.sip_user == user))
                return [_resource(row) for row in rows]

        return await self._memory.answer(f"user {user}", query)


class Resources(Repository[ResourceRow]):
    """Stored resources that are only looked up by their id, of one kind."""

    _row = ResourceRow

    def __init__(self, engine: AsyncEngine, *, org_id: str, kind: str) -> None:
        super().__init__(engine, org_id=org_id)
        self._kind = kind


class Calls(Repository[CallRow]):
    """Calls, the running and the ended ones. The document is the whole Call object (contract §4.2)."""

    _row = CallRow
    _remembers = False

    def __init__(self, engine: AsyncEngine, *, org_id: str, server_id: str | None = None) -> None:
        """`server_id`: who serves the calls that are saved here."""
        super().__init__(engine, org_id=org_id)
        self._server_id = server_id

    def _columns(self, document: JsonObject) -> dict[str, Any]:
        breakdown = document.get("costBreakdown") or {}
        return {
            "status": document["status"],
            "type": document.get("type") or "inboundPhoneCall",
            "assistant_id": document.get("assistantId"),
            "phone_number_id": document.get("phoneNumberId"),
            "ended_reason": _short(document.get("endedReason")),
            "success_evaluation": _short((document.get("analysis") or {}).get("successEvaluation")),
            "duration_seconds": _seconds(document.get("startedAt"), document.get("endedAt")),
            "prompt_tokens": breakdown.get("llmPromptTokens", 0),
            "completion_tokens": breakdown.get("llmCompletionTokens", 0),
            "cached_prompt_tokens": breakdown.get("llmCachedPromptTokens", 0),
            "voice_characters": breakdown.get("ttsCharacters", 0),
        }

    async def json_pages(self, listing: Listing) -> AsyncGenerator[Sequence[str], None]:
        """The documents of `pages` as JSON, without reading and writing each of them."""
        async with aclosing(self._texts(listing)) as texts:
            async for page in texts:
                yield [row.text for row in page]

    async def save(self, document: JsonObject, *, if_there: bool = False) -> bool:
        """Store a call as it is now: new, or changed. The name that it was given meanwhile is kept.

        `if_there`: a call that has been erased stays erased, and False is returned.
        """
        async with self._alone(document["id"]), self._sessions.begin() as session:
            known = await session.get(CallRow, document["id"], with_for_update=True)
            if known is None and if_there:
                return False
            if known is not None and document.get("name") is None and known.document.get("name") is not None:
                document = {**document, "name": known.document["name"]}
            await session.merge(self._call_row(document))
        return True

    def _call_row(self, document: JsonObject) -> CallRow:
        return CallRow(
            id=document["id"],
            org_id=document["orgId"],
            created_at=document["createdAt"],
            updated_at=document["updatedAt"],
            document=document,
            server_id=self._server_id,
            **self._columns(document),
        )

    async def end_abandoned(self, *, reason: str) -> int:
        """End the calls that a former run of this server left open; returns how many there were.

        Those of another server run on, but for one that is older than any call can be: its server will not come back.
        """
        long_ago = iso(datetime.now(UTC) - _LONGEST_CALL)
        ours = or_(CallRow.server_id == self._server_id, CallRow.server_id.is_(None))
        async with self._sessions.begin() as session:
            query = select(CallRow).where(CallRow.status != "ended", or_(ours, CallRow.updated_at < long_ago))
            rows = list(await session.scalars(query))
            now = iso(datetime.now(UTC))
            for row in rows:
                row.status = "ended"
                row.updated_at = now
                row.ended_reason = reason
                row.document = row.document | {
                    "status": "ended",
                    "endedReason": reason,
                    "endedAt": now,
                    "updatedAt": now,
                }
        return len(rows)


def _short(text: object) -> str | None:
    """What fits into a searched column; the document keeps all of it."""
    return None if text is None else str(text)[:160]


def _seconds(started: str | None, ended: str | None) -> float:
    if not started or not ended:
        return 0.0
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()

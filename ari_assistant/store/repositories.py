"""Reading and writing resources."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from ari_assistant.store.tables import AssistantRow, CallRow, PhoneNumberRow
from ari_assistant.vapi.base import JsonObject, iso
from ari_assistant.vapi.phone_number import SipUri

__all__ = [
    "Assistants",
    "Calls",
    "Listing",
    "PhoneNumbers",
    "Resource",
    "SipUriTaken",
]

Row = TypeVar("Row", AssistantRow, PhoneNumberRow, CallRow)


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

    def conditions(self, resource: Any) -> list[Any]:
        """The time conditions on `created_at` and `updated_at` of a row class (SQL) or of a resource (bools)."""
        found = []
        for name, value in self.times.items():
            column, _, comparison = name.rpartition("_")
            found.append(_COMPARISONS[comparison](getattr(resource, column), value))
        return found


class _Repository(Generic[Row]):
    _row: type[Row]

    def __init__(self, engine: AsyncEngine, *, org_id: str) -> None:
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        self._org_id = org_id

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
        )
        try:
            async with self._sessions.begin() as session:
                session.add(row)
        except IntegrityError:
            await self._check(resource_id, document)  # somebody was faster: say who
            raise
        return _resource(row)

    async def get(self, resource_id: str) -> Resource | None:
        """The resource, or None."""
        async with self._sessions() as session:
            row = await session.get(self._row, resource_id)
            return None if row is None else _resource(row)

    async def list(self, listing: Listing) -> list[Resource]:
        """Newest first."""
        row = self._row
        query = select(row).order_by(row.created_at.desc(), row.id.desc()).limit(listing.limit)
        for condition in listing.conditions(row):
            query = query.where(condition)
        for name, value in listing.equal.items():
            query = query.where(getattr(row, name) == value)
        async with self._sessions() as session:
            return [_resource(found) for found in await session.scalars(query)]

    async def replace(self, resource_id: str, document: JsonObject) -> Resource | None:
        """Store a changed document; None when the resource is gone."""
        await self._check(resource_id, document)
        values = {"document": document, "updated_at": iso(datetime.now(UTC)), **self._columns(document)}
        async with self._sessions.begin() as session:
            await session.execute(update(self._row).where(self._row.id == resource_id).values(**values))
        return await self.get(resource_id)

    async def delete(self, resource_id: str) -> Resource | None:
        """Remove it and return what it was; None when it was not there."""
        found = await self.get(resource_id)
        if found is not None:
            async with self._sessions.begin() as session:
                await session.execute(delete(self._row).where(self._row.id == resource_id))
        return found


def _resource(row: AssistantRow | PhoneNumberRow | CallRow) -> Resource:
    return Resource(row.id, row.org_id, row.created_at, row.updated_at, row.document)


class Assistants(_Repository[AssistantRow]):
    """Stored assistants."""

    _row = AssistantRow


class PhoneNumbers(_Repository[PhoneNumberRow]):
    """Stored phone numbers."""

    _row = PhoneNumberRow

    def _columns(self, document: JsonObject) -> dict[str, Any]:
        uri = SipUri.parse(document["sipUri"])
        return {"sip_uri": str(uri), "sip_user": uri.user}

    async def _check(self, resource_id: str, document: JsonObject) -> None:
        uri = str(SipUri.parse(document["sipUri"]))
        async with self._sessions() as session:
            holder = await session.scalar(select(PhoneNumberRow.id).where(PhoneNumberRow.sip_uri == uri))
        if holder is not None and holder != resource_id:
            raise SipUriTaken(uri, holder)

    async def with_user(self, user: str) -> list[Resource]:
        """The numbers whose SIP URI has this user part (lower case)."""
        async with self._sessions() as session:
            query = select(PhoneNumberRow).where(PhoneNumberRow.sip_user == user)
            return [_resource(row) for row in await session.scalars(query)]


class Calls(_Repository[CallRow]):
    """Calls, the running and the ended ones. The document is the whole Call object (contract §4.2)."""

    _row = CallRow

    def _columns(self, document: JsonObject) -> dict[str, Any]:
        return {
            "status": document["status"],
            "assistant_id": document.get("assistantId"),
            "phone_number_id": document.get("phoneNumberId"),
        }

    async def save(self, document: JsonObject) -> None:
        """Store a call as it is now: new, or changed."""
        row = CallRow(
            id=document["id"],
            org_id=document["orgId"],
            created_at=document["createdAt"],
            updated_at=document["updatedAt"],
            document=document,
            **self._columns(document),
        )
        async with self._sessions.begin() as session:
            await session.merge(row)

    async def end_abandoned(self, *, reason: str) -> int:
        """End the calls that a former run left open; returns how many there were."""
        async with self._sessions.begin() as session:
            rows = list(await session.scalars(select(CallRow).where(CallRow.status != "ended")))
            now = iso(datetime.now(UTC))
            for row in rows:
                row.status = "ended"
                row.updated_at = now
                row.document = row.document | {
                    "status": "ended",
                    "endedReason": reason,
                    "endedAt": now,
                    "updatedAt": now,
                }
        return len(rows)

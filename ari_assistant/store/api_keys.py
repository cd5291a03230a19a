"""The keys of the API: shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from ari_assistant.store.tables import ApiKeyRow
from ari_assistant.vapi.base import iso_now, new_id

__all__ = ["ApiKey", "ApiKeys", "KeyKind"]

KeyKind = Literal["private", "public"]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without the key itself. `revoked_at` is None while it is good."""

    id: str
    kind: str
    name: str
    created_at: str
    revoked_at: str | None


class ApiKeys:
    """Creates, finds and revokes keys."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)

    async def create(self, kind: KeyKind, name: str) -> tuple[ApiKey, str]:
        """A new key, and its text, which cannot be read again."""
        text = secrets.token_urlsafe(32)
        row = ApiKeyRow(id=new_id(), created_at=iso_now(), kind=kind, name=name, sha256=_hash(text))
        async with self._sessions.begin() as session:
            session.add(row)
        return _key(row), text

    async def find(self, text: str) -> ApiKey | None:
        """The key with this text that has not been revoked."""
        query = select(ApiKeyRow).where(ApiKeyRow.sha256 == _hash(text), ApiKeyRow.revoked_at.is_(None))
        async with self._sessions() as session:
            row = await session.scalar(query)
            return None if row is None else _key(row)

    async def list(self) -> list[ApiKey]:
        """All keys, the oldest first, revoked ones too."""
        async with self._sessions() as session:
            return [_key(row) for row in await session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.created_at))]

    async def revoke(self, key_id: str) -> bool:
        """Make a key useless; False when there is no good key of this id."""
        query = update(ApiKeyRow).where(ApiKeyRow.id == key_id, ApiKeyRow.revoked_at.is_(None))
        async with self._sessions.begin() as session:
            done = await session.execute(query.values(revoked_at=iso_now()).returning(ApiKeyRow.id))
            return done.first() is not None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _key(row: ApiKeyRow) -> ApiKey:
    return ApiKey(row.id, row.kind, row.name, row.created_at, row.revoked_at)

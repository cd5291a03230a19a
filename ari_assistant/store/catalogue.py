"""Everything that is configured: from the database, and assistants and phone numbers from their file too."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from ari_assistant.store.repositories import (
    Assistants,
    Change,
    Listing,
    PhoneNumbers,
    Repository,
    Resource,
    Resources,
    SipUriTaken,
)
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.phone_number import phone_number_schema
from ari_assistant.vapi.sip_uri import SipUri

__all__ = ["AmbiguousNumber", "Catalogue", "FromFile", "Overlaid", "file_id"]

_INTERNATIONAL = re.compile(r"\+?[1-9][0-9]{6,14}")
_NAMESPACE = uuid.UUID("6c7a9d5e-1d53-5b0e-9a0e-2b1f4c1d7a10")


def file_id(kind: str, name: str) -> str:
    """The id of a resource of the assistants file: the same after every restart."""
    return str(uuid.uuid5(_NAMESPACE, f"{kind}:{name}"))


class FromFile(Exception):
    """The resource is defined in the assistants file and cannot be changed through the API."""


class AmbiguousNumber(Exception):
    """Several numbers have the dialled user, and the dialled host names none of them."""


class Overlaid:
    """A repository with the resources of the assistants file laid over it. Those are read-only."""

    def __init__(self, stored: Repository[Any], file: Iterable[Resource] = ()) -> None:
        self._stored = stored
        self.file = {resource.id: resource for resource in file}

    async def get(self, resource_id: str) -> Resource | None:
        """The resource with this id, or None."""
        return self.file.get(resource_id) or await self._stored.get(resource_id)

    async def list(self, listing: Listing) -> list[Resource]:
        """The database's, newest first, then the file's."""
        stored = await self._stored.list(listing)
        return [*stored, *await self._behind(listing, len(stored))]

    async def pages(self, listing: Listing) -> AsyncGenerator[Sequence[Resource], None]:
        """`list`, some at a time."""
        stored = 0
        async with aclosing(self._stored.pages(listing)) as pages:
            async for page in pages:
                stored += len(page)
                yield page
        if behind := await self._behind(listing, stored):
            yield behind

    async def _behind(self, listing: Listing, stored: int) -> Sequence[Resource]:
        """The file's, for which there is room behind so many of the database's."""
        room = listing.limit - stored
        if room <= 0 or not self.file:
            return ()
        skipped = max(0, listing.offset - await self._stored.count(listing)) if listing.offset else 0
        return self._file_fitting(listing)[skipped : skipped + room]

    async def count(self, listing: Listing) -> int:
        """How many there are without the limit."""
        return await self._stored.count(listing) + len(self._file_fitting(listing))

    async def create(self, resource_id: str, document: JsonObject) -> Resource:
        """Store a new one."""
        return await self._stored.create(resource_id, document)

    async def change(self, resource_id: str, change: Change) -> Resource | None:
        """See `Repository`. Raises FromFile."""
        self._refuse_file(resource_id)
        return await self._stored.change(resource_id, change)

    async def delete(self, resource_id: str) -> Resource | None:
        """Remove one and return what it was. Raises FromFile."""
        self._refuse_file(resource_id)
        return await self._stored.delete(resource_id)

    def _refuse_file(self, resource_id: str) -> None:
        if resource_id in self.file:
            raise FromFile(
                f"{resource_id} is defined in the assistants file: change it there and restart, or create"
                " another one here"
            )

    def _file_fitting(self, listing: Listing) -> Sequence[Resource]:
        return [r for r in self.file.values() if all(listing.conditions(r)) and _searched(r, listing.search)]


class OverlaidNumbers(Overlaid):
    """Phone numbers: no two may have one SIP URI, wherever they are defined."""

    async def create(self, resource_id: str, document: JsonObject) -> Resource:
        """See `Overlaid`. Raises SipUriTaken."""
        self._check_uri(resource_id, document)
        return await super().create(resource_id, document)

    async def change(self, resource_id: str, change: Change) -> Resource | None:
        """See `Overlaid`. Raises SipUriTaken."""

        async def checked(document: JsonObject) -> JsonObject:
            document = await change(document)
            self._check_uri(resource_id, document)
            return document

        return await super().change(resource_id, checked)

    def _check_uri(self, resource_id: str, document: JsonObject) -> None:
        uri = _uri(document)
        for resource in self.file.values():
            if resource.id != resource_id and _uri(resource.document) == uri:
                raise SipUriTaken(str(uri), resource.id)


class Catalogue:
    """One view on all that is configured."""

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        org_id: str,
        file_assistants: Iterable[Resource] = (),
        file_numbers: Iterable[Resource] = (),
    ) -> None:
        self._numbers = PhoneNumbers(engine, org_id=org_id)
        self.assistants = Overlaid(Assistants(engine, org_id=org_id), file_assistants)
        self.phone_numbers = OverlaidNumbers(self._numbers, file_numbers)
        self.tools = Resources(engine, org_id=org_id, kind="tool")
        self.squads = Resources(engine, org_id=org_id, kind="squad")
        self.files = Resources(engine, org_id=org_id, kind="file")
        self.structured_outputs = Resources(engine, org_id=org_id, kind="structured-output")
        self.credentials = Resources(engine, org_id=org_id, kind="credential")

    async def find_number(self, uri: SipUri, *, host_is_ours: bool) -> Resource | None:
        """The number that was dialled: by the whole URI, else by its user when the host is this machine; and where
        nothing has it as it was dialled, with or without the `+` of an international number (E.164).

        Raises AmbiguousNumber when only the user fits, and fits several.
        """
        found = await self._find_exactly(uri, host_is_ours=host_is_ours)
        if found is None and (other := _other_spelling(uri)) is not None:
            found = await self._find_exactly(other, host_is_ours=host_is_ours)
        return found

    async def _find_exactly(self, uri: SipUri, *, host_is_ours: bool) -> Resource | None:
        candidates = [
            *(r for r in self.phone_numbers.file.values() if _uri(r.document).user == uri.user),
            *await self._numbers.with_user(uri.user),
        ]
        for resource in candidates:
            if _uri(resource.document) == uri:
                return resource
        if not host_is_ours or not candidates:
            return None
        if len(candidates) > 1:
            raise AmbiguousNumber(", ".join(str(_uri(resource.document)) for resource in candidates))
        return candidates[0]


def _other_spelling(uri: SipUri) -> SipUri | None:
    """`+15551230001` for `15551230001`, and the other way round; None for what is no such number."""
    if _INTERNATIONAL.fullmatch(uri.user) is None:
        return None
    return replace(uri, user=uri.user[1:] if uri.user.startswith("+") else f"+{uri.user}")


def _uri(document: JsonObject) -> SipUri:
    return phone_number_schema.validate_python(document).uri


def _searched(resource: Resource, part: str | None) -> bool:
    texts = (str(resource.document.get(key) or "").lower() for key in ("name", "number", "sipUri"))
    return not part or any(part.lower() in text for text in texts)

"""Assistants and phone numbers from both places: the assistants file and the database."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from ari_assistant.store.repositories import Assistants, Listing, PhoneNumbers, Resource, SipUriTaken
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.phone_number import SipUri

__all__ = ["AmbiguousNumber", "Catalogue", "FromFile", "file_id"]

_NAMESPACE = uuid.UUID("6c7a9d5e-1d53-5b0e-9a0e-2b1f4c1d7a10")


def file_id(kind: str, name: str) -> str:
    """The id of a resource of the assistants file: the same after every restart."""
    return str(uuid.uuid5(_NAMESPACE, f"{kind}:{name}"))


class FromFile(Exception):
    """The resource is defined in the assistants file and cannot be changed through the API."""


class AmbiguousNumber(Exception):
    """Several numbers have the dialled user, and the dialled host names none of them."""


class Catalogue:
    """One view on both places. The file's resources come first and are read-only."""

    def __init__(
        self,
        assistants: Assistants,
        phone_numbers: PhoneNumbers,
        *,
        file_assistants: Iterable[Resource] = (),
        file_numbers: Iterable[Resource] = (),
    ) -> None:
        self._assistants = assistants
        self._numbers = phone_numbers
        self._file_assistants = {resource.id: resource for resource in file_assistants}
        self._file_numbers = {resource.id: resource for resource in file_numbers}

    # -- assistants -----------------------------------------------------------------------------------------

    async def assistant(self, resource_id: str) -> Resource | None:
        """The assistant with this id, or None."""
        return self._file_assistants.get(resource_id) or await self._assistants.get(resource_id)

    async def list_assistants(self, listing: Listing) -> list[Resource]:
        """The database's, newest first, then the file's."""
        return _joined(await self._assistants.list(listing), self._file_assistants, listing)

    async def create_assistant(self, resource_id: str, document: JsonObject) -> Resource:
        """Store a new assistant."""
        return await self._assistants.create(resource_id, document)

    async def replace_assistant(self, resource_id: str, document: JsonObject) -> Resource | None:
        """Store a changed assistant. Raises FromFile."""
        self._refuse_file(self._file_assistants, resource_id)
        return await self._assistants.replace(resource_id, document)

    async def delete_assistant(self, resource_id: str) -> Resource | None:
        """Remove an assistant. Raises FromFile."""
        self._refuse_file(self._file_assistants, resource_id)
        return await self._assistants.delete(resource_id)

    # -- phone numbers --------------------------------------------------------------------------------------

    async def phone_number(self, resource_id: str) -> Resource | None:
        """The phone number with this id, or None."""
        return self._file_numbers.get(resource_id) or await self._numbers.get(resource_id)

    async def list_phone_numbers(self, listing: Listing) -> list[Resource]:
        """The database's, newest first, then the file's."""
        return _joined(await self._numbers.list(listing), self._file_numbers, listing)

    async def create_phone_number(self, resource_id: str, document: JsonObject) -> Resource:
        """Store a new phone number. Raises SipUriTaken."""
        self._check_uri(resource_id, document)
        return await self._numbers.create(resource_id, document)

    async def replace_phone_number(self, resource_id: str, document: JsonObject) -> Resource | None:
        """Store a changed phone number. Raises FromFile and SipUriTaken."""
        self._refuse_file(self._file_numbers, resource_id)
        self._check_uri(resource_id, document)
        return await self._numbers.replace(resource_id, document)

    async def delete_phone_number(self, resource_id: str) -> Resource | None:
        """Remove a phone number. Raises FromFile."""
        self._refuse_file(self._file_numbers, resource_id)
        return await self._numbers.delete(resource_id)

    async def find_number(self, uri: SipUri, *, host_is_ours: bool) -> Resource | None:
        """The number that was dialled: by the whole URI, else by its user when the host is this machine.

        Raises AmbiguousNumber when only the user fits, and fits several.
        """
        candidates = [
            *(r for r in self._file_numbers.values() if SipUri.parse(r.document["sipUri"]).user == uri.user),
            *await self._numbers.with_user(uri.user),
        ]
        for resource in candidates:
            if SipUri.parse(resource.document["sipUri"]) == uri:
                return resource
        if not host_is_ours or not candidates:
            return None
        if len(candidates) > 1:
            raise AmbiguousNumber(", ".join(resource.document["sipUri"] for resource in candidates))
        return candidates[0]

    # -- both -----------------------------------------------------------------------------------------------

    @staticmethod
    def _refuse_file(resources: dict[str, Resource], resource_id: str) -> None:
        if resource_id in resources:
            raise FromFile(
                f"{resource_id} is defined in the assistants file: change it there and restart, or create"
                " another one here"
            )

    def _check_uri(self, resource_id: str, document: JsonObject) -> None:
        uri = SipUri.parse(document["sipUri"])
        for resource in self._file_numbers.values():
            if resource.id != resource_id and SipUri.parse(resource.document["sipUri"]) == uri:
                raise SipUriTaken(str(uri), resource.id)


def _joined(stored: list[Resource], file: dict[str, Resource], listing: Listing) -> list[Resource]:
    fits = [resource for resource in file.values() if all(listing.conditions(resource))]
    return (stored + fits)[: listing.limit]

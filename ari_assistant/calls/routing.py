"""Dialled URI → phone number → assistant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ari_assistant.store.catalogue import AmbiguousNumber, Catalogue
from ari_assistant.store.repositories import Resource
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.phone_number import AnyPhoneNumber, phone_number_schema
from ari_assistant.vapi.sip_uri import SipUri

__all__ = ["NumberFound", "Router"]

log = get_logger("calls.routing")


@dataclass(frozen=True, slots=True)
class NumberFound:
    """The phone number that was dialled."""

    resource: Resource
    number: AnyPhoneNumber


class Router:
    """Finds the phone number of a call."""

    def __init__(self, catalogue: Catalogue, *, is_this_machine: Callable[[str], bool]) -> None:
        """`is_this_machine(host)`: is that name or address (lower case) one of this machine's?"""
        self._catalogue = catalogue
        self._is_this_machine = is_this_machine

    async def find(self, request_uri: str, *, source: str) -> NumberFound | None:
        """The number of a Request-URI, or None; then the log says which URI was not found, why, and who asked for
        it (`source`: the address that the INVITE came from)."""
        try:
            uri = SipUri.parse(request_uri)
        except ValueError as fault:
            log.warning("number_unknown", uri=request_uri, source=source, reason=str(fault))
            return None
        ours = self._is_this_machine(uri.host)
        try:
            resource = await self._catalogue.find_number(uri, host_is_ours=ours)
        except AmbiguousNumber as fault:
            log.warning("number_ambiguous", uri=request_uri, source=source, candidates=str(fault))
            return None
        if resource is None:
            hint = "create it with POST /phone-number, or add it to the assistants file"
            if not ours:
                hint += f"; {uri.host} is not a known name of this machine (ARI_ASSISTANT_SIP_DOMAINS)"
            log.warning("number_unknown", uri=request_uri, source=source, hint=hint)
            return None
        number = phone_number_schema.validate_python(resource.document)
        return NumberFound(resource, number)

"""Digest authentication of callers, for numbers that ask for it (contract §8.3).

Asterisk challenges, not we: each such number gets an endpoint of its own, chosen by the Request-URI before the
anonymous one, with the number's credentials. They live in a sorcery kept in memory, written through ARI at every
connect and after every change. A call to such a number through any other endpoint is refused with 403.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass

from ari_assistant.ari.client import AriClient
from ari_assistant.ari.errors import AriError, AriRequestError
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.store.repositories import Listing, Resource
from ari_assistant.telemetry import get_logger
from ari_assistant.vapi.phone_number import AnyPhoneNumber, PhoneNumber, SipAuthentication, phone_number_schema
from ari_assistant.vapi.sip_uri import SipUri

__all__ = ["GuardedNumber", "SipAuthenticator", "endpoint_fields", "is_authenticated", "uri_pattern"]

log = get_logger("calls.authentication")

_CLASS = "res_pjsip"


def _prefix(app: str) -> str:
    """The endpoints of one server; another one at the same Asterisk has others."""
    return f"aa-number-{app}."


@dataclass(frozen=True, slots=True)
class GuardedNumber:
    """A number whose callers must know a password."""

    uri: SipUri
    wanted: SipAuthentication

    @classmethod
    def of(cls, number: AnyPhoneNumber) -> GuardedNumber | None:
        """None where a number asks for no credentials."""
        if not isinstance(number, PhoneNumber) or number.authentication is None:
            return None
        return cls(number.uri, number.authentication)

    def endpoint_id(self, app: str) -> str:
        """Its endpoint: it changes with the credentials, so that an old one is never enough."""
        text = "\0".join((str(self.uri), self.wanted.username, self.wanted.password))
        return f"{_prefix(app)}{hashlib.sha256(text.encode()).hexdigest()[:20]}"


def is_authenticated(number: AnyPhoneNumber, channel_name: str, app: str) -> bool:
    """Did the caller come through the number's own endpoint, or does it ask for no credentials?"""
    guarded = GuardedNumber.of(number)
    return guarded is None or channel_name.startswith(f"PJSIP/{guarded.endpoint_id(app)}-")


def uri_pattern(user: str) -> str:
    """A POSIX regular expression for Request-URIs with this user, in any letter case."""
    letters = "".join(f"[{c.lower()}{c.upper()}]" if c.isalpha() and c.isascii() else re.escape(c) for c in user)
    return f"/^<?[Ss][Ii][Pp][Ss]?:{letters}[@:;]/"


def endpoint_fields(number: GuardedNumber, media_address: str | None, *, app: str) -> dict[str, dict[str, str]]:
    """Object type → the fields of what makes Asterisk challenge this number's callers, in the order to write them.

    The callers enter the dialplan where all do; the variable says which server's application is meant.
    """
    wanted, name = number.wanted, number.endpoint_id(app)
    endpoint = {
        "context": "from-sip",
        "set_var": f"ARI_ASSISTANT_APP={app}",
        "disallow": "all",
        "allow": "ulaw,alaw,g722",
        "direct_media": "no",
        "rtp_symmetric": "yes",
        "force_rport": "yes",
        "rewrite_contact": "yes",
        "dtmf_mode": "rfc4733",
        "allow_transfer": "no",
        "allow_subscribe": "no",
        "rtp_timeout": "60",
        "timers": "no",
        "auth": name,
    }
    if media_address:
        endpoint["media_address"] = media_address
    auth = {"auth_type": "userpass", "username": wanted.username, "password": wanted.password}
    if wanted.realm:
        auth["realm"] = wanted.realm
    identify = {"endpoint": name, "match_request_uri": uri_pattern(number.uri.user)}
    return {"auth": auth, "endpoint": endpoint, "identify": identify}


class SipAuthenticator:
    """Keeps Asterisk's endpoints what the phone numbers say."""

    def __init__(self, ari: AriClient, catalogue: Catalogue, *, media_address: str | None = None) -> None:
        self._ari = ari
        self._catalogue = catalogue
        self._media_address = media_address
        self._known: dict[str, GuardedNumber] = {}
        self._changed = asyncio.Event()
        self._writing = asyncio.Lock()

    def changed(self) -> None:
        """The numbers are not what they were."""
        self._changed.set()

    async def run(self) -> None:
        """Follow the changes until cancelled; what fails is tried again at the next change or connect."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self.synchronise()
            except AriError as fault:
                log.error("sip_authentication_not_set_up", reason=str(fault))

    async def synchronise(self, *, afresh: bool = False) -> None:
        """Write what is missing, remove what is too much. `afresh`: this Asterisk may know nothing.

        Raises AriError when Asterisk cannot be asked. A configuration that cannot be written is told: those
        numbers then refuse every call.
        """
        async with self._writing:
            await self._synchronise(afresh)

    async def _synchronise(self, afresh: bool) -> None:
        wanted = {number.endpoint_id(self._ari.app): number for number in await self._numbers()}
        present = set(self._known)
        if afresh:
            self._known.clear()
            # What an earlier life of ours left in an Asterisk that lives on.
            with suppress(AriRequestError):
                present = {e["resource"] for e in await self._ari.endpoints.list("PJSIP")}
        # One that is there is made anew: Asterisk cannot change an endpoint that sets a variable.
        for name in present - self._known.keys() | present - wanted.keys():
            if name.startswith(_prefix(self._ari.app)):
                await self._remove(name)
                self._known.pop(name, None)
        for name in wanted.keys() - self._known.keys():
            try:
                for object_type, fields in endpoint_fields(
                    wanted[name], self._media_address, app=self._ari.app
                ).items():
                    await self._ari.configuration.put(_CLASS, object_type, name, fields)
            except AriRequestError as fault:
                log.error(
                    "sip_authentication_impossible",
                    uri=str(wanted[name].uri),
                    reason=str(fault),
                    hint="this Asterisk needs sorcery.conf from asterisk-conf/; the number refuses calls till then",
                )
                continue
            self._known[name] = wanted[name]

    async def _numbers(self) -> list[GuardedNumber]:
        resources: list[Resource] = await self._catalogue.phone_numbers.list(Listing(limit=100_000))
        found = []
        for resource in resources:
            if resource.document.get("authentication"):
                guarded = GuardedNumber.of(phone_number_schema.validate_python(resource.document))
                if guarded is not None:
                    found.append(guarded)
        return found

    async def _remove(self, name: str) -> None:
        for object_type in ("identify", "endpoint", "auth"):
            await self._ari.configuration.delete(_CLASS, object_type, name)

"""SIP URIs as far as they select a phone number (§8.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["SipUri"]


@dataclass(frozen=True, slots=True)
class SipUri:
    """The parts of a SIP URI that select a phone number, lower-cased (§8.1: case-insensitive)."""

    user: str
    host: str
    """A name or an address; an IPv6 address without its brackets."""

    _PATTERN = re.compile(
        r"(?:sips?):(?P<user>[^@;?\s<>]+)@(?P<host>\[[0-9a-f:.]+\]|[^\s:;?<>@\[\]]+)"
        r"(?::(?P<port>\d{1,5}))?(?:[;?][^\s<>]*)?",
        re.IGNORECASE,
    )

    @classmethod
    def parse(cls, text: str) -> SipUri:
        """Read `sip:user@host[:port][;parameters]`, with or without `<…>` (RFC 3261 §19.1).

        Parameters, headers and the port do not select a number and are left out. Raises ValueError when
        `text` has no user or no host.
        """
        match = cls._PATTERN.fullmatch(text.strip().removeprefix("<").removesuffix(">"))
        if match is None:
            raise ValueError(f"{text!r} is not a SIP URI with a user: write sip:USER@HOST")
        user = match["user"].split(":", 1)[0].lower()
        return cls(user=user, host=match["host"].strip("[]").lower())

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"sip:{self.user}@{host}"

"""Templates of addresses: SIP URIs and URLs whose host is the template's, whatever the caller sends.

A caller's text (`callers_text`) is escaped for the place where it stands. Then the host is compared with that of the
same template with neutral texts in the caller's places; an address whose host, port, scheme or password they would
choose is refused. Values of the assistant, its server and its tools may be a whole address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from typing import Any
from urllib.parse import quote

from yarl import URL

from ari_assistant.dialogue.callers_text import Place
from ari_assistant.dialogue.template import render
from ari_assistant.vapi.sip_uri import SipUri

__all__ = ["AddressRefused", "filled_sip_uri", "filled_url", "one_line"]

_STEERS = re.compile(r"[;?&](maddr|route)=([^;?&>]*)", re.IGNORECASE)
"""What sends a SIP request elsewhere than to its host (RFC 3261 §19.1.1, RFC 3261 §20.34)."""


class AddressRefused(Exception):
    """A template gives no address, or one whose host the caller would choose; the text says which."""


def filled_sip_uri(template: str, variables: Mapping[str, Any]) -> str:
    """The SIP URI of a template. Raises AddressRefused."""
    return _filled(template, variables, _sip_user, _sip_host)


def filled_url(template: str, variables: Mapping[str, Any]) -> str:
    """The URL of a template. Raises AddressRefused."""
    return _filled(template, variables, _url_part, _url_host)


def one_line(text: str) -> str:
    """A header's value: what is not printable is left out, so that it begins no header of its own."""
    return "".join(letter for letter in text if letter.isprintable())


def _filled(template: str, variables: Mapping[str, Any], place: Place, host: Callable[[str], Hashable]) -> str:
    if "{{" not in template and "{%" not in template:
        return template
    rendered = render(template, variables, place=place)
    missing = f" ({', '.join(rendered.missing)} without a value)" if rendered.missing else ""
    try:
        if rendered.fault is not None:
            raise ValueError(rendered.fault)
        own = host(rendered.text)
    except ValueError as fault:
        # The text goes to the log: what a caller sent does not.
        why = "what a caller sends cannot be a whole address" if rendered.from_caller else str(fault)
        raise AddressRefused(f"{template} gives no address{missing}: {why}") from None
    if rendered.from_caller and not all(_is_host(own, template, variables, other, host) for other in ("a", "b")):
        raise AddressRefused(f"{template}: the caller would choose its host")
    return rendered.text


def _is_host(
    own: Hashable, template: str, variables: Mapping[str, Any], neutral: str, host: Callable[[str], Hashable]
) -> bool:
    try:
        return host(render(template, variables, neutral=neutral).text) == own
    except ValueError:
        return False


def _sip_user(text: str) -> str:
    """RFC 3261 §25.1, `user`: unreserved, and `+` for telephone numbers; the rest in %XX."""
    return quote(one_line(text), safe="+*!~", errors="replace")


def _url_part(text: str) -> str:
    """RFC 3986 §2.3: unreserved, fit for a segment of the path and for the query."""
    return quote(text, safe="", errors="replace")


def _sip_host(uri: str) -> Hashable:
    SipUri.parse(uri)
    scheme, _, rest = uri.strip("<> ").partition(":")
    address = rest.partition("@")[2]
    steers = tuple((name.lower(), value) for name, value in _STEERS.findall(address))
    return scheme.lower(), re.split("[;?>]", address, maxsplit=1)[0].lower(), steers


def _url_host(text: str) -> Hashable:
    """The origin, the password, and how deep the path goes: `..` climbs."""
    url = URL(text)
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"{text[:200]!r} is no http or https URL")
    return url.scheme, url.raw_user, url.raw_password, url.host, url.port, url.raw_path.count("/")

"""How a request says who sent it (contract §7.1). No I/O: the time is an argument."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

from ari_assistant.vapi.credential import BearerPlan, HmacPlan

__all__ = ["SigningFault", "bearer_headers", "default_signature", "hmac_headers"]

_HASHES = {"sha256": hashlib.sha256, "sha512": hashlib.sha512, "sha1": hashlib.sha1}


class SigningFault(Exception):
    """A credential cannot be used as it is."""


def bearer_headers(plan: BearerPlan) -> dict[str, str]:
    """`Authorization: Bearer <token>`, or as the plan says."""
    prefix = "" if plan.bearer_prefix_enabled is False else "Bearer "
    return {plan.header_name or "Authorization": f"{prefix}{plan.token}"}


def hmac_headers(
    plan: HmacPlan, body: bytes, *, now: float, method: str = "POST", url: str = "", message_id: str = ""
) -> dict[str, str]:
    """The signature over `payloadFormat` (`{timestamp}.{body}`), and the timestamp in whole epoch seconds.

    Raises SigningFault when the secret is not the base64 that the plan says it is.
    """
    timestamp = str(int(now))
    with_time = plan.include_timestamp is not False
    template = plan.payload_format or ("{timestamp}.{body}" if with_time else "{body}")
    payload = _filled(
        template,
        {"{timestamp}": timestamp.encode(), "{method}": method.encode(), "{url}": url.encode(),
         "{svix-id}": message_id.encode(), "{message-id}": message_id.encode(), "{body}": body},
    )  # fmt: skip
    key = plan.secret_key.encode()
    if plan.secret_is_base64:
        try:
            key = base64.b64decode(plan.secret_key.removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            raise SigningFault("secretKey is not base64") from None
    digest = hmac.new(key, payload, _HASHES[plan.algorithm]).digest()
    signature = base64.b64encode(digest).decode() if plan.signature_encoding == "base64" else digest.hex()
    headers = {plan.signature_header or "x-signature": f"{plan.signature_prefix or ''}{signature}"}
    if with_time:
        headers[plan.timestamp_header or "x-timestamp"] = timestamp
    if plan.message_id_header:
        headers[plan.message_id_header] = message_id
    return headers


def default_signature(secret: str, body: bytes, *, now: float) -> dict[str, str]:
    """What goes out beside `X-Vapi-Secret`: HMAC-SHA256 over `{timestamp}.{body}` in hex."""
    return hmac_headers(HmacPlan(type="hmac", secret_key=secret, algorithm="sha256"), body, now=now)


def _filled(template: str, values: Mapping[str, bytes]) -> bytes:
    """The template with its fields replaced once: what a field brings is not read as a template again."""
    result, rest = b"", template
    while rest:
        field = min((f for f in values if f in rest), key=rest.index, default=None)
        if field is None:
            return result + rest.encode()
        before, _, rest = rest.partition(field)
        result += before.encode() + values[field]
    return result

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from ari_assistant.vapi.credential import BearerPlan, HmacPlan
from ari_assistant.webhooks.signing import SigningFault, bearer_headers, default_signature, hmac_headers

BODY = b'{"message":{}}'


def test_a_bearer_token_goes_where_the_plan_says() -> None:
    plan = BearerPlan(type="bearer", token="t")
    assert bearer_headers(plan) == {"Authorization": "Bearer t"}
    legacy = BearerPlan(type="bearer", token="t", header_name="X-Vapi-Secret", bearer_prefix_enabled=False)
    assert bearer_headers(legacy) == {"X-Vapi-Secret": "t"}


def test_the_default_signature_is_hmac_sha256_over_timestamp_and_body() -> None:
    headers = default_signature("secret", BODY, now=1_700_000_000.9)
    expected = hmac.new(b"secret", b"1700000000." + BODY, hashlib.sha256).hexdigest()
    assert headers == {"x-signature": expected, "x-timestamp": "1700000000"}


def test_every_part_of_a_plan_is_used() -> None:
    plan = HmacPlan(
        type="hmac",
        secret_key=base64.b64encode(b"key").decode(),
        secret_is_base64=True,
        algorithm="sha512",
        signature_header="webhook-signature",
        timestamp_header="webhook-timestamp",
        message_id_header="webhook-id",
        signature_prefix="v1,",
        signature_encoding="base64",
        payload_format="{svix-id}.{timestamp}.{method}.{url}.{body}",
    )
    headers = hmac_headers(plan, BODY, now=5.0, url="http://h/{body}", message_id="m1")
    payload = b"m1.5.POST.http://h/{body}." + BODY
    expected = base64.b64encode(hmac.new(b"key", payload, hashlib.sha512).digest()).decode()
    assert headers == {"webhook-signature": f"v1,{expected}", "webhook-timestamp": "5", "webhook-id": "m1"}


def test_a_secret_that_is_no_base64_is_a_named_fault() -> None:
    plan = HmacPlan(type="hmac", secret_key="%%%", secret_is_base64=True, algorithm="sha1")
    with pytest.raises(SigningFault, match="base64"):
        hmac_headers(plan, BODY, now=0)


def test_without_a_timestamp_the_body_alone_is_signed() -> None:
    plan = HmacPlan(type="hmac", secret_key="k", algorithm="sha1", include_timestamp=False)
    assert hmac_headers(plan, BODY, now=0) == {"x-signature": hmac.new(b"k", BODY, hashlib.sha1).hexdigest()}

"""Credentials (§7.1, §8.4): how webhooks are signed, keys of providers, trunks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, Tag, TypeAdapter, model_validator

from ari_assistant.vapi.base import Contract, JsonObject, OpenContract, chosen_by
from ari_assistant.vapi.secret import Secret

__all__ = [
    "AnyCredential",
    "AuthenticationPlan",
    "BearerPlan",
    "ByoSipTrunkCredential",
    "CustomCredential",
    "HmacPlan",
    "OAuth2Plan",
    "ProviderCredential",
    "credential_schema",
    "credential_union",
]

CredentialName = Annotated[str, Field(min_length=1, max_length=40)]


class BearerPlan(Contract):
    """`Authorization: Bearer <token>`, or another header, with or without the word."""

    type: Literal["bearer"]
    token: Secret
    header_name: str | None = None
    bearer_prefix_enabled: bool | None = None


class HmacPlan(Contract):
    """A signature over `payloadFormat`."""

    type: Literal["hmac"]
    secret_key: Secret
    algorithm: Literal["sha256", "sha512", "sha1"]
    signature_header: str | None = None
    timestamp_header: str | None = None
    signature_prefix: str | None = None
    include_timestamp: bool | None = None
    payload_format: str | None = None
    message_id_header: str | None = None
    signature_encoding: Literal["hex", "base64"] | None = None
    secret_is_base64: bool | None = None


class OAuth2Plan(Contract):
    """A client-credentials token (RFC 6749 §4.4), sent as bearer."""

    type: Literal["oauth2"]
    url: str
    client_id: str
    client_secret: Secret
    scope: Annotated[str, Field(max_length=1_000)] | None = None


AuthenticationPlan = Annotated[
    Annotated[BearerPlan, Tag("[bearer]")]
    | Annotated[HmacPlan, Tag("[hmac]")]
    | Annotated[OAuth2Plan, Tag("[oauth2]")],
    chosen_by("type", ("bearer", "hmac", "oauth2")),
]


class _ServerCredential(Contract):
    """How requests to a server of the user's are authenticated."""

    authentication_plan: AuthenticationPlan
    name: CredentialName | None = None


class CustomCredential(_ServerCredential):
    """… in its present form."""

    provider: Literal["custom-credential"]
    encryption_plan: JsonObject | None = None


class WebhookCredential(_ServerCredential):
    """… in its older form."""

    provider: Literal["webhook"]


class SipTrunkGateway(Contract):
    """One gateway of a trunk."""

    ip: str
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    netmask: Annotated[int, Field(ge=24, le=32)] | None = None
    inbound_enabled: bool | None = None
    outbound_enabled: bool | None = None
    outbound_protocol: Literal["tls/srtp", "tcp", "tls", "udp"] | None = None
    options_ping_enabled: bool | None = None


class ByoSipTrunkCredential(Contract):
    """A trunk. It is stored; this version neither registers nor restricts callers by it."""

    provider: Literal["byo-sip-trunk"]
    gateways: Annotated[list[SipTrunkGateway], Field(min_length=1)]
    outbound_authentication_plan: JsonObject | None = None
    outbound_leading_plus_enabled: bool | None = None
    tech_prefix: str | None = None
    sip_diversion_header: str | None = None
    sbc_configuration: JsonObject | None = None
    name: CredentialName | None = None


class ProviderCredential(OpenContract):
    """The key of a model, voice or transcriber provider."""

    provider: str
    api_key: Secret | None = None
    name: CredentialName | None = None

    @model_validator(mode="after")
    def _has_key(self) -> ProviderCredential:
        if not self.api_key:
            raise ValueError("apiKey must be a string")
        if (self.model_extra or {}).get("apiUrl") is not None:
            raise ValueError(
                "apiUrl must be absent: where a provider is asked the server's owner sets,"
                " by ARI_ASSISTANT_PROVIDER_URLS"
            )
        return self


def _kind(given: Any) -> str:
    provider = given.get("provider") if isinstance(given, dict) else getattr(given, "provider", "")
    return provider if provider in ("custom-credential", "webhook", "byo-sip-trunk") else "provider"


AnyCredential = CustomCredential | WebhookCredential | ByoSipTrunkCredential | ProviderCredential


class _CredentialSchema:
    """Chooses the schema by `provider`; every name that is no other schema's is a provider's."""

    def validate_python(self, given: Any) -> AnyCredential:
        """The credential. Raises pydantic.ValidationError."""
        return _SCHEMAS[_kind(given)].model_validate(given)


_SCHEMAS: dict[str, type[AnyCredential]] = {
    "custom-credential": CustomCredential,
    "webhook": WebhookCredential,
    "byo-sip-trunk": ByoSipTrunkCredential,
    "provider": ProviderCredential,
}
credential_schema = _CredentialSchema()
credential_union: TypeAdapter[AnyCredential] = TypeAdapter(AnyCredential)
"""For the description, and what of it is secret."""

"""The tables. A resource's document is the JSON object as it was given; the columns are what is searched."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Float, Index, Integer, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = ["ApiKeyRow", "AssistantRow", "Base", "CallRow", "PhoneNumberRow", "ResourceRow"]


class Base(DeclarativeBase):
    """Base of all tables. Constraints have names, so that migrations can change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class _Resource:
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    org_id: Mapped[str] = mapped_column(String(36))
    created_at: Mapped[str] = mapped_column(String(24))
    """ISO 8601 in UTC with milliseconds and `Z`: sorts as text."""
    updated_at: Mapped[str] = mapped_column(String(24))
    document: Mapped[dict[str, Any]] = mapped_column(JSON)


class AssistantRow(_Resource, Base):
    """`/assistant`."""

    __tablename__ = "assistants"
    __table_args__ = (Index("ix_assistants_created_at", "created_at"),)


class PhoneNumberRow(_Resource, Base):
    """`/phone-number`. `sip_uri` is normalised (`sip:user@host`, lower case) and unique."""

    __tablename__ = "phone_numbers"
    __table_args__ = (
        Index("ix_phone_numbers_created_at", "created_at"),
        Index("ix_phone_numbers_sip_user", "sip_user"),
    )

    sip_uri: Mapped[str] = mapped_column(String(512), unique=True)
    sip_user: Mapped[str] = mapped_column(String(256))


class ResourceRow(_Resource, Base):
    """`/tool`, `/squad`, `/file`, `/structured-output`, `/credential`: what is only looked up by id."""

    __tablename__ = "resources"
    __table_args__ = (Index("ix_resources_kind", "kind", "created_at"),)

    kind: Mapped[str] = mapped_column(String(32))


class CallRow(_Resource, Base):
    """`/call`. The columns beside the document are what is filtered, grouped and summed."""

    __tablename__ = "calls"
    __table_args__ = (
        Index("ix_calls_created_at", "created_at"),
        Index("ix_calls_updated_at", "updated_at"),
        Index("ix_calls_assistant_id", "assistant_id", "created_at"),
        Index("ix_calls_phone_number_id", "phone_number_id", "created_at"),
        Index("ix_calls_status", "status"),
    )

    status: Mapped[str] = mapped_column(String(32))
    server_id: Mapped[str | None] = mapped_column(String(36))
    """Which server serves it: several may share a database."""
    type: Mapped[str] = mapped_column(String(32), default="inboundPhoneCall")
    assistant_id: Mapped[str | None] = mapped_column(String(36))
    phone_number_id: Mapped[str | None] = mapped_column(String(36))
    ended_reason: Mapped[str | None] = mapped_column(String(160))
    success_evaluation: Mapped[str | None] = mapped_column(String(160))
    duration_seconds: Mapped[float] = mapped_column(Float, default=0.0)
    prompt_tokens: Mapped[int] = mapped_column(Integer, default=0)
    completion_tokens: Mapped[int] = mapped_column(Integer, default=0)
    cached_prompt_tokens: Mapped[int] = mapped_column(Integer, default=0)
    voice_characters: Mapped[int] = mapped_column(Integer, default=0)


class ApiKeyRow(Base):
    """A key of the API. Only its SHA-256 is kept: the key itself has 256 random bits, so no salt is needed."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    created_at: Mapped[str] = mapped_column(String(24))
    kind: Mapped[str] = mapped_column(String(8))
    """`private` or `public`."""
    name: Mapped[str] = mapped_column(String(80))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    revoked_at: Mapped[str | None] = mapped_column(String(24))

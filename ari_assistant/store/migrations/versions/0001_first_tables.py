"""Assistants, phone numbers and calls."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _resource() -> list[sa.Column[Any]]:
    return [
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("org_id", sa.String(36), nullable=False),
        sa.Column("created_at", sa.String(24), nullable=False),
        sa.Column("updated_at", sa.String(24), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
    ]


def upgrade() -> None:
    """Apply."""
    op.create_table("assistants", *_resource(), sa.PrimaryKeyConstraint("id", name="pk_assistants"))
    op.create_index("ix_assistants_created_at", "assistants", ["created_at"])
    op.create_table(
        "phone_numbers",
        *_resource(),
        sa.Column("sip_uri", sa.String(512), nullable=False),
        sa.Column("sip_user", sa.String(256), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_phone_numbers"),
        sa.UniqueConstraint("sip_uri", name="uq_phone_numbers_sip_uri"),
    )
    op.create_index("ix_phone_numbers_created_at", "phone_numbers", ["created_at"])
    op.create_index("ix_phone_numbers_sip_user", "phone_numbers", ["sip_user"])
    op.create_table(
        "calls",
        *_resource(),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("assistant_id", sa.String(36), nullable=True),
        sa.Column("phone_number_id", sa.String(36), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_calls"),
    )
    op.create_index("ix_calls_created_at", "calls", ["created_at"])
    op.create_index("ix_calls_assistant_id", "calls", ["assistant_id", "created_at"])
    op.create_index("ix_calls_phone_number_id", "calls", ["phone_number_id", "created_at"])
    op.create_index("ix_calls_status", "calls", ["status"])


def downgrade() -> None:
    """Take back."""
    for table in ("calls", "phone_numbers", "assistants"):
        op.drop_table(table)

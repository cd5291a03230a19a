"""Tools, squads, files, structured outputs, credentials; API keys; what analytics sums over calls."""

from __future__ import annotations

import json
from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("type", sa.String(32), False, "'inboundPhoneCall'"),
    ("ended_reason", sa.String(160), True, None),
    ("success_evaluation", sa.String(160), True, None),
    ("duration_seconds", sa.Float(), False, "0"),
    ("prompt_tokens", sa.Integer(), False, "0"),
    ("completion_tokens", sa.Integer(), False, "0"),
    ("cached_prompt_tokens", sa.Integer(), False, "0"),
    ("voice_characters", sa.Integer(), False, "0"),
)


def upgrade() -> None:
    """Apply; the calls that are there already get their columns from their documents."""
    op.create_table(
        "resources",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("org_id", sa.String(36), nullable=False),
        sa.Column("created_at", sa.String(24), nullable=False),
        sa.Column("updated_at", sa.String(24), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_resources"),
    )
    op.create_index("ix_resources_kind", "resources", ["kind", "created_at"])
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("created_at", sa.String(24), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("revoked_at", sa.String(24), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("sha256", name="uq_api_keys_sha256"),
    )
    for name, kind, nullable, default in _COLUMNS:
        server_default = sa.text(default) if default is not None else None
        op.add_column("calls", sa.Column(name, kind, nullable=nullable, server_default=server_default))
    op.create_index("ix_calls_updated_at", "calls", ["updated_at"])
    _fill_columns()


def _fill_columns() -> None:
    connection = op.get_bind()
    calls = sa.table(
        "calls",
        sa.column("id", sa.String),
        sa.column("document", sa.Text),
        sa.column("ended_reason", sa.String),
        sa.column("duration_seconds", sa.Float),
    )
    rows = connection.execute(sa.select(calls.c.id, sa.cast(calls.c.document, sa.Text))).all()
    for row_id, text in rows:
        document = json.loads(text)
        started, ended = document.get("startedAt"), document.get("endedAt")
        seconds = 0.0
        if started and ended:
            seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()
        values = {"ended_reason": document.get("endedReason"), "duration_seconds": seconds}
        connection.execute(sa.update(calls).where(calls.c.id == row_id).values(**values))


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_calls_updated_at", "calls")
    with op.batch_alter_table("calls") as table:
        for name, *_ in _COLUMNS:
            table.drop_column(name)
    op.drop_table("api_keys")
    op.drop_table("resources")

"""Which server serves a call: several may share a database."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. The calls that are there belong to whoever starts next, as before."""
    op.add_column("calls", sa.Column("server_id", sa.String(36), nullable=True))


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("calls") as table:
        table.drop_column("server_id")

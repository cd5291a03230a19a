"""Calls that are stored already lose the secrets of their transient assistants and overrides."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

from ari_assistant.vapi.assistant import Assistant, AssistantOverrides
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.call import Customer
from ari_assistant.vapi.secret import without_secrets

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_PARTS = {"assistant": Assistant, "assistantOverrides": AssistantOverrides, "customer": Customer}
_BATCH = 500


def upgrade() -> None:
    """Apply. Only the parts are read of all calls, the whole document of those that had a secret."""
    connection = op.get_bind()
    calls = sa.table("calls", sa.column("id", sa.String), sa.column("document", sa.JSON))
    parts = [calls.c.document[key].as_string() for key in _PARTS]
    last = ""
    while True:
        query = sa.select(calls.c.id, *parts).where(calls.c.id > last).order_by(calls.c.id).limit(_BATCH)
        rows = connection.execute(query).all()
        for row_id, *texts in rows:
            if shown := _without_secrets(texts):
                one = calls.c.id == row_id
                document = connection.execute(sa.select(calls.c.document).where(one)).scalar_one()
                connection.execute(sa.update(calls).where(one).values(document={**document, **shown}))
        if not rows:
            return
        last = rows[-1][0]


def _without_secrets(texts: list[str | None]) -> JsonObject:
    """The parts that change. `texts`: the JSON of each of `_PARTS`, None where a call has none."""
    changed: JsonObject = {}
    for (key, schema), text in zip(_PARTS.items(), texts, strict=True):
        given = json.loads(text) if text else None
        if isinstance(given, dict) and (shown := without_secrets(given, schema)) != given:
            changed[key] = shown
    return changed


def downgrade() -> None:
    """What is gone is gone."""

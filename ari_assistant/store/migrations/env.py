"""Alembic's environment: a plain connection, with the driver that is not asyncio's."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, pool

from ari_assistant.store.tables import Base

url = context.config.get_main_option("sqlalchemy.url") or ""
engine = create_engine(url.replace("+aiosqlite", ""), poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()

"""The engine, and bringing the schema up to date."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

__all__ = ["database_url", "migrate", "migrate_back", "open_database", "sqlite_file"]

_MIGRATIONS = Path(__file__).parent / "migrations"


def database_url(url: str) -> str:
    """`url` with the driver that we use: aiosqlite, or psycopg (3), which serves Alembic and asyncio alike.

    `postgres://…`, `postgresql://…` and `sqlite:///…` are taken as people write them.
    """
    scheme, separator, rest = url.partition("://")
    name = scheme.partition("+")[0]
    driver = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg", "sqlite": "sqlite+aiosqlite"}
    return f"{driver.get(name, scheme)}{separator}{rest}"


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite database; None for another one, and for one in memory."""
    parsed = make_url(database_url(url))
    if not parsed.drivername.startswith("sqlite") or parsed.database in (None, "", ":memory:"):
        return None
    return Path(str(parsed.database))


def open_database(url: str) -> AsyncEngine:
    """An engine for `url`. SQLite runs with a write-ahead log: readers do not wait."""
    url = database_url(url)
    if not url.startswith("sqlite"):
        return create_async_engine(url, pool_size=10, max_overflow=10, pool_pre_ping=True)
    # A connection is a thread and costs milliseconds; more than a few do not make one file any faster.
    engine = create_async_engine(url, **({} if ":memory:" in url else {"pool_size": 4, "max_overflow": 0}))

    @event.listens_for(engine.sync_engine, "connect")
    def _set_up(connection: object, _: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("sqlalchemy.url", database_url(url).replace("%", "%%"))
    return config


async def migrate(url: str, revision: str = "head") -> None:
    """Bring the schema to `revision`, in a thread; a database that is there already is left alone."""
    await asyncio.to_thread(command.upgrade, _config(url), revision)


async def migrate_back(url: str, revision: str = "base") -> None:
    """Take the schema back to an older `revision`. What only the newer one can hold is lost."""
    await asyncio.to_thread(command.downgrade, _config(url), revision)

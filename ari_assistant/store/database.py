"""The engine, and bringing the schema up to date."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool

from ari_assistant.fault import Fault

__all__ = [
    "DatabaseFault",
    "check",
    "database_url",
    "migrate",
    "open_connections",
    "open_database",
    "sqlite_file",
]

_MIGRATIONS = Path(__file__).parent / "migrations"


class DatabaseFault(Fault):
    """The database cannot be opened, or is not one of this program's."""


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Turns what SQLAlchemy, its driver or Alembic raises about `url` into a DatabaseFault, without the password."""
    try:
        if make_url(database_url(url)).drivername.partition("+")[0] not in ("sqlite", "postgresql"):
            raise ArgumentError
        yield
    except ArgumentError:
        raise DatabaseFault(
            "ARI_ASSISTANT_DATABASE_URL is not the address of a SQLite or PostgreSQL database",
            cure="write postgresql://user:password@host/name, or leave it unset for SQLite in the data directory",
        ) from None
    except ModuleNotFoundError as fault:
        raise DatabaseFault(
            f"the package {fault.name} is not installed", cure="pip install 'ari-assistant[postgres]'"
        ) from None
    except CommandError as fault:
        raise DatabaseFault(
            f"the database {_named(url)} is newer than this program ({fault})",
            cure="start the ari-assistant that used it last, or a later one; or set ARI_ASSISTANT_DATABASE_URL (or"
            " _DATA_DIR) to another",
        ) from None
    except DBAPIError as fault:
        reason = " ".join(str(fault.orig).split())[:300]
        raise DatabaseFault(
            f"the database {_named(url)} cannot be used: {reason}",
            cure="start it, and compare ARI_ASSISTANT_DATABASE_URL with its host, user, password and name"
            if not url.startswith("sqlite")
            else "let this user read and write that file and its folder, or set ARI_ASSISTANT_DATA_DIR to another",
        ) from None


def _named(url: str) -> str:
    parsed = make_url(database_url(url))
    return parsed.database or "" if parsed.drivername.startswith("sqlite") else parsed.render_as_string()


def database_url(url: str) -> str:
    """`url` with the driver that we use: aiosqlite, or psycopg (3), which serves Alembic and asyncio alike.

    `postgres://…`, `postgresql://…` and `sqlite:///…` are taken as people write them.
    """
    scheme, separator, rest = url.partition("://")
    name = scheme.partition("+")[0]
    driver = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg", "sqlite": "sqlite+aiosqlite"}
    return f"{driver.get(name, scheme)}{separator}{rest}"


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite database; None for another one, and for one in memory. Raises DatabaseFault."""
    with _explained(url):
        parsed = make_url(database_url(url))
    if not parsed.drivername.startswith("sqlite") or parsed.database in (None, "", ":memory:"):
        return None
    return Path(str(parsed.database))


def open_database(url: str) -> AsyncEngine:
    """An engine for `url`. SQLite runs with a write-ahead log: readers do not wait. Raises DatabaseFault."""
    with _explained(url):
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


async def open_connections(engine: AsyncEngine) -> None:
    """Open the connections of SQLite's pool. Each is a thread, and who starts a thread waits until it runs."""
    if engine.dialect.name != "sqlite" or not isinstance(engine.pool, AsyncAdaptedQueuePool):
        return
    async with AsyncExitStack() as stack:
        for _ in range(engine.pool.size()):
            await stack.enter_async_context(engine.connect())


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("sqlalchemy.url", database_url(url).replace("%", "%%"))
    return config


async def migrate(url: str, revision: str = "head") -> None:
    """Bring the schema to `revision`, in a thread; a database that is there already is left alone.
    Raises DatabaseFault."""
    with _explained(url):
        await asyncio.to_thread(command.upgrade, _config(url), revision)


async def check(url: str) -> str:
    """What there is at `url`, in a few words; nothing is changed. Raises DatabaseFault."""
    return await asyncio.to_thread(_check, url)


def _check(url: str) -> str:
    with _explained(url):
        parsed = make_url(database_url(url).replace("+aiosqlite", ""))
        if parsed.drivername == "sqlite" and not Path(parsed.database or "").exists():
            return f"{_named(url)}: made at the first start"
        engine = create_engine(parsed, poolclass=NullPool)
        with engine.connect() as connection:
            revision = MigrationContext.configure(connection).get_current_revision()
        if revision is not None:
            ScriptDirectory.from_config(_config(url)).get_revision(revision)
        return _named(url)

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect
from sqlalchemy.ext.asyncio import AsyncEngine

import ari_assistant.store.database as database
from ari_assistant.store.catalogue import AmbiguousNumber, Catalogue, FromFile
from ari_assistant.store.repositories import Assistants, Calls, Listing, Resource, SipUriTaken
from ari_assistant.store.tables import Base
from ari_assistant.vapi.sip_uri import SipUri

FILE_NUMBER = Resource("f1", "o", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z",
                       {"provider": "vapi", "sipUri": "sip:file@localhost"})  # fmt: skip


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncGenerator[AsyncEngine, None]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'test.db'}"
    await database.migrate(url)
    engine = database.open_database(url)
    yield engine
    await engine.dispose()


@pytest.fixture
def catalogue(engine: AsyncEngine) -> Catalogue:
    return Catalogue(engine, org_id="o", file_numbers=[FILE_NUMBER])


def number(uri: str) -> dict[str, str]:
    return {"provider": "vapi", "sipUri": uri}


async def test_a_resource_is_stored_changed_and_removed(engine: AsyncEngine) -> None:
    assistants = Assistants(engine, org_id="o")
    created = await assistants.create("a1", {"name": "Zoë"})
    assert created.wire() == {
        "id": "a1",
        "orgId": "o",
        "createdAt": created.created_at,
        "updatedAt": created.updated_at,
        "name": "Zoë",
    }
    assert await assistants.get("a1") == created
    changed = await assistants.replace("a1", {"name": "B"})
    assert changed is not None
    assert changed.document == {"name": "B"}
    assert (await assistants.delete("a1")) is not None
    assert await assistants.get("a1") is None
    assert await assistants.delete("a1") is None


async def test_lists_are_newest_first_and_filtered(engine: AsyncEngine) -> None:
    calls = Calls(engine, org_id="o")
    for n in range(5):
        at = f"2026-01-0{n + 1}T00:00:00.000Z"
        await calls.save(
            {
                "id": f"c{n}",
                "orgId": "o",
                "createdAt": at,
                "updatedAt": at,
                "status": "ended",
                "assistantId": f"a{n % 2}",
            }
        )
    assert [r.id for r in await calls.list(Listing(limit=2))] == ["c4", "c3"]
    page = Listing(times={"created_at_lt": "2026-01-03T00:00:00.000Z"})
    assert [r.id for r in await calls.list(page)] == ["c1", "c0"]
    assert [r.id for r in await calls.list(Listing(equal={"assistant_id": "a1"}))] == ["c3", "c1"]


async def test_a_call_is_saved_again_as_it_changes_and_ended_when_it_was_abandoned(engine: AsyncEngine) -> None:
    calls = Calls(engine, org_id="o")
    at = "2026-01-01T00:00:00.000Z"
    document = {"id": "c", "orgId": "o", "createdAt": at, "updatedAt": at, "status": "ringing"}
    await calls.save(document)
    await calls.save(document | {"status": "in-progress"})
    assert await calls.end_abandoned(reason="died") == 1
    found = await calls.get("c")
    assert found is not None
    assert (found.document["status"], found.document["endedReason"]) == ("ended", "died")
    assert await calls.end_abandoned(reason="died") == 0


async def test_a_sip_uri_belongs_to_one_number_in_any_letter_case(catalogue: Catalogue) -> None:
    await catalogue.phone_numbers.create("n1", number("sip:Bob@Example.org"))
    with pytest.raises(SipUriTaken, match="n1"):
        await catalogue.phone_numbers.create("n2", number("sip:bob@example.ORG:5060"))
    with pytest.raises(SipUriTaken, match="f1"):
        await catalogue.phone_numbers.create("n2", number("sip:FILE@localhost"))
    assert await catalogue.phone_numbers.replace("n1", number("sip:bob@example.org")) is not None


async def test_numbers_are_found_by_the_whole_uri_else_by_user_when_the_host_is_ours(catalogue: Catalogue) -> None:
    await catalogue.phone_numbers.create("n1", number("sip:bob@example.org"))
    await catalogue.phone_numbers.create("n2", number("sip:amy@one.example"))
    await catalogue.phone_numbers.create("n3", number("sip:amy@two.example"))

    async def find(uri: str, *, ours: bool) -> str | None:
        found = await catalogue.find_number(SipUri.parse(uri), host_is_ours=ours)
        return found.id if found else None

    assert await find("sip:BOB@EXAMPLE.org", ours=False) == "n1"
    assert await find("sip:bob@192.0.2.2", ours=True) == "n1"
    assert await find("sip:bob@192.0.2.2", ours=False) is None
    assert await find("sip:file@192.0.2.2", ours=True) == "f1"
    assert await find("sip:amy@two.example", ours=True) == "n3"
    with pytest.raises(AmbiguousNumber, match=r"one\.example.*two\.example"):
        await find("sip:amy@192.0.2.2", ours=True)


async def test_resources_of_the_file_are_listed_and_read_only(catalogue: Catalogue) -> None:
    assert [r.id for r in await catalogue.phone_numbers.list(Listing())] == ["f1"]
    assert await catalogue.phone_numbers.list(Listing(times={"created_at_gt": "2027"})) == []
    with pytest.raises(FromFile, match="assistants file"):
        await catalogue.phone_numbers.delete("f1")


async def test_migrations_make_the_tables_of_the_models_and_take_them_back(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'm.db'}"
    await database.migrate(url)
    engine = create_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    config.set_main_option("sqlalchemy.url", url)
    command.downgrade(config, "base")
    assert set(inspect(engine).get_table_names()) == {"alembic_version"}
    engine.dispose()

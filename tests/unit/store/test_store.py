from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

import ari_assistant.store.database as database
from ari_assistant.store.analytics import run_query
from ari_assistant.store.api_keys import ApiKeys
from ari_assistant.store.catalogue import AmbiguousNumber, Catalogue, FromFile
from ari_assistant.store.repositories import Assistants, Calls, Change, Listing, Resource, Resources, SipUriTaken
from ari_assistant.store.tables import Base, CallRow
from ari_assistant.vapi.analytics import AnalyticsQuery
from ari_assistant.vapi.base import JsonObject, iso
from ari_assistant.vapi.sip_uri import SipUri

FILE_NUMBER = Resource("f1", "o", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z",
                       {"provider": "vapi", "sipUri": "sip:file@localhost"})  # fmt: skip


@pytest.fixture
def url(database_url: str) -> str:
    return database_url


@pytest.fixture
async def engine(url: str) -> AsyncGenerator[AsyncEngine, None]:
    await database.migrate(url)
    engine = database.open_database(url)
    yield engine
    await engine.dispose()


@pytest.fixture
def catalogue(engine: AsyncEngine) -> Catalogue:
    return Catalogue(engine, org_id="o", file_numbers=[FILE_NUMBER])


def number(uri: str) -> dict[str, str]:
    return {"provider": "vapi", "sipUri": uri}


def to(document: JsonObject) -> Change:
    async def change(_: JsonObject) -> JsonObject:
        return document

    return change


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
    changed = await assistants.change("a1", to({"name": "B"}))
    assert changed is not None
    assert changed.document == {"name": "B"}
    assert (await assistants.delete("a1")) is not None
    assert await assistants.get("a1") is None
    assert await assistants.delete("a1") is None


async def test_of_many_changes_at_once_none_is_lost_whichever_server_makes_them(
    url: str, engine: AsyncEngine
) -> None:
    other = database.open_database(url)
    here, there = Assistants(engine, org_id="o"), Assistants(other, org_id="o")
    await here.create("a", {"variableValues": {}})

    async def give(name: str) -> None:
        async def change(document: JsonObject) -> JsonObject:
            await asyncio.sleep(0)
            return document | {"variableValues": document["variableValues"] | {name: 1}}

        server = there if int(name) % 2 and engine.dialect.name == "postgresql" else here
        assert await server.change("a", change) is not None
        assert name in (await server.get("a")).document["variableValues"]  # type: ignore[union-attr]

    await asyncio.gather(*(give(str(n)) for n in range(40)))
    found = await here.get("a")
    assert found is not None
    assert len(found.document["variableValues"]) == 40
    await other.dispose()


async def test_of_many_who_remove_a_resource_one_has_removed_it(engine: AsyncEngine) -> None:
    tools = Resources(engine, org_id="o", kind="tool")
    await tools.create("t", {"type": "endCall"})
    removed = await asyncio.gather(*(tools.delete("t") for _ in range(20)))
    assert [resource.id for resource in removed if resource is not None] == ["t"]
    assert await tools.get("t") is None


async def test_a_resource_is_not_changed_or_removed_as_one_of_another_kind(engine: AsyncEngine) -> None:
    tools, squads = (Resources(engine, org_id="o", kind=kind) for kind in ("tool", "squad"))
    await tools.create("t", {"type": "endCall"})
    assert await squads.change("t", to({})) is None
    assert await squads.delete("t") is None
    assert await tools.get("t") is not None


async def test_a_name_that_a_running_call_is_given_outlives_the_calls_own_saves(engine: AsyncEngine) -> None:
    calls = Calls(engine, org_id="o")
    at = "2026-01-01T00:00:00.000Z"
    document = {"id": "c", "orgId": "o", "createdAt": at, "updatedAt": at, "status": "ringing"}
    await calls.save(document)

    async def named(stored: JsonObject) -> JsonObject:
        return stored | {"name": "mine"}

    await asyncio.gather(
        *(calls.save(document | {"status": "in-progress"}) for _ in range(5)),
        calls.change("c", named),
        *(calls.save(document | {"status": "ended"}) for _ in range(5)),
    )
    found = await calls.get("c")
    assert found is not None
    assert (found.document["name"], found.document["status"]) == ("mine", "ended")


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


async def test_a_server_ends_its_own_calls_only_and_those_that_nobody_can_still_serve(engine: AsyncEngine) -> None:
    ours, others = (Calls(engine, org_id="o", server_id=name) for name in ("ours", "others"))
    now, long_ago = iso(datetime.now(UTC)), "2026-01-01T00:00:00.000Z"
    for calls, name, at in ((ours, "a", now), (others, "b", now), (others, "c", long_ago)):
        await calls.save({"id": name, "orgId": "o", "createdAt": at, "updatedAt": at, "status": "in-progress"})
    assert await ours.end_abandoned(reason="died") == 2
    assert {r.id: r.document["status"] for r in await ours.list(Listing())} == {
        "a": "ended",
        "b": "in-progress",
        "c": "ended",
    }
    assert await others.end_abandoned(reason="died") == 1


async def test_a_sip_uri_belongs_to_one_number_in_any_letter_case(catalogue: Catalogue) -> None:
    await catalogue.phone_numbers.create("n1", number("sip:Bob@Example.org"))
    with pytest.raises(SipUriTaken, match="n1"):
        await catalogue.phone_numbers.create("n2", number("sip:bob@example.ORG:5060"))
    with pytest.raises(SipUriTaken, match="f1"):
        await catalogue.phone_numbers.create("n2", number("sip:FILE@localhost"))
    assert await catalogue.phone_numbers.change("n1", to(number("sip:bob@example.org"))) is not None
    await catalogue.phone_numbers.create("n3", number("sip:amy@example.org"))
    with pytest.raises(SipUriTaken, match="n1"):
        await catalogue.phone_numbers.change("n3", to(number("sip:bob@example.org")))


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


async def test_an_international_number_is_found_with_and_without_its_plus(catalogue: Catalogue) -> None:
    await catalogue.phone_numbers.create("n1", number("sip:+15551230001@pbx.example"))
    await catalogue.phone_numbers.create("n2", number("sip:15551230002@pbx.example"))
    await catalogue.phone_numbers.create("n3", number("sip:+204@pbx.example"))

    async def find(uri: str, *, ours: bool = False) -> str | None:
        found = await catalogue.find_number(SipUri.parse(uri), host_is_ours=ours)
        return found.id if found else None

    assert await find("sip:15551230001@pbx.example") == "n1"
    assert await find("sip:15551230001@192.0.2.2", ours=True) == "n1"
    assert await find("sip:+15551230002@192.0.2.2", ours=True) == "n2"
    assert await find("sip:15551230001@192.0.2.2") is None
    assert await find("sip:204@pbx.example") is None  # an extension is what it is
    # Both spellings may be numbers of their own; what was dialled is what is found.
    await catalogue.phone_numbers.create("n4", number("sip:15551230001@pbx.example"))
    assert await find("sip:15551230001@192.0.2.2", ours=True) == "n4"
    assert await find("sip:+15551230001@192.0.2.2", ours=True) == "n1"


async def test_resources_of_the_file_are_listed_and_read_only(catalogue: Catalogue) -> None:
    assert [r.id for r in await catalogue.phone_numbers.list(Listing())] == ["f1"]
    assert await catalogue.phone_numbers.list(Listing(times={"created_at_gt": "2027"})) == []
    with pytest.raises(FromFile, match="assistants file"):
        await catalogue.phone_numbers.delete("f1")


async def test_migrations_make_the_tables_of_the_models_and_take_them_back(url: str) -> None:
    await database.migrate(url)
    engine = create_engine(database.database_url(url).replace("+aiosqlite", ""))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    await asyncio.to_thread(command.downgrade, database._config(url), "base")
    assert set(inspect(engine).get_table_names()) == {"alembic_version"}
    engine.dispose()


async def test_the_calls_of_an_older_version_keep_their_figures(url: str) -> None:
    await database.migrate(url, "0001")
    engine = create_engine(database.database_url(url).replace("+aiosqlite", ""))
    document = {
        "startedAt": "2026-01-01T00:00:00.000Z",
        "endedAt": "2026-01-01T00:01:30.000Z",
        "endedReason": "customer-ended-call",
    }
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO calls VALUES ('c', 'o', '2026', '2026', :document, 'ended', NULL, NULL)"),
            {"document": json.dumps(document)},
        )
    await database.migrate(url)
    with engine.connect() as connection:
        row = connection.execute(text("SELECT ended_reason, duration_seconds, type FROM calls")).one()
    assert tuple(row) == ("customer-ended-call", 90.0, "inboundPhoneCall")
    engine.dispose()


async def test_the_calls_of_an_older_version_lose_their_secrets(url: str) -> None:
    await database.migrate(url, "0002")
    engine = create_engine(database.database_url(url).replace("+aiosqlite", ""))
    tool = {"type": "function", "server": {"url": "http://h", "secret": "s", "headers": {"A": "b"}}}
    documents: dict[str, JsonObject] = {
        f"c{number}": {
            "id": f"c{number}",
            "assistant": {"name": "A", "model": {"provider": "openai", "tools": [tool]}}
            if number == 700
            else None,
            "assistantOverrides": {"variableValues": {"token": "mine"}},
            "customer": {"number": "1"},
            "phoneCallProviderDetails": {"sip": {"headers": {"x-a": "1"}}},
        }
        for number in range(1_001)
    }
    columns = "id, org_id, created_at, updated_at, document, status"
    with engine.begin() as connection:
        connection.execute(
            text(f"INSERT INTO calls ({columns}) VALUES (:id, 'o', '2026', '2026', :document, 'ended')"),  # noqa: S608
            [{"id": key, "document": json.dumps(document)} for key, document in documents.items()],
        )
    await database.migrate(url)
    documents["c700"]["assistant"] = {
        "name": "A",
        "model": {"provider": "openai", "tools": [{"type": "function", "server": {"url": "http://h"}}]},
    }
    with engine.connect() as connection:
        rows = connection.execute(select(CallRow.id, CallRow.document)).all()
    assert {row.id: row.document for row in rows} == documents
    engine.dispose()


async def test_keys_are_found_by_their_text_until_they_are_revoked(engine: AsyncEngine) -> None:
    keys = ApiKeys(engine)
    key, secret = await keys.create("public", "browser")
    found = await keys.find(secret)
    assert found == key
    assert await keys.find(secret + "x") is None
    assert [k.name for k in await keys.list()] == ["browser"]
    assert await keys.revoke(key.id)
    assert not await keys.revoke(key.id)
    assert await keys.find(secret) is None


async def test_resources_of_one_kind_are_not_seen_as_another(engine: AsyncEngine) -> None:
    tools, squads = (Resources(engine, org_id="o", kind=kind) for kind in ("tool", "squad"))
    await tools.create("t", {"type": "endCall"})
    assert await squads.get("t") is None
    assert await tools.count(Listing()) == 1
    assert await squads.list(Listing()) == []


async def test_numbers_are_searched_by_a_part_of_name_or_uri(catalogue: Catalogue) -> None:
    await catalogue.phone_numbers.create("n1", number("sip:Front_Desk@a.example") | {"name": "100% Büro"})
    await catalogue.phone_numbers.create("n2", number("sip:other@a.example"))

    async def found(part: str) -> list[str]:
        return [r.id for r in await catalogue.phone_numbers.list(Listing(search=part))]

    assert await found("front_D") == ["n1"]
    assert await found("100%") == ["n1"]
    assert await found("büro") == ["n1"]
    assert sorted(await found("example")) == ["n1", "n2"]
    assert await found("FILE@") == ["f1"]
    page = Listing(limit=1, offset=1, search="example")
    assert [r.id for r in await catalogue.phone_numbers.list(page)] != await found("nothing")


def _call(number: int, at: str, **more: Any) -> JsonObject:
    return {
        "id": f"c{number}",
        "orgId": "o",
        "createdAt": at,
        "updatedAt": at,
        "status": "ended",
        "startedAt": at,
        "endedAt": at[:17] + "30.000Z",
        "costBreakdown": {"ttsCharacters": 10 * number, "llmPromptTokens": number},
        **more,
    }


async def test_analytics_counts_and_sums_by_group_and_step(engine: AsyncEngine) -> None:
    calls = Calls(engine, org_id="o")
    times = ["2026-01-01T23:30:00.000Z", "2026-01-02T00:10:00.000Z", "2026-01-02T12:00:00.000Z"]
    for number_, (at, reason) in enumerate(zip(times, ("a", "b", "a"), strict=True), 1):
        variables = {"artifact": {"variableValues": {"plan": reason.upper()}}}
        await calls.save(_call(number_, at, endedReason=reason, **variables))

    async def query(**fields: Any) -> list[JsonObject]:
        body = {"table": "call", "name": "q", "timeRange": {"start": "2026-01-01", "end": "2026-02-01"}, **fields}
        result: list[JsonObject] = (await run_query(engine, AnalyticsQuery.model_validate(body)))["result"]
        return result

    operations = [
        {"operation": "count", "column": "id"},
        {"operation": "sum", "column": "duration"},
        {"operation": "max", "column": "costBreakdown.ttsCharacters", "alias": "most"},
        {"operation": "avg", "column": "costBreakdown.llmPromptTokens"},
        {"operation": "sum", "column": "cost"},
    ]
    assert await query(operations=operations) == [
        {"countId": 3, "sumDuration": 1.5, "most": 30, "avgLlmPromptTokens": 2, "sumCost": 0}
    ]
    count = [{"operation": "count", "column": "id"}]
    assert await query(operations=count, groupBy=["endedReason"]) == [
        {"endedReason": "a", "countId": 2},
        {"endedReason": "b", "countId": 1},
    ]
    assert await query(operations=count, groupByVariableValue=[{"key": "plan"}]) == [
        {"plan": "A", "countId": 2},
        {"plan": "B", "countId": 1},
    ]
    in_berlin = {"start": "2026-01-01", "end": "2026-02-01", "step": "day", "timezone": "Europe/Berlin"}
    assert await query(operations=count, timeRange=in_berlin) == [
        {"date": "2026-01-02T00:00:00+01:00", "countId": 3}
    ]
    in_utc = in_berlin | {"timezone": "UTC"}
    assert [row["countId"] for row in await query(operations=count, timeRange=in_utc)] == [1, 2]
    assert await query(operations=count, timeRange={"start": "2030-01-01", "end": "2030-01-02"}) == [
        {"countId": 0}
    ]


@pytest.mark.parametrize(
    ("step", "begins"),
    [
        ("second", "2026-08-19T21:02:48+00:00"),
        ("minute", "2026-08-19T21:02:00+00:00"),
        ("hour", "2026-08-19T21:00:00+00:00"),
        ("day", "2026-08-19T00:00:00+00:00"),
        ("week", "2026-08-17T00:00:00+00:00"),
        ("month", "2026-08-01T00:00:00+00:00"),
        ("quarter", "2026-07-01T00:00:00+00:00"),
        ("year", "2026-01-01T00:00:00+00:00"),
        ("decade", "2020-01-01T00:00:00+00:00"),
        ("century", "2000-01-01T00:00:00+00:00"),
    ],
)
async def test_steps_begin_where_the_calendar_says(engine: AsyncEngine, step: str, begins: str) -> None:
    await Calls(engine, org_id="o").save(_call(1, "2026-08-19T21:02:48.657Z"))
    body = {
        "table": "call",
        "name": "q",
        "operations": [{"operation": "count", "column": "id"}],
        "timeRange": {"start": "2026-01-01", "end": "2027-01-01", "step": step},
    }
    result = await run_query(engine, AnalyticsQuery.model_validate(body))
    assert result["result"] == [{"date": begins, "countId": 1}]


async def test_filtered_lists_of_calls_use_an_index(engine: AsyncEngine) -> None:
    """A list of 100,000 calls is not read through and not sorted."""
    calls = Calls(engine, org_id="o")
    async with engine.begin() as connection:
        for listing in (
            Listing(),
            Listing(equal={"assistant_id": "a"}),
            Listing(equal={"phone_number_id": "n"}),
            Listing(times={"created_at_lt": "2026"}),
        ):
            query = calls._selected(select(CallRow.id), listing).compile(
                engine.sync_engine, compile_kwargs={"literal_binds": True}
            )
            if engine.dialect.name == "sqlite":
                plan = (await connection.execute(text(f"EXPLAIN QUERY PLAN {query}"))).all()
                steps = " ".join(str(row[-1]) for row in plan)
            else:
                await connection.execute(text("SET LOCAL enable_seqscan = off"))
                steps = " ".join(row[0] for row in (await connection.execute(text(f"EXPLAIN {query}"))).all())
            assert "ix_calls_" in steps, steps
            assert "TEMP B-TREE FOR ORDER BY" not in steps.replace("LAST TERM OF ", "")

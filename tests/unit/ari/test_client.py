"""The client against a fake Asterisk on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ari_assistant.ari.client import AriClient, AriCredentials, Reconciler
from ari_assistant.ari.errors import (
    AriConflict,
    AriNotFound,
    AriReplaced,
    AriRequestError,
    AriUnauthorized,
    AriUnprocessable,
    AriUnreachable,
)
from ari_assistant.ari.events import AriEvent, StasisStart
from tests.support.fake_ari import FakeAri, channel_event, fake_ari


@asynccontextmanager
async def connected(
    fake: FakeAri, reconciler: Reconciler | None = None, **options: Any
) -> AsyncGenerator[AriClient, None]:
    client = AriClient(fake.credentials, "app", **options)
    task = asyncio.create_task(client.run(reconciler))
    try:
        async with asyncio.timeout(5):
            await client.connected.wait()
        yield client
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("over_websocket", [True, False])
async def test_requests_go_over_the_websocket_where_asterisk_has_that(over_websocket: bool) -> None:
    async with fake_ari(rest_over_websocket=over_websocket) as fake, connected(fake) as client:
        fake.replies["GET channels/c1/variable"] = (200, {"value": "a b&c"})
        before = fake.over_websocket
        assert await client.channels.get("c1").getChannelVar("X(a,b)") == "a b&c"
        assert fake.requests[-1] == ("GET", "channels/c1/variable", {"variable": "X(a,b)"})
        assert fake.over_websocket - before == int(over_websocket)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, AriNotFound),
        (409, AriConflict),
        (422, AriUnprocessable),
        (500, AriRequestError),
        (401, AriUnauthorized),
    ],
)
async def test_an_error_status_is_a_typed_error_with_asterisks_text(
    status: int, kind: type[AriRequestError]
) -> None:
    async with fake_ari() as fake, connected(fake) as client:
        fake.replies["POST channels/c1/answer"] = (status, {"message": "because"})
        with pytest.raises(kind, match=f"POST channels/c1/answer: {status} because"):
            await client.channels.get("c1").answer()


async def test_hanging_up_what_is_gone_is_success() -> None:
    async with fake_ari() as fake, connected(fake) as client:
        fake.replies["DELETE channels/c1"] = fake.replies["DELETE bridges/b1"] = (404, {"message": "gone"})
        await client.channels.get("c1").hangup(reason_code=17)
        await client.bridges.get("b1").destroy()
        assert ("DELETE", "channels/c1", {"reason_code": "17"}) in fake.requests


async def test_events_of_a_channel_arrive_in_order_and_only_while_asked_for() -> None:
    async with fake_ari() as fake, connected(fake) as client:
        seen: list[str] = []
        started: list[AriEvent] = []
        stop = client.on_channel("c1", lambda event: seen.append(event.type))
        client.on_event("StasisStart", started.append)
        for kind in ("StasisStart", "ChannelVarset", "StasisEnd"):
            await fake.send(channel_event(kind, "c1"))
            await fake.send(channel_event(kind, "other"))
        while len(seen) < 3:
            await asyncio.sleep(0.001)
        stop()
        await fake.send(channel_event("ChannelDestroyed", "c1"))
        await client.request("GET", "asterisk/ping")
        assert seen == ["StasisStart", "ChannelVarset", "StasisEnd"]
        assert [event.channel.id for event in started if isinstance(event, StasisStart)] == ["c1", "other"]


async def test_the_start_of_a_channel_of_ours_is_awaited_by_its_id_and_no_caller() -> None:
    async with fake_ari() as fake, connected(fake) as client:
        callers: list[AriEvent] = []
        client.on_event("StasisStart", callers.append)
        future = client.expect_start("ours")
        await fake.send(channel_event("StasisStart", "ours"))
        async with asyncio.timeout(2):
            assert (await future).channel.id == "ours"
        assert callers == []


async def test_what_cannot_be_read_is_logged_and_passed_over(log_lines: list[dict[str, Any]]) -> None:
    async with fake_ari() as fake, connected(fake) as client:
        seen: list[AriEvent] = []
        client.on_event("StasisEnd", seen.append)
        for junk in ("{", "[]", '{"type": 5}', '{"no": "type"}', '{"type": "StasisEnd", "channel": {}}', "null"):
            await fake.send(junk)
        await fake.send(channel_event("StasisEnd", "c1"))
        while not seen:
            await asyncio.sleep(0.001)
        assert sum(line["event"] == "ari_event_unreadable" for line in log_lines) == 6


async def test_a_handler_that_fails_does_not_stop_the_others(log_lines: list[dict[str, Any]]) -> None:
    async with fake_ari() as fake, connected(fake) as client:
        seen: list[AriEvent] = []

        def bad(_: AriEvent) -> None:
            raise RuntimeError("handler")

        client.on_event("StasisEnd", bad)
        client.on_event("StasisEnd", seen.append)
        await fake.send(channel_event("StasisEnd", "c1"))
        while not seen:
            await asyncio.sleep(0.001)
        assert any(line["event"] == "ari_handler_failed" for line in log_lines)


async def test_a_lost_connection_fails_what_is_under_way_and_is_made_again_after_reconciling() -> None:
    class Counted:
        times = 0

        async def reconcile(self) -> None:
            self.times += 1

    reconciled = Counted()
    async with fake_ari() as fake, connected(fake, reconciled) as client:
        assert reconciled.times == 1
        original = fake.reply_to

        def swallow(method: str, path: str, parameters: dict[str, str]) -> tuple[int, Any]:
            raise ConnectionResetError

        fake.reply_to = swallow  # type: ignore[method-assign]
        with pytest.raises(AriUnreachable):
            await client.request("GET", "channels")
        fake.reply_to = original  # type: ignore[method-assign]
        await fake.connected(2)
        async with asyncio.timeout(5):
            while reconciled.times < 2 or not client.connected.is_set():
                await asyncio.sleep(0.005)


async def test_no_answer_in_time_is_unreachable() -> None:
    async with fake_ari() as fake, connected(fake, request_timeout_seconds=0.05) as client:
        client._resolve = lambda data: None  # type: ignore[method-assign] # the answer never arrives
        with pytest.raises(AriUnreachable, match=r"within 0\.05 seconds"):
            await client.request("GET", "channels")


@pytest.mark.parametrize(("remind_seconds", "times"), [(0.0, 3), (3600.0, 1)])
async def test_that_nobody_answers_is_said_again_with_what_to_check(
    log_lines: list[dict[str, Any]], remind_seconds: float, times: int
) -> None:
    client = AriClient(AriCredentials("http://127.0.0.1:9", "u", "p"), "app", remind_seconds=remind_seconds)
    tries = 0

    async def connect(session: object, reconciler: object) -> None:
        nonlocal tries
        tries += 1
        if tries > 3:
            raise asyncio.CancelledError
        raise AriUnreachable("no answer")

    client._connect_once = connect  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await client.run()
    told = [line for line in log_lines if line["event"] == "ari_unreachable"]
    assert len(told) == times
    assert all("http.conf" in line["check"] for line in told)


async def test_another_program_with_our_name_is_final() -> None:
    async with fake_ari() as fake:
        client = AriClient(fake.credentials, "app")
        task = asyncio.create_task(client.run())
        await client.connected.wait()
        await fake.send({"type": "ApplicationReplaced", "application": "app"})
        with pytest.raises(AriReplaced, match="another program subscribed to the ARI application 'app'"):
            await task
        assert fake.connections == 1


async def test_a_wrong_password_is_final() -> None:
    async with fake_ari() as fake:
        wrong = AriCredentials(fake.credentials.url, "user", "wrong")
        with pytest.raises(AriUnauthorized):
            await AriClient(wrong, "app").run()


async def test_variables_are_read_at_once_and_one_by_one_where_that_fails() -> None:
    async with fake_ari() as fake, connected(fake) as client:
        channel = client.channels.get("c1")
        fake.replies["GET channels/c1/variables"] = (200, {"variables": {"A": "1", "B(x,y)": "2"}})
        assert await channel.getChannelVars(["A", "B(x,y)", "A"]) == {"A": "1", "B(x,y)": "2"}
        assert fake.requests[-1][2] == {"variables": "A,B(x,y)"}

        fake.replies["GET channels/c1/variables"] = (500, {"error": "one is missing"})
        values = {"A": (200, {"value": "1"}), "B": (500, {"message": "Unable to read provided function"})}
        original = fake.reply_to

        def single(method: str, path: str, parameters: dict[str, str]) -> tuple[int, Any]:
            return (
                values[parameters["variable"]] if "variable" in parameters else original(method, path, parameters)
            )

        fake.reply_to = single  # type: ignore[method-assign]
        assert await channel.getChannelVars(["A", "B"]) == {"A": "1"}


async def test_external_media_tells_where_asterisk_sends_from() -> None:
    async with fake_ari() as fake, connected(fake) as client:
        variables = {"UNICASTRTP_LOCAL_ADDRESS": "127.0.0.1", "UNICASTRTP_LOCAL_PORT": "20044"}
        fake.replies["POST channels/externalMedia"] = (200, {"id": "em", "channelvars": variables})
        options = {"app": "app", "channelId": "em", "external_host": "127.0.0.1:9", "format": "ulaw"}
        channel, source = await client.channels.externalMedia(**options)
        assert (channel.id, source) == ("em", ("127.0.0.1", 20044))
        fake.replies["POST channels/externalMedia"] = (200, {"id": "em"})
        with pytest.raises(AriRequestError, match="no RTP address"):
            await client.channels.externalMedia(**options)

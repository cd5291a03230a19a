"""The Asterisk that calls come through: what it must know, and what the operator is told to dial."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from ari_assistant.ari.errors import AriReplaced, AriRequestError, AriUnauthorized
from ari_assistant.config.settings import Settings
from ari_assistant.fault import Fault
from ari_assistant.server.connection import Reconciliation, dial_line, stay_connected
from ari_assistant.store.repositories import Resource

AT = "2026-01-01T00:00:00.000Z"
RUNNING: Any = {"asterisk": "http://pbx:8088", "sip_host": "127.0.0.1"}


def catalogue(*users: str) -> Any:
    numbers = [
        Resource(user, "o", AT, AT, {"provider": "vapi", "sipUri": f"sip:{user}@localhost"}) for user in users
    ]

    async def listed(_: Any) -> list[Resource]:
        return numbers

    return SimpleNamespace(phone_numbers=SimpleNamespace(list=listed))


class Ari:
    """Answers requests as scripted; 404 otherwise."""

    app = "ari-assistant"

    def __init__(self, **answers: Any) -> None:
        self._answers = answers

    async def request(self, method: str, path: str, **parameters: str) -> Any:
        answer = self._answers.get(path.rpartition("/")[2])
        if answer is None:
            raise AriRequestError.of(path, 404, "not found")
        return answer


async def test_the_operator_is_told_the_number_of_the_file_that_comes_first() -> None:
    settings = Settings(sip_host="127.0.0.1", sip_port=5070)
    assert (
        await dial_line(settings, catalogue("later", "desk"), cast(Any, Ari())) == "Dial sip:desk@127.0.0.1:5070"
    )


async def test_an_address_of_ipv6_stands_in_brackets() -> None:
    assert (
        await dial_line(Settings(sip_host="::1"), catalogue("desk"), cast(Any, Ari()))
        == "Dial sip:desk@[::1]:5060"
    )


async def test_without_a_number_the_line_says_how_to_make_one() -> None:
    line = await dial_line(Settings(sip_host="127.0.0.1"), catalogue(), cast(Any, Ari()))
    assert line == "Dial sip:NUMBER@127.0.0.1:5060 (there is no number yet: POST /phone-number)"


async def test_an_asterisk_that_is_not_ours_has_its_own_dialplan_and_ports() -> None:
    line = await dial_line(Settings(**RUNNING), catalogue("desk"), cast(Any, Ari()))
    assert (
        line == "Ready: dial desk at the Asterisk of http://pbx:8088, where its dialplan has Stasis(ari-assistant)"
    )
    configured = Ari(info={"config": {"name": "ari-assistant"}})
    assert await dial_line(Settings(**RUNNING), catalogue("desk"), cast(Any, configured)) == (
        "Dial sip:desk@127.0.0.1:5060"
    )


@pytest.mark.parametrize(("settings", "warned"), [(RUNNING, ["asterisk_not_prepared"]), ({}, [])])
async def test_after_every_connect_numbers_and_calls_are_brought_into_line(
    settings: Any, warned: list[str], log_lines: list[Any]
) -> None:
    done: list[str] = []

    async def synchronise(*, afresh: bool) -> None:
        done.append(f"numbers, afresh: {afresh}")

    async def reconcile() -> None:
        done.append("calls")

    await Reconciliation(
        Settings(**settings),
        cast(Any, Ari(modules=[])),
        authenticator=cast(Any, SimpleNamespace(synchronise=synchronise)),
        live=cast(Any, SimpleNamespace(reconcile=reconcile)),
    ).reconcile()
    assert done == ["numbers, afresh: True", "calls"]
    assert [line["event"] for line in log_lines] == warned


@pytest.mark.parametrize(
    ("fault", "cure"),
    [
        (AriReplaced("another program subscribed"), "ARI_ASSISTANT_ARI_APP"),
        (AriUnauthorized("GET events", 401, "unknown user"), "ARI_ASSISTANT_ARI_PASSWORD"),
        (AriRequestError.of("GET channels", 404, "no such resource"), "take 20 or later"),
    ],
)
async def test_what_does_not_mend_itself_ends_the_server_with_the_cure(fault: Exception, cure: str) -> None:
    async def run(_: Any) -> None:
        raise fault

    with pytest.raises(Fault) as raised:
        await stay_connected(cast(Any, SimpleNamespace(run=run)), cast(Any, None))
    assert cure in raised.value.cure

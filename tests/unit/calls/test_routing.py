"""Which number was dialled; when none is found the log says why."""

from __future__ import annotations

from typing import Any, cast

import pytest

from ari_assistant.calls.routing import Router
from ari_assistant.store.catalogue import AmbiguousNumber
from ari_assistant.vapi.sip_uri import SipUri
from tests.support.telephony import resource

NUMBER = resource("n1", {"provider": "vapi", "sipUri": "sip:desk@ours.example"})


class Numbers:
    """A catalogue with one number; `two` makes it ambiguous."""

    two = False

    async def find_number(self, uri: SipUri, *, host_is_ours: bool) -> Any:
        if self.two:
            raise AmbiguousNumber("desk@a, desk@b")
        return NUMBER if uri.user == "desk" and host_is_ours else None


def router(numbers: Numbers) -> Router:
    return Router(cast(Any, numbers), is_this_machine=lambda host: host == "ours.example")


async def test_the_number_that_was_dialled_is_found_and_read() -> None:
    found = await router(Numbers()).find("sip:desk@ours.example;transport=udp", source="192.0.2.1:5060")
    assert found is not None
    assert (found.resource.id, found.number.uri.user) == ("n1", "desk")


@pytest.mark.parametrize(
    ("uri", "event", "said"),
    [
        ("nonsense", "number_unknown", "reason"),
        ("sip:nobody@ours.example", "number_unknown", "hint"),
        ("sip:desk@theirs.example", "number_unknown", "ARI_ASSISTANT_SIP_DOMAINS"),
    ],
)
async def test_who_dialled_what_is_in_the_log_when_there_is_no_such_number(
    log_lines: list[Any], uri: str, event: str, said: str
) -> None:
    assert await router(Numbers()).find(uri, source="192.0.2.1:5060") is None
    (line,) = log_lines
    assert (line["event"], line["uri"], line["source"]) == (event, uri, "192.0.2.1:5060")
    assert said in str(line)


async def test_two_numbers_that_fit_are_none_and_both_are_named(log_lines: list[Any]) -> None:
    numbers = Numbers()
    numbers.two = True
    assert await router(numbers).find("sip:desk@ours.example", source="") is None
    assert [line["candidates"] for line in log_lines] == ["desk@a, desk@b"]

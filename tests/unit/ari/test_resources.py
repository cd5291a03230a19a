from __future__ import annotations

from typing import Any

import pytest

from ari_assistant.ari.errors import AriRequestError
from ari_assistant.ari.resources import Bridges, Channel, Channels, Configuration


class Asterisk:
    """Answers requests from a table of paths; an int is an error status."""

    def __init__(self, **answers: Any) -> None:
        self._answers = answers
        self.asked: list[tuple[str, str, dict[str, Any]]] = []

    async def request(self, method: str, path: str, **parameters: Any) -> Any:
        self.asked.append((method, path, parameters))
        answer = self._answers.get(path.rpartition("/")[2])
        if isinstance(answer, int):
            raise AriRequestError.of(f"{method} {path}", answer, "no")
        return answer(parameters) if callable(answer) else answer


async def test_what_is_gone_already_is_hung_up_destroyed_or_deleted() -> None:
    asterisk = Asterisk(c1=404, b1=404, auth1=404)
    await Channels(asterisk.request).get("c1").hangup(reason_code=34)
    await Bridges(asterisk.request).get("b1").destroy()
    await Configuration(asterisk.request).delete("res_pjsip", "auth", "auth1")
    assert asterisk.asked[0] == ("DELETE", "channels/c1", {"reason_code": "34"})


async def test_any_other_refusal_is_told() -> None:
    asterisk = Asterisk(c1=500)
    with pytest.raises(AriRequestError, match="500"):
        await Channel(asterisk.request, "c1").hangup()


async def test_the_address_that_asterisk_sends_from_is_in_the_answer() -> None:
    variables = {"UNICASTRTP_LOCAL_ADDRESS": "127.0.0.1", "UNICASTRTP_LOCAL_PORT": "12000"}
    asterisk = Asterisk(externalMedia={"channelvars": variables})
    channel, address = await Channels(asterisk.request).externalMedia(
        app="app", channelId="m1", external_host="127.0.0.1:9", format="ulaw"
    )
    assert (channel.id, address) == ("m1", ("127.0.0.1", 12_000))


@pytest.mark.parametrize("variables", [None, {}, {"UNICASTRTP_LOCAL_ADDRESS": "h", "UNICASTRTP_LOCAL_PORT": "x"}])
async def test_an_answer_without_that_address_is_a_fault(variables: dict[str, str] | None) -> None:
    asterisk = Asterisk(externalMedia={"channelvars": variables})
    with pytest.raises(AriRequestError, match="no RTP address"):
        await Channels(asterisk.request).externalMedia(app="a", channelId="m", external_host="h", format="ulaw")


async def test_the_media_connection_of_a_websocket_channel_is_in_the_answer() -> None:
    asterisk = Asterisk(externalMedia={"channelvars": {"MEDIA_WEBSOCKET_CONNECTION_ID": "conn-1"}})
    _, connection = await Channels(asterisk.request).externalMediaSocket(app="a", channelId="m", format="slin")
    assert connection == "conn-1"
    without = Asterisk(externalMedia={"channelvars": {}})
    with pytest.raises(AriRequestError, match="no media connection"):
        await Channels(without.request).externalMediaSocket(app="a", channelId="m", format="slin")


async def test_many_variables_are_one_request_where_asterisk_has_it() -> None:
    asterisk = Asterisk(variables={"variables": {"A": "1", "B": ""}})
    assert await Channel(asterisk.request, "c").getChannelVars(["A", "B", "A"]) == {"A": "1", "B": ""}
    assert len(asterisk.asked) == 1


async def test_else_they_are_asked_for_one_by_one_and_one_that_cannot_be_read_is_left_out() -> None:
    def single(parameters: dict[str, str]) -> dict[str, str]:
        if parameters["variable"] == "B":
            raise AriRequestError.of("GET", 500, "no")
        return {"value": parameters["variable"].lower()}

    asterisk = Asterisk(variables=404, variable=single)
    assert await Channel(asterisk.request, "c").getChannelVars(["A", "B", "C"]) == {"A": "a", "C": "c"}


async def test_a_channel_goes_on_behind_stasis_or_at_a_place_of_the_dialplan() -> None:
    asterisk = Asterisk()
    channel = Channel(asterisk.request, "c")
    await channel.continueInDialplan()
    await channel.continueInDialplan(context="out", extension="s")
    assert [parameters for _, _, parameters in asterisk.asked] == [
        {},
        {"context": "out", "extension": "s", "priority": "1"},
    ]

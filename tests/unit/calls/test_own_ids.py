from __future__ import annotations

from ari_assistant.ari.events import ChannelSnapshot, StasisStart
from ari_assistant.calls.live import is_inbound_caller
from ari_assistant.calls.own_ids import DIALLED, OwnIds


def test_a_server_knows_its_own_and_no_other_servers() -> None:
    names = ("a", "a-em", "em", "aa", "a_b", "call")
    for app in names:
        ids = OwnIds(app)
        for other in names:
            made = OwnIds(other)
            channels = (made.media("c"), made.called("c"), made.dialled("c"))
            assert [ids.owns_channel(one) for one in channels] == [app == other] * 3
            assert ids.owns_bridge(made.bridge("c")) is (app == other)


def entered(channel_id: str, name: str, *args: str) -> StasisStart:
    return StasisStart("StasisStart", {}, ChannelSnapshot(channel_id, name, "Ring", "", "", "", "", ""), args)


def test_only_who_calls_by_sip_is_a_caller() -> None:
    assert is_inbound_caller(entered("1.1", "PJSIP/anonymous-1", "1", "X-A=b"))
    assert is_inbound_caller(entered("1.1", "PJSIP/trunk-1")), "an old dialplan hands nothing over"
    assert not is_inbound_caller(entered("1.1", "Local/desk@from-sip-1;2", "1", "X-A=b")), (
        "a 302 that was followed"
    )
    assert not is_inbound_caller(entered("1.1", "PJSIP/outbound-2", DIALLED)), "… and followed by PJSIP itself"
    assert not is_inbound_caller(entered(OwnIds("other").called("c"), "PJSIP/outbound-1"))

from __future__ import annotations

from ari_assistant.turns.idle import SilenceTimer


def test_it_expires_when_nobody_has_been_active_for_the_time_out() -> None:
    timer = SilenceTimer(30, now=100.0)
    assert not timer.receive(False, now=129.9)
    assert not timer.receive(True, now=130.0)
    assert not timer.receive(False, now=159.9)
    assert timer.receive(False, now=160.0)

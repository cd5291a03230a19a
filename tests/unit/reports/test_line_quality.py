from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ari_assistant.reports.line_quality import line_quality


def test_asterisks_summary_is_read() -> None:
    value = (
        "ssrc=50144174;themssrc=77;lp=3;rxjitter=0.000250;rxcount=150;txjitter=0.004;txcount=151;rlp=2;rtt=0.031;"
        "rxmes=0.000000;txmes=0.000000"
    )
    assert line_quality(value) == {
        "callerPacketsLost": 3,
        "callerJitterMs": 0.25,
        "callerPacketsReceived": 150,
        "callerReportedJitterMs": 4.0,
        "callerPacketsSent": 151,
        "callerReportedLost": 2,
        "callerRoundTripMs": 31.0,
    }


@given(st.text(alphabet="lprxtjie=;0123456789. -n", max_size=60))
def test_whatever_it_says_is_read_or_left_out(value: str) -> None:
    assert all(isinstance(number, int | float) for number in line_quality(value).values())

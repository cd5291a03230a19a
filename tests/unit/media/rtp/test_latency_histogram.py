from __future__ import annotations

from ari_assistant.media.rtp.latency_histogram import Gaps, LatencyHistogram


def test_percentiles_are_told_to_the_next_limit_and_begin_anew() -> None:
    lateness = LatencyHistogram()
    for milliseconds in (0.05,) * 98 + (4.0, 600.0):
        lateness.add(milliseconds / 1000)
    assert lateness.take() == {"p50": 0.1, "p99": 5.0, "max": 1000.0}
    assert lateness.take() == {"p50": 0.0, "p99": 0.0, "max": 0.0}


def test_gaps_are_counted_from_packet_to_packet() -> None:
    gaps = Gaps()
    for at in (0.0, 0.020, 0.065, 0.080, 0.140):  # 20, 45, 15 and 60 ms
        gaps.sent(at)
    assert gaps.take() == {"packets": 4, "over40": 2, "over50": 1, "max": 60.0}
    gaps.sent(0.160)
    assert gaps.take() == {"packets": 1, "over40": 0, "over50": 0, "max": 20.0}


def test_packets_that_leave_together_are_one_gap_and_several_packets() -> None:
    gaps = Gaps()
    gaps.sent(0.0)
    gaps.sent(0.061, packets=3)
    assert gaps.take() == {"packets": 3, "over40": 1, "over50": 1, "max": 61.0}


def test_the_time_without_calls_is_no_gap() -> None:
    gaps = Gaps()
    gaps.sent(0.0)
    gaps.pause()
    gaps.sent(9.0)
    assert gaps.take()["packets"] == 0

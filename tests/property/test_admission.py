"""Who is refused, measured by the packets that callers get."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ari_assistant.calls.admission import Admission, Load
from ari_assistant.media.rtp.latency_histogram import Gaps

seconds = st.lists(
    st.tuples(
        st.lists(st.sampled_from([20.0, 20.0, 20.0, 20.0, 39.0, 45.0, 70.0, 300.0]), min_size=20, max_size=50),
        st.floats(0.0, 1.0),
    ),
    min_size=1,
    max_size=40,
)


@given(seconds)
def test_nobody_is_refused_while_the_99th_percentile_of_the_gaps_is_40_ms_or_less(
    script: list[tuple[list[float], float]],
) -> None:
    admission, gaps, now = Admission(), Gaps(), 0.0
    admission.calls = 10
    window: list[list[float]] = []
    gaps.sent(now)
    for at, (intervals, busy) in enumerate(script):
        for interval in intervals:
            now += interval / 1000
            gaps.sent(now)
        told = gaps.take()
        admission.observe(
            Load(int(told["packets"]), int(told["over40"]), int(told["over50"]), media_busy=busy), now=at
        )
        window = [*window, intervals][-10:]
        heard = np.array([interval for second in window for interval in second])
        if np.mean(heard > 40) <= 0.01:
            assert admission.refusal() is None
        if np.sum(heard > 50) > 0.01 * max(500, heard.size):
            assert admission.refusal() is not None

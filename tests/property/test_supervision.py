"""Whatever a child's lives were like, it is started again: never late, and never in a tight loop."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ari_assistant.supervision import Backoff

LIVES = st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=40)


@given(LIVES)
def test_the_pause_grows_with_every_bad_life_up_to_its_limit_and_begins_anew_after_a_good_one(
    lives: list[tuple[float, bool]],
) -> None:
    backoff, before = Backoff(), 0.0
    for seconds, ready in lives:
        pause = backoff.after(lived_seconds=seconds, ready=ready)
        assert 0.1 <= pause <= 10.0
        if ready and seconds > 10.0:
            assert pause == 0.1
        else:
            assert pause == min(10.0, before * 2) or before == 0.0
        before = pause

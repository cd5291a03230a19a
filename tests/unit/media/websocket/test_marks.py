from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ari_assistant.media.websocket.marks import Marks


def ramp(start: int, count: int) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return (np.arange(start, start + count) % 30_000).astype(np.int16)


def test_audio_goes_in_pieces_of_a_tenth_of_a_second_with_a_mark_behind_each() -> None:
    marks = Marks(8_000)
    pieces = marks.push(ramp(0, 2_000))
    assert [piece.pcm.size for piece in pieces] == [800, 800, 320]
    assert marks.processed(pieces[0].mark) is not None
    found = marks.processed(pieces[2].mark)
    assert found is not None
    assert found[0] == 1_920
    assert found[1].tolist() == ramp(800, 1_120).tolist(), "a mark stands for those before it too"
    assert marks.idle


def test_less_than_a_frame_waits_for_more_or_is_filled_up() -> None:
    marks = Marks(8_000)
    assert marks.push(ramp(0, 100)) == []
    pieces = marks.push(ramp(100, 100))
    assert [piece.pcm.tolist() for piece in pieces] == [ramp(0, 160).tolist()]
    assert marks.rest_is_due
    (rest,) = marks.rest()
    assert rest.pcm.size == 160
    assert rest.pcm[:40].tolist() == ramp(160, 40).tolist()
    assert not rest.pcm[40:].any()
    found = marks.processed(rest.mark)
    assert found is not None
    assert found[0] == 200, "silence that was put in is not counted"


def test_a_mark_of_before_a_flush_says_nothing() -> None:
    marks = Marks(16_000)
    before = marks.push(ramp(0, 3_200))
    marks.flush()
    assert marks.idle
    after = marks.push(ramp(0, 1_600))
    assert marks.processed(before[0].mark) is None
    assert marks.processed("nonsense") is None
    found = marks.processed(after[0].mark)
    assert found is not None
    assert found[0] == 1_600


@given(st.lists(st.integers(0, 3_000), max_size=12))
def test_whatever_the_sizes_every_sample_goes_out_once_and_in_order(sizes: list[int]) -> None:
    marks = Marks(8_000)
    sent: list[int] = []
    given_ = 0
    last = None
    for size in sizes:
        for piece in marks.push(ramp(given_, size)):
            assert piece.pcm.size % 160 == 0
            sent += piece.pcm.tolist()
            last = piece.mark
        given_ += size
    for piece in marks.rest():
        sent += piece.pcm.tolist()[: given_ - len(sent)]
        last = piece.mark
    assert sent == ramp(0, given_).tolist()
    if last is not None:
        found = marks.processed(last)
        assert found is not None
        assert found[0] == given_
